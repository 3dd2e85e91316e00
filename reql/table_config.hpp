// The configuration objects of databases and tables, as config_changes and table_config show them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "datum/datum.hpp"
#include "reql/engine.hpp"
#include "reql/table.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// This server as rows refer to it: by its name or its id.
Datum server_as(const Engine& engine, IdentifierFormat format);
/// {id, name}
Datum db_config(const storage::DbInfo& db);
/// {id, db, name, primary_key, durability, indexes, shards, write_acks, write_hook}. `format` is for the database and servers.
Datum table_config(const Engine& engine, const std::string& db_name, const storage::TableInfo& table,
                   IdentifierFormat format = IdentifierFormat::kName);
/// How many shards the table was asked to have.
std::int64_t shard_count(const storage::TableInfo& table);
/// {id, db, name, raft_leader, shards, status}
Datum table_status(const Engine& engine, const std::string& db_name, const storage::TableInfo& table, bool all_replicas_ready,
                   IdentifierFormat format = IdentifierFormat::kName);
/// {config_changes: [{old_val, new_val}], <counter>: <count>}
Datum config_change(const Datum& old_val, const Datum& new_val, std::string_view counter, double count = 1);

}  // namespace reqld::reql
