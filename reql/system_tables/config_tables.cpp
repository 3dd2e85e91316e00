// db_config and table_config: what exists, and how it is set up. A row that is inserted makes a database or table.

#include "datum/json.hpp"
#include "reql/creation.hpp"
#include "reql/error.hpp"
#include "reql/names.hpp"
#include "reql/permissions.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/config_row.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"
#include "reql/value.hpp"

namespace reqld::reql {

namespace {

void check(const storage::Result<storage::Sequence>& result) {
  if (!result) throw_storage_error(result.error());
}

[[noreturn]] void refuse_given_key(const std::string& what, const std::string& table) {
  throw_logic("If you want to create a new " + what + " by inserting into `rethinkdb." + table +
              "`, you must use an auto-generated primary key.");
}

class DbConfigTable : public SystemTable {
 public:
  explicit DbConfigTable(IdentifierFormat format) : SystemTable("db_config", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute) override {
    RowOutcome outcome;
    outcome.old_row = get(cx, key);
    outcome.new_row = compute(cx, outcome.old_row);
    storage::Database& database = cx.database();
    if (outcome.old_row.is_null() && outcome.new_row.is_null()) return outcome;
    if (outcome.old_row.is_null()) {
      if (!key_generated) refuse_given_key("database", name());
      create(cx, outcome.new_row);
      return outcome;
    }
    const std::string id(key.as_string());
    require(cx, Permission::kConfig, {id, {}});
    if (outcome.new_row.is_null()) {
      check(await_storage(cx, [&](auto done) { database.drop_db(id, std::move(done)); }));
      return outcome;
    }
    check_fields(name(), outcome.old_row, outcome.new_row, {"id"});
    const std::string new_name = text_field(name(), outcome.new_row, "name");
    check_name("Database", new_name);
    if (new_name == text_field(name(), outcome.old_row, "name")) return outcome;
    if (new_name == kSystemDatabase || database.catalog()->db(new_name)) {
      throw_logic("Cannot rename database to `" + new_name + "` because database `" + new_name + "` already exists.");
    }
    check(await_storage(cx, [&](auto done) { database.rename_db(id, new_name, std::move(done)); }));
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) out.push_back(db_config(*db));
    return out;
  }

 private:
  void create(Context& cx, const Datum& row) const {
    storage::DbInfo db;
    db.id = text_field(name(), row, "id");
    check_fields(name(), db_config(db), row, {"id"});
    db.name = text_field(name(), row, "name");
    check_name("Database", db.name);
    create_database(cx, db);
  }
};

class TableConfigTable : public SystemTable {
 public:
  explicit TableConfigTable(IdentifierFormat format) : SystemTable("table_config", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute) override {
    RowOutcome outcome;
    outcome.old_row = get(cx, key);
    outcome.new_row = compute(cx, outcome.old_row);
    if (outcome.old_row.is_null() && outcome.new_row.is_null()) return outcome;
    if (outcome.old_row.is_null()) {
      if (!key_generated) refuse_given_key("table", name());
      outcome.new_row = create(cx, outcome.new_row);
      return outcome;
    }
    const std::string id(key.as_string());
    const auto catalog = cx.database().catalog();
    const auto present = catalog->tables.by_id(id);
    if (!present) throw_op_failed("The table does not exist any more.");
    require(cx, Permission::kConfig, {present->db_id, id});
    if (outcome.new_row.is_null()) {
      check(await_storage(cx, [&](auto done) { cx.database().drop_table(id, std::move(done)); }));
      return outcome;
    }
    outcome.new_row = with_whole_shards(outcome.new_row);
    const Datum& row = outcome.new_row;
    check_fixed(outcome.old_row, row, {"id", "primary_key", "indexes"});
    const Choices choices = read_choices(cx, outcome.old_row, row);
    if (choices.db_id != present->db_id) require(cx, Permission::kConfig, {choices.db_id, {}});
    if (choices.name != present->name || choices.db_id != present->db_id) check_free(cx, *present, choices.db_id, choices.name);
    check(await_storage(cx, [&](auto done) {
      cx.database().alter_table(
          id,
          [&](storage::TableInfo& table) -> storage::Result<void> {
            choices.apply(table);
            return {};
          },
          std::move(done));
    }));
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) {
      for (const auto& table : catalog->tables.of_database(db->id)) {
        out.push_back(table_config(cx.engine(), name, *table, format()));
      }
    }
    return out;
  }

 private:
  /// Makes the table of a row that leaves out what is to be as it is by default, and answers the whole row.
  Datum create(Context& cx, const Datum& row) const {
    storage::TableInfo plain;
    plain.id = text_field(name(), row, "id");
    const Datum defaults = table_config(cx.engine(), {}, plain, format());
    ObjectBuilder whole(defaults);
    whole.erase("name");
    whole.erase("db");
    for (std::size_t i = 0; i < row.object_size(); ++i) whole.set(row.name_at(i), row.value_at(i));
    const Datum filled = with_whole_shards(whole.finish());
    check_fixed(defaults, filled, {"id", "indexes"});
    plain.primary_key = text_field(name(), filled, "primary_key");
    storage::TableInfo table = plain;
    read_choices(cx, defaults, filled).apply(table);
    const auto catalog = cx.database().catalog();
    const storage::DbInfo* const db = catalog->db_by_id(table.db_id);
    if (db == nullptr) throw_op_failed("The database does not exist any more.");
    create_table(cx, *db, table);
    return filled;
  }

  void check_fixed(const Datum& old_row, const Datum& row, std::initializer_list<std::string_view> read_only) const {
    const auto hook = row.get("write_hook");
    if (!hook || !(*hook == *old_row.get("write_hook"))) {
      wrong_format(name(), "The `write_hook` field is read-only and can't be used to create or drop a write hook function.");
    }
    check_fields(name(), old_row, row, read_only, {"change_log"});
  }

  /// What of a table's row may be chosen.
  struct Choices {
    std::string name;
    storage::Uuid db_id;
    storage::Durability durability;
    std::string write_acks;
    std::size_t shards;
    std::optional<Datum> change_log;

    void apply(storage::TableInfo& table) const {
      table.db_id = db_id;
      table.name = name;
      table.durability = durability;
      ObjectBuilder settings = table.settings.is(Type::kObject) ? ObjectBuilder(table.settings) : ObjectBuilder();
      settings.set("write_acks", Datum::string(write_acks));
      settings.set("shards", Datum::integer(static_cast<std::int64_t>(shards)));
      if (change_log) {
        settings.set("change_log", *change_log);
      } else {
        settings.erase("change_log");
      }
      table.settings = settings.finish();
    }
  };

  Choices read_choices(Context& cx, const Datum& old_row, const Datum& row) const {
    Choices choices;
    choices.name = text_field(name(), row, "name");
    check_name("Table", choices.name);
    choices.db_id = database_of(cx, text_field(name(), row, "db"));
    const std::string durability = text_field(name(), row, "durability");
    if (durability != "hard" && durability != "soft") {
      wrong_format(name(), "In `durability`: Expected \"hard\" or \"soft\", got \"" + durability + "\".");
    }
    choices.durability = durability == "hard" ? storage::Durability::kHard : storage::Durability::kSoft;
    choices.write_acks = text_field(name(), row, "write_acks");
    if (choices.write_acks != "majority" && choices.write_acks != "single") {
      wrong_format(name(), "In `write_acks`: Expected \"single\" or \"majority\", got \"" + choices.write_acks + "\".");
    }
    choices.shards = read_shards(old_row, row);
    choices.change_log = read_change_log(row);
    return choices;
  }

  /// Shards may leave out `nonvoting_replicas`.
  static Datum with_whole_shards(const Datum& row) {
    const auto shards = row.get("shards");
    if (!shards || !shards->is(Type::kArray)) return row;
    ArrayBuilder whole;
    for (std::size_t i = 0; i < shards->array_size(); ++i) {
      const Datum shard = shards->at(i);
      if (!shard.is(Type::kObject) || shard.get("nonvoting_replicas")) {
        whole.add(shard);
        continue;
      }
      ObjectBuilder builder(shard);
      builder.set("nonvoting_replicas", Datum::empty_array());
      whole.add(builder.finish());
    }
    ObjectBuilder out(row);
    out.set("shards", whole.finish());
    return out.finish();
  }

  // The id of the database that the `db` field names: a table can be moved to another.
  std::string database_of(Context& cx, const std::string& db) const {
    const auto catalog = cx.database().catalog();
    const storage::DbInfo* const found = format() == IdentifierFormat::kName ? catalog->db(db) : catalog->db_by_id(db);
    if (found != nullptr) return found->id;
    if (format() == IdentifierFormat::kUuid) throw_op_failed("There is no database with UUID `" + db + "`.");
    throw_op_failed("Database `" + db + "` does not exist.");
  }

  static void check_free(Context& cx, const storage::TableInfo& table, const std::string& db_id, const std::string& new_name) {
    if (!cx.database().catalog()->tables.by_name(db_id, new_name)) return;
    throw_logic("Can't rename table `" + table.name + "` to `" + new_name + "` because table `" + new_name +
                "` already exists.");
  }

  // How long changes are kept for feeds that resume: `false` not at all, nothing as the server does by default.
  std::optional<Datum> read_change_log(const Datum& row) const {
    const auto set = row.get("change_log");
    if (!set || !truth(*set)) return set && !set->is_null() ? set : std::nullopt;
    if (!set->is(Type::kObject)) wrong_format(name(), "In `change_log`: Expected an object or `false`; got " + to_pretty_json(*set));
    for (std::size_t i = 0; i < set->object_size(); ++i) {
      const std::string field(set->name_at(i));
      if (field != "retention_seconds" && field != "retention_bytes") {
        wrong_format(name(), "In `change_log`: Unexpected key(s) `" + field + "`.");
      }
      const Datum value = set->value_at(i);
      if (!value.is(Type::kNumber) || !(value.as_number() > 0)) {
        wrong_format(name(), "In `change_log`: Expected a positive number in `" + field + "`; got " + to_pretty_json(value));
      }
    }
    return set->compact();
  }

  // Every shard must be as one server can have it; only their number is a choice.
  std::size_t read_shards(const Datum& old_row, const Datum& row) const {
    const auto shards = row.get("shards");
    if (!shards || !shards->is(Type::kArray) || shards->array_size() == 0) {
      wrong_format(name(), "In `shards`: You must specify at least one shard.");
    }
    const Datum shard = old_row.get("shards")->at(0);
    for (std::size_t i = 0; i < shards->array_size(); ++i) {
      if (!(shards->at(i) == shard)) {
        wrong_format(name(), "In `shards`: Every shard has this server as its only replica; got " + to_pretty_json(shards->at(i)));
      }
    }
    return shards->array_size();
  }
};

}  // namespace

Ref<Table> make_db_config_table(IdentifierFormat format) { return make_ref<DbConfigTable>(format); }
Ref<Table> make_table_config_table(IdentifierFormat format) { return make_ref<TableConfigTable>(format); }

}  // namespace reqld::reql
