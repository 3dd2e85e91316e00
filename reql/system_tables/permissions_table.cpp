// permissions: who may do what where. The primary key is [user], [user, database id] or [user, database id, table id].

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/permissions.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/users.hpp"

namespace reqld::reql {

namespace {

bool is_uuid(const Datum& d) {
  if (!d.is(Type::kString)) return false;
  const std::string_view s = d.as_string();
  if (s.size() != 36) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f') || (s[i] >= 'A' && s[i] <= 'F');
    if (dash ? s[i] != '-' : !hex) return false;
  }
  return true;
}

Datum key_of(const Grant& grant) {
  std::vector<Datum> parts{Datum::string(grant.user)};
  if (!grant.scope.database.empty()) parts.push_back(Datum::string(grant.scope.database));
  if (!grant.scope.table.empty()) parts.push_back(Datum::string(grant.scope.table));
  return Datum::array(parts);
}

class PermissionsTable : public SystemTable {
 public:
  explicit PermissionsTable(IdentifierFormat format) : SystemTable("permissions", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute) override {
    RowOutcome outcome;
    outcome.old_row = get(cx, key);
    outcome.new_row = compute(cx, outcome.old_row);
    const bool of_admin = key.is(Type::kArray) && key.array_size() > 0 && key.at(0) == Datum::string(kAdmin);
    if (of_admin) throw_logic("The permissions of the user `admin` can't be modified.");
    if (outcome.old_row.is_null() && outcome.new_row.is_null()) return outcome;
    if (key_generated) throw_logic("You must specify a primary key.");
    Grant grant = read_key(cx, key, !outcome.old_row.is_null());
    if (outcome.new_row.is_null()) {
      grant.permissions = Datum::empty_object();
      store_grant(cx, grant);
      return outcome;
    }
    const Datum change = read_row(cx, grant, outcome.new_row);
    const Datum present = outcome.old_row.is_null() ? Datum() : *outcome.old_row.get("permissions");
    grant.permissions = merge_permissions(present, change, grant.scope);
    store_grant(cx, grant);
    outcome.new_row = grant.permissions.object_size() == 0 ? Datum() : to_row(cx, grant);
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    ObjectBuilder all, everything;
    for (const Permission p : kPermissions) {
      if (p != Permission::kConnect) all.set(permission_name(p), Datum::boolean(true));
      everything.set(permission_name(p), Datum::boolean(true));
    }
    std::vector<Datum> out;
    out.push_back(to_row(cx, {kAdmin, {}, everything.finish()}));
    out.push_back(to_row(cx, {kAdmin, {std::string(kSystemDatabaseId), {}}, all.finish()}));
    for (const Grant& grant : list_grants(cx.database())) {
      if (Datum row = to_row(cx, grant); !row.is_null()) out.push_back(std::move(row));
    }
    return out;
  }

 private:
  struct Names {
    std::string database;
    std::string table;
  };

  // The names of what a grant is about; nullopt when that has been dropped.
  std::optional<Names> names(Context& cx, const PermissionScope& scope) const {
    Names out;
    if (scope.database.empty()) return out;
    const auto catalog = cx.database().catalog();
    if (scope.database == kSystemDatabaseId) {
      out.database = std::string(kSystemDatabase);
      if (!scope.table.empty()) out.table = system_table_name(scope.table);
    } else {
      if (const storage::DbInfo* db = catalog->db_by_id(scope.database)) out.database = db->name;
      if (!scope.table.empty()) {
        if (const auto table = catalog->tables.by_id(scope.table)) out.table = table->name;
      }
    }
    if (out.database.empty() || (!scope.table.empty() && out.table.empty())) return std::nullopt;
    if (format() == IdentifierFormat::kUuid) return Names{scope.database, scope.table};
    return out;
  }

  // Null for a table that has been dropped. A database that has been stays to be seen.
  Datum to_row(Context& cx, const Grant& grant) const {
    auto scope = names(cx, grant.scope);
    if (!scope && grant.scope.table.empty()) {
      scope = Names{format() == IdentifierFormat::kUuid ? grant.scope.database : "__deleted_database__", {}};
    }
    if (!scope) return Datum();
    ObjectBuilder row;
    row.set("id", key_of(grant));
    row.set("user", Datum::string(grant.user));
    row.set("permissions", grant.permissions);
    if (!scope->database.empty()) row.set("database", Datum::string(scope->database));
    if (!scope->table.empty()) row.set("table", Datum::string(scope->table));
    return row.finish();
  }

  /// `known`: there is such a row, so that what it is about may have been dropped, but was there.
  Grant read_key(Context& cx, const Datum& key, bool known) const {
    if (!key.is(Type::kArray) || key.array_size() < 1 || key.array_size() > 3) {
      throw_logic("Expected an array of one to three items in the primary key, got " + to_pretty_json(key) + ".");
    }
    const Datum user = key.at(0);
    if (!user.is(Type::kString)) throw_logic("Expected a string as the username, got " + to_pretty_json(user) + ".");
    Grant grant;
    grant.user = std::string(user.as_string());
    if (!find_user(cx.database(), grant.user)) throw_logic("No user named `" + grant.user + "`.");
    const auto id = [&](std::size_t i, std::string_view what) {
      const Datum d = key.at(i);
      if (!is_uuid(d)) throw_logic("Expected a UUID as the " + std::string(what) + ", got " + to_pretty_json(d) + ".");
      return std::string(d.as_string());
    };
    if (key.array_size() > 1) {
      grant.scope.database = id(1, "database");
      if (!known && !names(cx, {grant.scope.database, {}})) throw_logic("No database with UUID `" + grant.scope.database + "` exists.");
    }
    if (key.array_size() > 2) {
      grant.scope.table = id(2, "table");
      if (!known && !names(cx, grant.scope)) throw_logic("No table with UUID `" + grant.scope.table + "` exists.");
    }
    return grant;
  }

  // The permissions of a row to be written, after its other fields were checked.
  Datum read_row(Context& cx, const Grant& grant, const Datum& row) const {
    std::vector<std::string_view> known{"id", "user", "permissions"};
    const Names scope = names(cx, grant.scope).value_or(Names());
    const auto check = [&](std::string_view field, const std::string& wanted) {
      const auto value = row.get(field);
      if (value && (!value->is(Type::kString) || value->as_string() != wanted)) {
        throw_logic("The key `" + std::string(field) + "` does not match the primary key.");
      }
    };
    check("user", grant.user);
    if (!grant.scope.database.empty()) {
      known.push_back("database");
      check("database", scope.database);
    }
    if (!grant.scope.table.empty()) {
      known.push_back("table");
      check("table", scope.table);
    }
    refuse_fields_but(row, known);
    const auto permissions = row.get("permissions");
    if (!permissions || !permissions->is(Type::kObject)) throw_logic("Expected a field `permissions`.");
    return *permissions;
  }
};

}  // namespace

Ref<Table> make_permissions_table(IdentifierFormat format) { return make_ref<PermissionsTable>(format); }

}  // namespace reqld::reql
