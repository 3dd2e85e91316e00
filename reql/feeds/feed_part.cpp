#include "reql/feeds/feed_part.hpp"

#include <unordered_map>

#include "reql/error.hpp"
#include "reql/storage_call.hpp"

namespace reqld::reql {

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

void emit_initial(const FeedOptions& options, const Datum& value, Batch& out, std::optional<std::size_t> offset) {
  ObjectBuilder element;
  element.set("new_val", value);
  if (options.include_types) element.set("type", Datum::string("initial"));
  if (options.include_offsets && offset) element.set("new_offset", Datum::number(static_cast<double>(*offset)));
  out.push_back(element.finish());
}

void emit_change(const FeedOptions& options, const Datum& old_val, const Datum& new_val, Batch& out,
                 std::optional<std::size_t> old_offset, std::optional<std::size_t> new_offset) {
  if (old_val.is_null() && new_val.is_null()) return;
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
  out.push_back(element.finish());
}

void emit_skipped(std::size_t skipped, Batch& out) {
  ObjectBuilder element;
  element.set("error", Datum::string("Changefeed cache over array size limit, skipped " + std::to_string(skipped) + " elements."));
  out.push_back(element.finish());
}

void throw_feed_aborted() { throw_op_failed("Changefeed aborted (unavailable)."); }

void settle_subscription(Context& cx) {
  const auto result = await_storage(cx, [&](auto done) {
    cx.database().submit([](storage::Writer&) { return storage::Result<void>(); }, storage::Durability::kSoft, std::move(done));
  });
  if (!result) throw_storage_error(result.error());
}

std::deque<FeedEvent> take_events(FeedHub::Handle& handle, const FeedOptions& options, Batch& out) {
  std::deque<FeedEvent> events;
  std::size_t skipped = 0;
  if (!handle.queue().take(events, skipped)) throw_feed_aborted();
  if (skipped > 0) emit_skipped(skipped, out);
  if (!options.squash || events.size() < 2) return events;
  // One event a key: from before the first to after the last.
  std::deque<FeedEvent> squashed;
  std::unordered_map<std::string, std::size_t> at;
  for (FeedEvent& event : events) {
    const auto [found, fresh] = at.emplace(event.key, squashed.size());
    if (fresh) {
      squashed.push_back(std::move(event));
    } else {
      FeedEvent& earlier = squashed[found->second];
      earlier.sequence = event.sequence;
      earlier.new_row = std::move(event.new_row);
    }
  }
  return squashed;
}

}  // namespace reqld::reql
