// server_config and cluster_config: what may be set of the server. Each has the one row that it always has.

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/names.hpp"
#include "reql/server_settings.hpp"
#include "reql/system_tables/config_row.hpp"
#include "reql/system_tables/system_table.hpp"

namespace reqld::reql {

namespace {

Datum setting_or(Context& cx, const std::string& name, Datum otherwise) {
  auto set = find_setting(cx.database(), name);
  return set ? std::move(*set) : std::move(otherwise);
}

// A table of one row whose fields, but for its id, are settings.
class SettingsTable : public SystemTable {
 public:
  using SystemTable::SystemTable;

  RowOutcome write_row(Context& cx, const Datum& key, bool, const RowFunction& compute) override {
    RowOutcome outcome;
    outcome.old_row = get(cx, key);
    outcome.new_row = compute(cx, outcome.old_row);
    const Datum& row = outcome.new_row;
    if (row == outcome.old_row) return outcome;
    if (outcome.old_row.is_null()) throw_logic("It's illegal to insert new rows into the `rethinkdb." + name() + "` table.");
    if (row.is_null()) throw_logic("It's illegal to delete rows from the `rethinkdb." + name() + "` table.");
    check_fields(name(), outcome.old_row, row, {"id"});
    for (std::size_t i = 0; i < outcome.old_row.object_size(); ++i) {
      required_field(name(), row, outcome.old_row.name_at(i));
    }
    // All of them, before any is stored.
    for (const bool store : {false, true}) {
      for (std::size_t i = 0; i < row.object_size(); ++i) {
        const std::string setting(row.name_at(i));
        const Datum value = row.value_at(i);
        if (value == *outcome.old_row.get(setting)) continue;
        if (store) {
          store_setting(cx, setting, value);
        } else {
          check(cx, setting, value);
        }
      }
    }
    cx.engine().options().server_name.reload(cx.database());
    cx.engine().feeds().system_table_changed();
    return outcome;
  }

 private:
  /// Throws unless the setting may have this value.
  virtual void check(Context& cx, const std::string& setting, const Datum& value) const = 0;
};

class ServerConfigTable : public SettingsTable {
 public:
  explicit ServerConfigTable(IdentifierFormat format) : SettingsTable("server_config", format) {}

 protected:
  std::vector<Datum> rows(Context& cx) override {
    const EngineOptions& options = cx.engine().options();
    ObjectBuilder row;
    row.set("id", Datum::string(options.server_id));
    row.set("name", Datum::string(std::string(options.server_name)));
    row.set("tags", setting_or(cx, "tags", Datum::array({Datum::string("default")})));
    row.set("cache_size_mb", setting_or(cx, "cache_size_mb", Datum::string("auto")));
    return {row.finish()};
  }

 private:
  // A pebibyte; and the first number of megabytes whose bytes 64 bits do not hold.
  static constexpr double kMostCacheMb = 1 << 30;
  static constexpr double kBeyondNumbersMb = 1ull << 44;

  void check(Context& cx, const std::string& setting, const Datum& value) const override {
    if (setting == "name") {
      check_name("Server", text(setting, value));
    } else if (setting == "tags") {
      check_tags(value);
    } else {
      check_cache_size(cx, value);
    }
  }

  std::string text(const std::string& setting, const Datum& value) const {
    if (!value.is(Type::kString)) wrong_format(name(), "In `" + setting + "`: Expected a string; got " + to_pretty_json(value));
    return std::string(value.as_string());
  }

  void check_tags(const Datum& tags) const {
    if (!tags.is(Type::kArray)) wrong_format(name(), "In `tags`: Expected an array, got " + to_pretty_json(tags));
    for (std::size_t i = 0; i < tags.array_size(); ++i) {
      const std::string tag = text("tags", tags.at(i));
      check_name("Server tag", tag);
      for (std::size_t j = 0; j < i; ++j) {
        if (tags.at(j) == tags.at(i)) wrong_format(name(), "In `tags`: The tag `" + tag + "` is there twice.");
      }
    }
  }

  void check_cache_size(Context& cx, const Datum& size) const {
    if (size == Datum::string("auto")) return;
    if (!size.is(Type::kNumber) || size.as_number() < 0 || size.as_number() >= kBeyondNumbersMb) {
      wrong_format(name(), "In `cache_size_mb`: Expected \"auto\" or a number of megabytes, got " + to_pretty_json(size));
    }
    if (size.as_number() > kMostCacheMb) {
      throw_op_failed("Error when trying to change the configuration of server `" + std::string(cx.engine().options().server_name) +
                      "`: A cache of " + to_pretty_json(size) + " MB is too large.");
    }
  }
};

class ClusterConfigTable : public SettingsTable {
 public:
  explicit ClusterConfigTable(IdentifierFormat format) : SettingsTable("cluster_config", format) {}

 protected:
  std::vector<Datum> rows(Context& cx) override {
    ObjectBuilder row;
    row.set("id", Datum::string("heartbeat"));
    row.set("heartbeat_timeout_secs", setting_or(cx, "heartbeat_timeout_secs", Datum::number(10)));
    return {row.finish()};
  }

 private:
  void check(Context&, const std::string& setting, const Datum& value) const override {
    if (value.is(Type::kNumber) && value.as_number() >= 2) return;
    wrong_format(name(), "In `" + setting + "`: Expected a number of at least 2; got " + to_pretty_json(value));
  }
};

}  // namespace

Ref<Table> make_server_config_table(IdentifierFormat format) { return make_ref<ServerConfigTable>(format); }
Ref<Table> make_cluster_config_table(IdentifierFormat format) { return make_ref<ClusterConfigTable>(format); }

}  // namespace reqld::reql
