#include "reql/table_config.hpp"

#include "reql/print.hpp"

namespace reqld::reql {

Datum db_config(const storage::DbInfo& db) {
  ObjectBuilder out;
  out.set("id", Datum::string(db.id));
  out.set("name", Datum::string(db.name));
  return out.finish();
}

namespace {

// This process is the whole cluster: every shard has its one replica here.
Datum shards_config(const Engine& engine, const Datum& settings) {
  std::int64_t count = 1;
  if (settings.is(Type::kObject)) {
    if (const auto shards = settings.get("shards")) count = shards->as_integer();
  }
  const Datum server = Datum::string(engine.options().server_name);
  ObjectBuilder shard;
  shard.set("primary_replica", server);
  shard.set("replicas", Datum::array({server}));
  shard.set("nonvoting_replicas", Datum::empty_array());
  const Datum one = shard.finish();
  ArrayBuilder shards;
  for (std::int64_t i = 0; i < count; ++i) shards.add(one);
  return shards.finish();
}

}  // namespace

Datum table_config(const Engine& engine, const std::string& db_name, const storage::TableInfo& table) {
  ObjectBuilder out;
  out.set("id", Datum::string(table.id));
  out.set("db", Datum::string(db_name));
  out.set("name", Datum::string(table.name));
  out.set("primary_key", Datum::string(table.primary_key));
  out.set("durability", Datum::string(table.durability == storage::Durability::kHard ? "hard" : "soft"));
  ArrayBuilder indexes;
  for (const auto& [name, index] : table.indexes) indexes.add(Datum::string(name));
  out.set("indexes", indexes.finish());
  out.set("shards", shards_config(engine, table.settings));
  Datum acks = Datum::string("majority");
  if (table.settings.is(Type::kObject)) {
    if (auto set = table.settings.get("write_acks")) acks = *set;
  }
  out.set("write_acks", acks);
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
