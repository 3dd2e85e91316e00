// What changes the rows of system tables.
#pragma once

#include <cstdint>

namespace reqld::reql {

enum class SystemChange : std::uint8_t {
  kRecords,  ///< databases, tables, users, permissions …
  kLog,      ///< new lines in the server's log; rows come and are never told to go
  kTime,     ///< time goes by: rows are looked at every second
};

}  // namespace reqld::reql
