// Grouped data: what `group` makes and terms after it are applied to, group by group.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "datum/datum.hpp"
#include "reql/accumulate.hpp"
#include "reql/eval.hpp"
#include "reql/object.hpp"
#include "reql/stream.hpp"
#include "reql/streams/step.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

/// How rows find their groups. The group is the value of the one key, or the array of several; null stands for a key that the
/// row does not have.
struct GroupKeys {
  std::vector<Ref<Function>> functions;
  /// A key that is an array stands for each of its elements.
  bool multi = false;
};

/// Groups in order of their keys, each with its value so far; or a sequence whose rows are still to be read and grouped.
class GroupedData : public Object {
 public:
  using Groups = std::vector<std::pair<Datum, Value>>;

  explicit GroupedData(Groups groups) : groups_(std::move(groups)) {}
  /// Reads `rows` when it is asked for results. `node` is blamed for them.
  GroupedData(Ref<Stream> rows, GroupKeys keys, const Node* node)
      : rows_(std::move(rows)), keys_(std::move(keys)), node_(node) {}
  /// Reads a secondary index of a table; its value is the last key.
  GroupedData(Ref<Table> table, std::string index, GroupKeys keys, const Node* node)
      : table_(std::move(table)), index_(std::move(index)), keys_(std::move(keys)), node_(node) {}

  /// Whether rows are still to be read.
  bool is_stream() const { return rows_ || table_; }

  /// The same rows and groups, with `step` done to each row after it was grouped. Requires is_stream(); the rows are read once.
  Ref<GroupedData> with(Ref<RowStep> step) const;

  /// Folds each group while reading: one accumulator per group is kept, not its rows. Requires is_stream().
  Ref<GroupedData> aggregate(Context& cx, const Aggregation& aggregation) const;

  /// The groups; of a stream their rows as arrays. Throws when these are more than array_limit.
  const Groups& groups(Context& cx);

 private:
  class GroupFold;
  /// One of the groups of a row, with what the steps have made of it.
  using Sink = std::function<void(const Datum& group, Batch& rows)>;
  void read(Context& cx, const Sink& sink) const;
  /// Groups rows that were read; `index_values` (null: none) has that of each.
  void group_rows(Context& cx, Batch& rows, const Datum* index_values, std::span<const Ref<RowStep>> steps,
                  const Sink& sink) const;
  bool in_parts() const;
  void groups_of(Context& cx, const Datum& row, const Datum* index_value, Batch& groups) const;

  Groups groups_;
  Ref<Stream> rows_;
  Ref<Table> table_;
  std::string index_;
  GroupKeys keys_;
  std::vector<Ref<RowStep>> steps_;
  const Node* node_ = nullptr;
};

/// {"$reql_type$": "GROUPED_DATA", "data": [[group, value], …]}
Datum grouped_to_datum(Context& cx, GroupedData& grouped);

}  // namespace reqld::reql
