// Grouped data: what `group` makes and terms after it are applied to, group by group.
#pragma once

#include <utility>
#include <vector>

#include "datum/datum.hpp"
#include "reql/eval.hpp"
#include "reql/object.hpp"

namespace reqld::reql {

/// Groups in order of their keys, each with its value so far.
class GroupedData : public Object {
 public:
  explicit GroupedData(std::vector<std::pair<Datum, Value>> g) : groups(std::move(g)) {}
  const std::vector<std::pair<Datum, Value>> groups;
};

/// {"$reql_type$": "GROUPED_DATA", "data": [[group, value], …]}
Datum grouped_to_datum(Context& cx, const GroupedData& grouped);

}  // namespace reqld::reql
