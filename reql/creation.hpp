// Making databases and tables: for the terms, and for rows that are inserted into db_config and table_config.
#pragma once

#include "reql/context.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// Checks the query's permission, makes the database, and waits until that is on disk. An empty id is filled in; the name must have
/// been checked. Throws "Database `x` already exists."
void create_database(Context& cx, const storage::DbInfo& database);

/// The same for a table of `database`. Throws "Table `a.b` already exists."
void create_table(Context& cx, const storage::DbInfo& database, const storage::TableInfo& table);

}  // namespace reqld::reql
