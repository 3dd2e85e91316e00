// The configuration objects of databases and tables, as config_changes and table_config show them.
#pragma once

#include <string>

#include "datum/datum.hpp"
#include "reql/engine.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// {id, name}
Datum db_config(const storage::DbInfo& db);
/// {id, db, name, primary_key, durability, indexes, shards, write_acks, write_hook}
Datum table_config(const Engine& engine, const std::string& db_name, const storage::TableInfo& table);
/// {config_changes: [{old_val, new_val}], <counter>: <count>}
Datum config_change(const Datum& old_val, const Datum& new_val, std::string_view counter, double count = 1);

}  // namespace reqld::reql
