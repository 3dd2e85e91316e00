#include "storage/tables/records.hpp"

#include <algorithm>
#include <random>

#include "datum/key_codec.hpp"
#include "storage/tables/change_log.hpp"

namespace reqld::storage {

namespace {

[[noreturn]] void throw_damaged(const std::string& what) {
  throw StorageError({ErrorKind::kCorrupt, "The catalog's record of " + what + " is damaged."});
}

std::string catalog_key(char kind, std::string_view a, std::string_view b = {}) {
  std::string key = space_key(kCatalogSpace);
  key.push_back(kind);
  key.append(a);
  key.append(b);
  return key;
}

Datum decode_object(std::string_view record, const std::string& what) {
  if (!validate_encoding(record)) throw_damaged(what);
  Datum d = Datum::from_encoded(record);
  if (d.type() != Type::kObject) throw_damaged(what);
  return d;
}

// Runs `read`, which may find a field missing or of another type.
template <typename F>
void read_fields(const std::string& what, F read) {
  try {
    read();
  } catch (const DatumError&) {
    throw_damaged(what);
  } catch (const std::bad_optional_access&) {
    throw_damaged(what);
  }
}

std::string text(const Datum& object, std::string_view field) {
  const Datum value = object.get(field).value();
  return std::string(value.as_string());
}

}  // namespace

Uuid make_uuid() {
  std::random_device random;
  static constexpr char kHex[] = "0123456789abcdef";
  Uuid id;
  for (int i = 0; i < 16; ++i) {
    unsigned byte = random() & 0xff;
    if (i == 6) byte = (byte & 0x0f) | 0x40;
    if (i == 8) byte = (byte & 0x3f) | 0x80;
    if (i == 4 || i == 6 || i == 8 || i == 10) id.push_back('-');
    id.push_back(kHex[byte >> 4]);
    id.push_back(kHex[byte & 15]);
  }
  return id;
}

std::string db_record_key(const Uuid& db) {
  return catalog_key('d', db);
}
std::string db_name_key(std::string_view name) {
  return catalog_key('D', name);
}
std::string table_record_key(const Uuid& table) {
  return catalog_key('t', table);
}
std::string table_name_key(const Uuid& db, std::string_view name) {
  return catalog_key('T', db, name);
}
std::string index_record_key(const Uuid& table, const Uuid& index) {
  return catalog_key('i', table, index);
}
std::string index_record_prefix(const Uuid& table) {
  return catalog_key('i', table);
}
std::string db_record_prefix() {
  return catalog_key('d', {});
}
std::string table_record_prefix() {
  return catalog_key('t', {});
}
std::string table_name_prefix(const Uuid& db) {
  return catalog_key('T', db);
}

std::string head_key(std::uint32_t space) {
  std::string key = space_key(kHeadSpace);
  append_u32(space, key);
  return key;
}

std::string task_key(char kind, std::uint32_t space) {
  std::string key = space_key(kTaskSpace);
  key.push_back(kind);
  append_u32(space, key);
  return key;
}

std::string encode_db(const DbInfo& db) {
  ObjectBuilder o;
  o.set("name", Datum::string(db.name));
  return o.finish().encoded();
}

std::string encode_table(const TableInfo& table) {
  ObjectBuilder o;
  o.set("db", Datum::string(table.db_id));
  o.set("name", Datum::string(table.name));
  o.set("primary_key", Datum::string(table.primary_key));
  o.set("durability", Datum::string(table.durability == Durability::kHard ? "hard" : "soft"));
  o.set("space", Datum::integer(table.space));
  o.set("write_hook", table.write_hook);
  o.set("settings", table.settings);
  return o.finish().encoded();
}

std::string encode_index(const IndexInfo& index) {
  ObjectBuilder o;
  o.set("name", Datum::string(index.name));
  o.set("space", Datum::integer(index.space));
  o.set("multi", Datum::boolean(index.multi));
  o.set("geo", Datum::boolean(index.geo));
  o.set("ready", Datum::boolean(index.ready));
  o.set("definition", index.definition);
  return o.finish().encoded();
}

DbInfo decode_db(const Uuid& id, std::string_view record) {
  const std::string what = "database " + id;
  const Datum d = decode_object(record, what);
  DbInfo db;
  db.id = id;
  read_fields(what, [&] { db.name = text(d, "name"); });
  return db;
}

TableInfo decode_table(const Uuid& id, std::string_view record) {
  const std::string what = "table " + id;
  const Datum d = decode_object(record, what);
  TableInfo table;
  table.id = id;
  read_fields(what, [&] {
    table.db_id = text(d, "db");
    table.name = text(d, "name");
    table.primary_key = text(d, "primary_key");
    table.durability = text(d, "durability") == "soft" ? Durability::kSoft : Durability::kHard;
    table.space = static_cast<std::uint32_t>(d.get("space").value().as_integer());
    table.write_hook = d.get("write_hook").value().compact();
    table.settings = d.get("settings").value().compact();
  });
  return table;
}

IndexInfo decode_index(const Uuid& id, std::string_view record) {
  const std::string what = "index " + id;
  const Datum d = decode_object(record, what);
  IndexInfo index;
  index.id = id;
  read_fields(what, [&] {
    index.name = text(d, "name");
    index.space = static_cast<std::uint32_t>(d.get("space").value().as_integer());
    index.multi = d.get("multi").value().as_bool();
    index.geo = d.get("geo").value().as_bool();
    index.ready = d.get("ready").value().as_bool();
    index.definition = d.get("definition").value().compact();
  });
  return index;
}

std::string encode_build_task(const BuildTask& task) {
  std::string out = task.table + task.index;
  append_u64(task.rows, out);
  return out + task.next;
}

BuildTask decode_build_task(std::string_view record) {
  if (record.size() < 2 * kUuidBytes + 8) throw_damaged("an index build");
  return {.table = Uuid(record.substr(0, kUuidBytes)),
          .index = Uuid(record.substr(kUuidBytes, kUuidBytes)),
          .rows = load_u64(record.substr(2 * kUuidBytes)),
          .next = std::string(record.substr(2 * kUuidBytes + 8))};
}

std::unique_ptr<Cursor> View::prefix(const std::string& prefix) const {
  return cursor({prefix, prefix_successor(prefix)});
}

void SharedParts::complete(IndexInfo& index) {
  {
    std::lock_guard lock(mutex_);
    IndexPart& part = indexes_[index.id];
    if (index.function) part.function = index.function;
    index.built_rows = part.built_rows;
    index.dropped = part.dropped;
    if (part.function || !factory_) {
      index.function = part.function;
      return;
    }
  }
  try {
    index.function = factory_(index.definition);
  } catch (const std::exception&) {
    // Stays null: writes to the table then say so, and the index can still be dropped.
  }
  std::lock_guard lock(mutex_);
  indexes_[index.id].function = index.function;
}

void SharedParts::complete(TableInfo& table) {
  table.change_log = change_log_of(table.settings, change_log_);
  std::lock_guard lock(mutex_);
  const TablePart& part = tables_[table.id];
  table.dropped = part.dropped;
  table.activity = part.activity;
}

void SharedParts::drop_index(const Uuid& id) {
  std::lock_guard lock(mutex_);
  const auto it = indexes_.find(id);
  if (it == indexes_.end()) return;
  it->second.dropped->store(true, std::memory_order_release);
  indexes_.erase(it);
}

void SharedParts::drop_table(const Uuid& id) {
  std::lock_guard lock(mutex_);
  const auto it = tables_.find(id);
  if (it == tables_.end()) return;
  it->second.dropped->store(true, std::memory_order_release);
  dropped_activity_ += it->second.activity->counts();
  tables_.erase(it);
}

RowCounts SharedParts::activity() {
  std::lock_guard lock(mutex_);
  RowCounts sum = dropped_activity_;
  for (const auto& [id, part] : tables_) sum += part.activity->counts();
  return sum;
}

std::shared_ptr<const DbInfo> load_db(const View& view, const Uuid& id) {
  const auto record = view.get(db_record_key(id));
  if (!record) return nullptr;
  return std::make_shared<const DbInfo>(decode_db(id, *record));
}

std::shared_ptr<const TableInfo> load_table(const View& view, const Uuid& id, SharedParts& parts) {
  const auto record = view.get(table_record_key(id));
  if (!record) return nullptr;
  auto table = std::make_shared<TableInfo>(decode_table(id, *record));
  parts.complete(*table);
  const std::string prefix = index_record_prefix(id);
  for (auto c = view.prefix(prefix); c->valid(); c->next()) {
    auto index =
        std::make_shared<IndexInfo>(decode_index(std::string(c->key().substr(prefix.size())), c->value()));
    parts.complete(*index);
    table->indexes.emplace(index->name, std::move(index));
  }
  return table;
}

std::shared_ptr<const Catalog> load_catalog(const View& view, SharedParts& parts) {
  auto catalog = std::make_shared<Catalog>();
  const std::string dbs = db_record_prefix();
  for (auto c = view.prefix(dbs); c->valid(); c->next()) {
    auto db = std::make_shared<const DbInfo>(decode_db(std::string(c->key().substr(dbs.size())), c->value()));
    catalog->dbs.emplace(db->name, std::move(db));
  }
  std::vector<Uuid> ids;
  const std::string prefix = table_record_prefix();
  for (auto c = view.prefix(prefix); c->valid(); c->next()) ids.emplace_back(c->key().substr(prefix.size()));
  std::vector<TableSet::Table> tables;
  for (const Uuid& id : ids) {
    tables.push_back(load_table(view, id, parts));
    if (!tables.back()) throw StorageError({ErrorKind::kCorrupt, "The catalog changed while it was read."});
  }
  catalog->tables = TableSet(std::move(tables));
  return catalog;
}

const DbInfo* Catalog::db(const std::string& name) const {
  const auto it = dbs.find(name);
  return it == dbs.end() ? nullptr : it->second.get();
}

const DbInfo* Catalog::db_by_id(std::string_view id) const {
  const auto it = std::find_if(dbs.begin(), dbs.end(), [&](const auto& entry) { return entry.second->id == id; });
  return it == dbs.end() ? nullptr : it->second.get();
}

std::shared_ptr<const TableInfo> Catalog::table(const DbInfo& db, const std::string& name) const {
  return tables.by_name(db.id, name);
}

}  // namespace reqld::storage
