// Names of databases, tables, servers, their tags, and users.
#pragma once

#include <string>
#include <string_view>

namespace reqld::reql {

/// Throws "Database name `x y` invalid (Use A-Z, a-z, 0-9, _ and - only)." unless `name` may name a `what` ("Database", "Table" …).
void check_name(std::string_view what, std::string_view name);

}  // namespace reqld::reql
