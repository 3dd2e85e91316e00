#include "reql/grouping.hpp"

#include <algorithm>

#include "datum/datum_map.hpp"
#include "datum/encoding.hpp"
#include "reql/index_cursor.hpp"
#include "reql/parallel.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kReadRows = 1000;

/// What each group has, by group.
template <typename T>
class GroupMap {
 public:
  template <typename Make>
  T& at(const Datum& group, Make make) {
    return map_.at(group, [&] {
      charge_.add(DatumMap<T>::kEntryBytes + kValueBytes);
      return make();
    });
  }
  typename DatumMap<T>::Entries take() { return map_.take(); }
  typename DatumMap<T>::Entries sorted() {
    typename DatumMap<T>::Entries all = take();
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return all;
  }

 private:
  // Roughly: what is folded, or an empty batch.
  static constexpr std::size_t kValueBytes = 64;

  DatumMap<T> map_;
  MemoryCharge charge_;
};

/// Every element of `key` as a group of its own; an empty array is no key at all.
void spread(const Datum& key, Batch& groups) {
  if (!key.is(Type::kArray)) {
    groups.push_back(key);
    return;
  }
  for (std::size_t i = 0; i < key.array_size(); ++i) groups.push_back(key.at(i));
  if (key.array_size() == 0) groups.emplace_back();
}

}  // namespace

Ref<GroupedData> GroupedData::with(Ref<RowStep> step) const {
  const Ref<GroupedData> copy = table_ ? make_ref<GroupedData>(table_, index_, keys_, node_)
                                       : make_ref<GroupedData>(rows_, keys_, node_);
  copy->steps_ = steps_;
  copy->steps_.push_back(std::move(step));
  return copy;
}

void GroupedData::groups_of(Context& cx, const Datum& row, const Datum* index_value, Batch& groups) const {
  const std::size_t count = keys_.functions.size() + (index_value ? 1 : 0);
  const auto key = [&](std::size_t i) {
    if (i == keys_.functions.size()) return *index_value;
    return keys_.functions[i]->call1_if_exists(cx, row).value_or(Datum());
  };
  if (count == 1) {
    const bool spreads = keys_.multi && !index_value;
    if (spreads) {
      spread(key(0), groups);
    } else {
      groups.push_back(key(0));
    }
    return;
  }
  // Every combination of the keys' values, the last key's changing fastest.
  std::vector<Batch> combinations(1);
  Batch values;
  for (std::size_t i = 0; i < count; ++i) {
    values.clear();
    if (keys_.multi && i < keys_.functions.size()) {
      spread(key(i), values);
    } else {
      values.push_back(key(i));
    }
    std::vector<Batch> longer;
    longer.reserve(combinations.size() * values.size());
    for (const Batch& c : combinations) {
      for (const Datum& v : values) {
        longer.push_back(c);
        longer.back().push_back(v);
      }
    }
    check_array_size(cx, longer.size());
    combinations = std::move(longer);
  }
  for (const Batch& c : combinations) groups.push_back(Datum::array(c));
}

void GroupedData::group_rows(Context& cx, Batch& rows, const Datum* index_values,
                             std::span<const Ref<RowStep>> steps, const Sink& sink) const {
  Batch groups, made;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    groups.clear();
    groups_of(cx, rows[i], index_values ? &index_values[i] : nullptr, groups);
    made.clear();
    made.push_back(std::move(rows[i]));
    for (const auto& step : steps) {
      if (!made.empty()) step->run(cx, made, 0);
    }
    if (made.empty()) continue;
    for (const Datum& group : groups) sink(group, made);
  }
}

void GroupedData::read(Context& cx, const Sink& sink) const {
  if (rows_) {
    for_each_batch(cx, *rows_, [&](Batch& rows) {
      group_rows(cx, rows, nullptr, steps_, sink);
      return true;
    });
    return;
  }
  const Ref<IndexCursor> cursor = table_->indexed_rows(cx, index_);
  Batch rows, values;
  std::vector<IndexEntry> entries;
  BatchLimits limits;
  limits.max_rows = kReadRows;
  for (bool more = true; more;) {
    entries.clear();
    rows.clear();
    values.clear();
    cx.check_in();
    more = cursor->next(cx, limits, entries);
    for (IndexEntry& e : entries) {
      rows.push_back(std::move(e.document));
      values.push_back(std::move(e.value));
    }
    group_rows(cx, rows, values.data(), steps_, sink);
  }
}

/// One accumulator for each group.
class GroupedData::GroupFold : public MergingFold {
 public:
  GroupFold(const GroupedData& grouped, const Aggregation& aggregation, std::vector<Ref<RowStep>> steps)
      : grouped_(grouped), aggregation_(aggregation), steps_(std::move(steps)) {}

  void add(Context& cx, Batch& rows) override {
    grouped_.group_rows(cx, rows, nullptr, steps_,
                        [&](const Datum& group, Batch& made) { add_to(cx, group, made); });
  }
  void add_to(Context& cx, const Datum& group, const Batch& rows) {
    Accumulator& a = *accumulators_.at(group, [&] { return aggregation_.start(); });
    for (const Datum& row : rows) a.add(cx, row);
  }
  std::unique_ptr<Fold> split() const override {
    if (!aggregation_.in_parts() || !grouped_.in_parts()) return nullptr;
    std::vector<Ref<RowStep>> steps;
    for (const auto& step : steps_) {
      steps.push_back(step->copy());
      if (!steps.back()) return nullptr;
    }
    return std::make_unique<GroupFold>(grouped_, aggregation_, std::move(steps));
  }
  void merge(Context& cx, Fold& later) override {
    for (auto& [group, theirs] : static_cast<GroupFold&>(later).accumulators_.take()) {
      bool is_new = false;
      const auto& mine = accumulators_.at(group, [&, &theirs = theirs] {
        is_new = true;
        return std::move(theirs);
      });
      if (!is_new) mine->merge(cx, *theirs);
    }
  }
  Groups finish(Context& cx) {
    Groups results;
    for (auto& [group, accumulator] : accumulators_.sorted()) {
      if (accumulator->any()) results.emplace_back(group, Value(accumulator->finish(cx)));
    }
    return results;
  }

 private:
  const GroupedData& grouped_;
  const Aggregation& aggregation_;
  const std::vector<Ref<RowStep>> steps_;
  GroupMap<std::unique_ptr<Accumulator>> accumulators_;
};

bool GroupedData::in_parts() const {
  return std::all_of(keys_.functions.begin(), keys_.functions.end(), [](const auto& f) { return f->deterministic(); });
}

Ref<GroupedData> GroupedData::aggregate(Context& cx, const Aggregation& aggregation) const {
  GroupFold fold(*this, aggregation, steps_);
  if (rows_) {
    fold_rows(cx, *rows_, fold);
  } else {
    read(cx, [&](const Datum& group, Batch& rows) { fold.add_to(cx, group, rows); });
  }
  return make_ref<GroupedData>(fold.finish(cx));
}

const GroupedData::Groups& GroupedData::groups(Context& cx) {
  if (!is_stream()) return groups_;
  Args::blaming(node_, [&] {
    GroupMap<Batch> rows_by_group;
    std::size_t total = 0;
    const auto collect = [&](const Datum& group, Batch& rows) {
      total += rows.size();
      if (total > cx.options.array_limit) {
        throw_resource("Grouped data over size limit `" + std::to_string(cx.options.array_limit) +
                       "`.  Try putting a reduction (like `.reduce` or `.count`) on the end.");
      }
      Batch& all = rows_by_group.at(group, [] { return Batch(); });
      all.insert(all.end(), rows.begin(), rows.end());
    };
    read(cx, collect);
    for (auto& [group, rows] : rows_by_group.sorted()) groups_.emplace_back(group, Value(Datum::array(rows)));
  });
  rows_ = {};
  table_ = {};
  return groups_;
}

Datum grouped_to_datum(Context& cx, GroupedData& grouped) {
  const GroupedData::Groups& groups = grouped.groups(cx);
  check_array_size(cx, groups.size());
  ArrayBuilder data;
  for (const auto& [group, value] : groups) data.add(Datum::array({group, to_datum(cx, value)}));
  ObjectBuilder object;
  object.set(encoding::kReqlType, Datum::string("GROUPED_DATA"));
  object.set("data", data.finish());
  return object.finish();
}

Value eval_over_groups(const Node& node, Env& env, const Value& grouped) {
  GroupedData::Groups results;
  const GroupedData::Groups& groups = grouped.object<GroupedData>().groups(env.cx);
  results.reserve(groups.size());
  for (const auto& [group, value] : groups) {
    env.cx.check_in();
    Args args(node, env);
    args.preset(0, value, &node);
    // A lazy result would be read by all that follows, group by group: keep it as data.
    results.emplace_back(group, Value(to_datum(env.cx, node.def->eval(args))));
  }
  return Value(ValueKind::kGroupedData, make_ref<GroupedData>(std::move(results)));
}

}  // namespace reqld::reql
