// Databases, tables and indexes come, change and go: each change is one job on the writer thread.
#include "storage/tables/change_log.hpp"
#include "storage/tables/database_impl.hpp"

namespace reqld::storage {

namespace {

constexpr const char* kReservedDb = "rethinkdb";  // reql answers for it

Error not_found(const std::string& what) {
  return {ErrorKind::kNotFound, what + " does not exist."};
}
Error exists(const std::string& what) {
  return {ErrorKind::kExists, what + " already exists."};
}

Result<void> check_name(const std::string& name) {
  if (name.empty()) return Error{ErrorKind::kInvalid, "A name may not be empty."};
  if (name.size() > kMaxNameBytes)
    return Error{ErrorKind::kInvalid, "A name may have at most " + std::to_string(kMaxNameBytes) + " bytes."};
  return {};
}

Result<void> check_new_db_name(WriteTxn& txn, const std::string& name) {
  if (Result<void> checked = check_name(name); !checked) return checked;
  if (name == kReservedDb || txn.get(db_name_key(name))) return exists("Database `" + name + "`");
  return {};
}

std::uint32_t take_space(WriteTxn& txn) {
  const std::string key = space_key(kMetaSpace, kMetaNextSpace);
  const auto stored = txn.get(key);
  const std::uint32_t space = stored ? load_u32(*stored) : static_cast<std::uint32_t>(kFirstFreeSpace);
  std::string next;
  append_u32(space + 1, next);
  txn.put(key, next);
  return space;
}

std::shared_ptr<const IndexInfo> find_index(const TableInfo& table, const std::string& name) {
  const auto it = table.indexes.find(name);
  return it == table.indexes.end() ? nullptr : it->second;
}

}  // namespace

void DatabaseImpl::change_catalog(CatalogChangeJob job, Done done) {
  submit_inner(
      [job = std::move(job)](JobWriter& writer, JobOutcome& outcome) { return job(writer.txn(), outcome); },
      Durability::kHard, std::move(done));
}

Result<std::shared_ptr<const TableInfo>> DatabaseImpl::find_table(WriteTxn& txn, const Uuid& table) {
  std::shared_ptr<const TableInfo> found = load_table(View(txn), table, parts_);
  if (!found) return not_found("Table " + table);
  return found;
}

void DatabaseImpl::touch_table(WriteTxn& txn, const TableInfo& table, JobOutcome& outcome) {
  const std::string key = head_key(table.space);
  TableHead head;
  if (const auto record = txn.get(key)) head = decode_head(*record);
  head.stamp = next_stamp_++;
  txn.put(key, encode_head(head));
  outcome.tables.push_back(table.id);
}

void DatabaseImpl::create_db(DbInfo db, Done done) {
  if (db.id.empty()) db.id = make_uuid();
  change_catalog(
      [db = std::move(db)](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        if (Result<void> checked = check_new_db_name(txn, db.name); !checked) return checked;
        if (txn.get(db_record_key(db.id))) return exists("Database " + db.id);
        txn.put(db_record_key(db.id), encode_db(db));
        txn.put(db_name_key(db.name), db.id);
        outcome.dbs.push_back(db.id);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::drop_db(const Uuid& id, Done done) {
  change_catalog(
      [this, id](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto db = load_db(View(txn), id);
        if (!db) return not_found("Database " + id);
        std::vector<Uuid> tables;
        for (auto c = View(txn).prefix(table_name_prefix(id)); c->valid(); c->next())
          tables.emplace_back(c->value());
        for (const Uuid& table : tables) {
          const auto found = find_table(txn, table);
          if (!found) return found.error();
          drop_table_records(txn, **found, outcome);
        }
        txn.del(db_record_key(id));
        txn.del(db_name_key(db->name));
        outcome.dbs.push_back(id);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::rename_db(const Uuid& id, const std::string& name, Done done) {
  change_catalog(
      [id, name](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto old = load_db(View(txn), id);
        if (!old) return not_found("Database " + id);
        if (old->name == name) return {};
        if (Result<void> checked = check_new_db_name(txn, name); !checked) return checked;
        txn.del(db_name_key(old->name));
        txn.put(db_record_key(id), encode_db({.id = id, .name = name}));
        txn.put(db_name_key(name), id);
        outcome.dbs.push_back(id);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::create_table(const Uuid& db, TableInfo table, Done done) {
  if (table.id.empty()) table.id = make_uuid();
  table.db_id = db;
  table.indexes.clear();
  change_catalog(
      [this, made = std::move(table)](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        TableInfo info = made;
        if (Result<void> checked = check_name(info.name); !checked) return checked;
        if (!txn.get(db_record_key(info.db_id))) return not_found("Database " + info.db_id);
        const std::string name_key = table_name_key(info.db_id, info.name);
        if (txn.get(name_key)) return exists("Table `" + info.name + "`");
        if (txn.get(table_record_key(info.id))) return exists("Table " + info.id);
        info.space = take_space(txn);
        txn.put(table_record_key(info.id), encode_table(info));
        txn.put(name_key, info.id);
        if (change_log_of(info.settings, options_.change_log)) start_log(txn, info.space);
        touch_table(txn, info, outcome);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::drop_index_records(WriteTxn& txn, const TableInfo& table, const IndexInfo& index) {
  txn.del(index_record_key(table.id, index.id));
  txn.del(task_key(kTaskBuild, index.space));
  txn.put(task_key(kTaskDropIndex, index.space), {});
}

void DatabaseImpl::drop_table_records(WriteTxn& txn, const TableInfo& table, JobOutcome& outcome) {
  for (const auto& [name, index] : table.indexes) drop_index_records(txn, table, *index);
  txn.del(table_record_key(table.id));
  txn.del(table_name_key(table.db_id, table.name));
  txn.del(head_key(table.space));
  txn.put(task_key(kTaskDropRows, table.space), {});
  drop_log(txn, table.space, outcome);
  outcome.tables.push_back(table.id);
  outcome.background = true;
}

void DatabaseImpl::drop_table(const Uuid& table, Done done) {
  change_catalog(
      [this, table](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto found = find_table(txn, table);
        if (!found) return found.error();
        drop_table_records(txn, **found, outcome);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::alter_table(const Uuid& table, std::function<Result<void>(TableInfo&)> change, Done done) {
  change_catalog(
      [this, table, change = std::move(change)](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto found = find_table(txn, table);
        if (!found) return found.error();
        const TableInfo& old = **found;
        TableInfo wanted = old;
        if (Result<void> changed = change(wanted); !changed) return changed;
        TableInfo now = old;
        now.db_id = wanted.db_id;
        now.name = wanted.name;
        now.primary_key = wanted.primary_key;
        now.durability = wanted.durability;
        now.write_hook = wanted.write_hook;
        now.settings = wanted.settings;
        if (now.primary_key != old.primary_key) {
          const auto head = txn.get(head_key(old.space));
          if (head && decode_head(*head).rows > 0)
            return Error{ErrorKind::kInvalid, "The primary key of a table that has rows cannot be changed."};
        }
        if (now.name != old.name || now.db_id != old.db_id) {
          if (!txn.get(db_record_key(now.db_id))) return Error{ErrorKind::kNotFound, "The database does not exist."};
          if (Result<void> checked = check_name(now.name); !checked) return checked;
          const std::string name_key = table_name_key(now.db_id, now.name);
          if (txn.get(name_key)) return exists("Table `" + now.name + "`");
          txn.del(table_name_key(old.db_id, old.name));
          txn.put(name_key, now.id);
        }
        txn.put(table_record_key(now.id), encode_table(now));
        const bool log = change_log_of(now.settings, options_.change_log).has_value();
        if (log && !old.change_log) start_log(txn, now.space);
        if (!log && old.change_log) drop_log(txn, now.space, outcome);
        touch_table(txn, now, outcome);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::create_index(const Uuid& table, IndexInfo index, Done done) {
  if (index.id.empty()) index.id = make_uuid();
  index.ready = false;
  parts_.complete(index);
  if (!index.function) {
    parts_.drop_index(index.id);
    if (done) done(Error{ErrorKind::kInvalid, "The function of index `" + index.name + "` cannot be made."});
    return;
  }
  change_catalog(
      [this, table, made = std::move(index)](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto found = find_table(txn, table);
        if (!found) return found.error();
        if (find_index(**found, made.name)) return exists("Index `" + made.name + "`");
        IndexInfo info = made;
        info.space = take_space(txn);
        const auto head = txn.get(head_key((*found)->space));
        info.ready = head && decode_head(*head).rows == 0;
        txn.put(index_record_key(table, info.id), encode_index(info));
        if (!info.ready) {
          txn.put(task_key(kTaskBuild, info.space),
                  encode_build_task({.table = table, .index = info.id, .rows = 0, .next = {}}));
          outcome.background = true;
        }
        touch_table(txn, **found, outcome);
        return {};
      },
      std::move(done));
}

void DatabaseImpl::drop_index(const Uuid& table, const std::string& name, Done done) {
  change_catalog(
      [this, table, name](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto found = find_table(txn, table);
        if (!found) return found.error();
        const auto index = find_index(**found, name);
        if (!index) return not_found("Index `" + name + "`");
        drop_index_records(txn, **found, *index);
        touch_table(txn, **found, outcome);
        outcome.background = true;
        return {};
      },
      std::move(done));
}

void DatabaseImpl::rename_index(const Uuid& table, const std::string& from, const std::string& to,
                                bool overwrite, Done done) {
  change_catalog(
      [this, table, from, to, overwrite](WriteTxn& txn, JobOutcome& outcome) -> Result<void> {
        const auto found = find_table(txn, table);
        if (!found) return found.error();
        const auto index = find_index(**found, from);
        if (!index) return not_found("Index `" + from + "`");
        if (from == to) return {};
        if (const auto other = find_index(**found, to)) {
          if (!overwrite) return exists("Index `" + to + "`");
          drop_index_records(txn, **found, *other);
          outcome.background = true;
        }
        IndexInfo renamed = *index;
        renamed.name = to;
        txn.put(index_record_key(table, renamed.id), encode_index(renamed));
        touch_table(txn, **found, outcome);
        return {};
      },
      std::move(done));
}

}  // namespace reqld::storage
