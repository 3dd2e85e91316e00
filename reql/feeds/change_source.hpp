// What a feed watches: the answer of a lazy stream to "where do your rows come from?".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datum/datum.hpp"
#include "reql/streams/step.hpp"
#include "reql/table.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

struct ChangeSource {
  enum class Kind : std::uint8_t {
    kRange,   ///< rows of a stored table within bounds of an index
    kPoint,   ///< one row of a stored table
    kLimit,   ///< the first rows of a range, by its order
    kSystem,  ///< rows of a table that is not stored
    kUnion,   ///< several of these
  };
  Kind kind = Kind::kRange;
  std::shared_ptr<const storage::TableInfo> table;
  std::string index;  ///< empty: the primary key
  Bounds bounds;
  Order order = Order::kNone;
  Datum key;                              ///< kPoint
  Ref<Table> system_table;                ///< kSystem; with `key` not null only that row
  std::size_t limit = 0;                  ///< kLimit
  std::vector<Ref<RowStep>> steps;        ///< done to each row (before the limit, where there is one)
  std::vector<Ref<RowStep>> later_steps;  ///< done to each row after the limit
  std::vector<ChangeSource> parts;        ///< kUnion
};

}  // namespace reqld::reql
