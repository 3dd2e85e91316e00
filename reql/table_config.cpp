#include "reql/table_config.hpp"

#include "reql/print.hpp"

namespace reqld::reql {

Datum server_as(const Engine& engine, IdentifierFormat format) {
  return Datum::string(format == IdentifierFormat::kName ? engine.options().server_name : engine.options().server_id);
}

Datum db_config(const storage::DbInfo& db) {
  ObjectBuilder out;
  out.set("id", Datum::string(db.id));
  out.set("name", Datum::string(db.name));
  return out.finish();
}

std::int64_t shard_count(const storage::TableInfo& table) {
  if (!table.settings.is(Type::kObject)) return 1;
  const auto shards = table.settings.get("shards");
  return shards ? shards->as_integer() : 1;
}

namespace {

// This process is the whole cluster: every shard is here.
Datum repeated(const Datum& shard, const storage::TableInfo& table) {
  ArrayBuilder shards;
  for (std::int64_t i = shard_count(table); i > 0; --i) shards.add(shard);
  return shards.finish();
}

}  // namespace

Datum table_status(const Engine& engine, const std::string& db_name, const storage::TableInfo& table, bool all_replicas_ready,
                   IdentifierFormat format) {
  const Datum server = server_as(engine, format);
  ObjectBuilder replica;
  replica.set("server", server);
  replica.set("state", Datum::string("ready"));
  ObjectBuilder shard;
  shard.set("primary_replicas", Datum::array({server}));
  shard.set("replicas", Datum::array({replica.finish()}));
  ObjectBuilder status;
  status.set("all_replicas_ready", Datum::boolean(all_replicas_ready));
  for (const char* name : {"ready_for_outdated_reads", "ready_for_reads", "ready_for_writes"}) {
    status.set(name, Datum::boolean(true));
  }
  ObjectBuilder out;
  out.set("id", Datum::string(table.id));
  out.set("db", Datum::string(format == IdentifierFormat::kName ? db_name : table.db_id));
  out.set("name", Datum::string(table.name));
  out.set("raft_leader", server_as(engine, IdentifierFormat::kName));  // as recorded
  out.set("shards", repeated(shard.finish(), table));
  out.set("status", status.finish());
  return out.finish();
}

Datum table_config(const Engine& engine, const std::string& db_name, const storage::TableInfo& table, IdentifierFormat format) {
  ObjectBuilder out;
  out.set("id", Datum::string(table.id));
  out.set("db", Datum::string(format == IdentifierFormat::kName ? db_name : table.db_id));
  out.set("name", Datum::string(table.name));
  out.set("primary_key", Datum::string(table.primary_key));
  out.set("durability", Datum::string(table.durability == storage::Durability::kHard ? "hard" : "soft"));
  ArrayBuilder indexes;
  for (const auto& [name, index] : table.indexes) indexes.add(Datum::string(name));
  out.set("indexes", indexes.finish());
  const Datum server = server_as(engine, format);
  ObjectBuilder shard;
  shard.set("primary_replica", server);
  shard.set("replicas", Datum::array({server}));
  shard.set("nonvoting_replicas", Datum::empty_array());
  out.set("shards", repeated(shard.finish(), table));
  Datum acks = Datum::string("majority");
  if (table.settings.is(Type::kObject)) {
    if (auto set = table.settings.get("write_acks")) acks = *set;
  }
  out.set("write_acks", acks);
  // Not in RethinkDB's configurations: only where it was set.
  if (table.settings.is(Type::kObject)) {
    if (auto set = table.settings.get("change_log")) out.set("change_log", *set);
  }
  out.set("write_hook", describe_write_hook(table.write_hook));
  return out.finish();
}

Datum config_change(const Datum& old_val, const Datum& new_val, std::string_view counter, double count) {
  ObjectBuilder change;
  change.set("old_val", old_val);
  change.set("new_val", new_val);
  ObjectBuilder out;
  out.set("config_changes", Datum::array({change.finish()}));
  out.set(counter, Datum::number(count));
  return out.finish();
}

}  // namespace reqld::reql
