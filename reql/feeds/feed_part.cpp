#include "reql/feeds/feed_part.hpp"

#include <unordered_map>

#include "datum/key_codec.hpp"
#include "reql/error.hpp"
#include "reql/storage_call.hpp"

namespace reqld::reql {

WatchedRows watched_rows(const ChangeSource& source) {
  WatchedRows rows;
  rows.table = source.table;
  if (source.kind == ChangeSource::Kind::kPoint) {
    const std::string key = to_primary_key(source.key);
    rows.range = {key, key + '\0'};
    return rows;
  }
  if (!source.index.empty() && source.index != source.table->primary_key)
    rows.index = source.table->indexes.at(source.index);
  rows.range = key_range(source.bounds);
  rows.everything =
      !rows.index && source.bounds.lower.is(Type::kMinVal) && source.bounds.upper.is(Type::kMaxVal);
  return rows;
}

Datum run_steps(Context& cx, const std::vector<Ref<RowStep>>& steps, const Datum& row) {
  if (row.is_null() || steps.empty()) return row;
  Batch one{row};
  try {
    for (const auto& step : steps) {
      step->run(cx, one, 0);
      if (one.empty()) return Datum();
    }
  } catch (const EvalError& e) {
    if (e.code() == ErrorCode::kNonExistence) return Datum();
    throw;
  }
  return one.front();
}

Datum initial_element(const FeedOptions& options, const Datum& value, std::optional<std::size_t> offset) {
  ObjectBuilder element;
  element.set("new_val", value);
  if (options.include_types) element.set("type", Datum::string("initial"));
  if (options.include_offsets && offset)
    element.set("new_offset", Datum::number(static_cast<double>(*offset)));
  return element.finish();
}

Datum change_element(const FeedOptions& options, const Datum& old_val, const Datum& new_val,
                     std::optional<std::size_t> old_offset, std::optional<std::size_t> new_offset) {
  if (old_val.is_null() && new_val.is_null()) return Datum();
  ObjectBuilder element;
  element.set("old_val", old_val);
  element.set("new_val", new_val);
  if (options.include_types) {
    element.set("type", Datum::string(old_val.is_null() ? "add" : new_val.is_null() ? "remove" : "change"));
  }
  if (options.include_offsets) {
    const auto offset = [](const std::optional<std::size_t>& at) {
      return at ? Datum::number(static_cast<double>(*at)) : Datum();
    };
    element.set("old_offset", offset(old_offset));
    element.set("new_offset", offset(new_offset));
  }
  return element.finish();
}

Datum change_element(Context& cx, const ChangeSource& source, const FeedOptions& options,
                     const FeedChange& change) {
  const Datum old_val = change.old_within ? run_steps(cx, source.steps, change.old_row) : Datum();
  const Datum new_val = change.new_within ? run_steps(cx, source.steps, change.new_row) : Datum();
  return old_val == new_val ? Datum() : change_element(options, old_val, new_val);
}

Datum skipped_element(std::size_t skipped) {
  ObjectBuilder element;
  element.set("error", Datum::string("Changefeed cache over array size limit, skipped " +
                                     std::to_string(skipped) + " elements."));
  return element.finish();
}

void throw_feed_aborted() {
  throw_op_failed("Changefeed aborted (unavailable).");
}

void settle_subscription(Context& cx) {
  const auto result = await_storage(cx, [&](auto done) {
    cx.database().submit([](storage::Writer&) { return storage::Result<void>(); }, storage::Durability::kSoft,
                         std::move(done));
  });
  if (!result) throw_storage_error(result.error());
}

std::deque<FeedChangeRef> take_changes(FeedHub::Handle& handle, const FeedOptions& options, FeedOutput& out,
                                       const std::function<bool(const FeedChange&)>& known) {
  std::deque<FeedChangeRef> changes;
  std::size_t skipped = 0;
  if (!handle.queue().take(changes, skipped)) throw_feed_aborted();
  if (skipped > 0) out.push(skipped_element(skipped));
  std::erase_if(changes, [&](const FeedChangeRef& change) { return known(*change); });
  if (!options.squash || changes.size() < 2) return changes;
  // One change a key: from before the first to after the last.
  std::deque<FeedChangeRef> squashed;
  std::unordered_map<std::string, std::size_t> at;
  for (FeedChangeRef& change : changes) {
    const auto [found, fresh] = at.emplace(change->key, squashed.size());
    if (fresh) {
      squashed.push_back(std::move(change));
    } else {
      FeedChangeRef& earlier = squashed[found->second];
      earlier = std::make_shared<const FeedChange>(*earlier, *change);
    }
  }
  return squashed;
}

}  // namespace reqld::reql
