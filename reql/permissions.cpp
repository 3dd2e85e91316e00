#include "reql/permissions.hpp"

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/users.hpp"

namespace reqld::reql {

namespace {

constexpr const char* kCollection = "permissions";
constexpr char kSeparator = '/';

// A user's name may hold anything: the ids, which do not, come first.
std::string grant_key(const std::string& user, const PermissionScope& scope) {
  return scope.database + kSeparator + scope.table + kSeparator + user;
}

Grant decode_grant(const std::string& key, const Datum& permissions) {
  const std::size_t first = key.find(kSeparator);
  const std::size_t second = key.find(kSeparator, first + 1);
  return {key.substr(second + 1), {key.substr(0, first), key.substr(first + 1, second - first - 1)}, permissions};
}

}  // namespace

std::string_view permission_name(Permission p) {
  static constexpr std::string_view kNames[] = {"read", "write", "config", "connect"};
  return kNames[static_cast<std::size_t>(p)];
}

std::vector<Grant> list_grants(storage::Database& database) {
  std::vector<Grant> out;
  for (const auto& [key, permissions] : database.list_system(kCollection)) out.push_back(decode_grant(key, permissions));
  return out;
}

std::optional<Datum> find_grant(storage::Database& database, const std::string& user, const PermissionScope& scope) {
  return database.get_system(kCollection, grant_key(user, scope));
}

void store_grant(Context& cx, const Grant& grant) {
  const Datum record = grant.permissions.object_size() == 0 ? Datum() : grant.permissions;
  store_record(cx, kCollection, grant_key(grant.user, grant.scope), record);
  cx.engine().permissions().forget();
  cx.engine().feeds().system_table_changed();
}

void drop_grants(Context& cx, const std::string& user) {
  for (Grant& grant : list_grants(cx.database())) {
    if (grant.user != user) continue;
    grant.permissions = Datum::empty_object();
    store_grant(cx, grant);
  }
}

Datum merge_permissions(const Datum& present, const Datum& change, const PermissionScope& scope) {
  if (!change.is(Type::kObject)) throw_op_failed("Expected an object, got " + to_pretty_json(change) + ".");
  ObjectBuilder out = present.is(Type::kObject) ? ObjectBuilder(present) : ObjectBuilder();
  std::string unexpected;
  for (std::size_t i = 0; i < change.object_size(); ++i) {
    const std::string name(change.name_at(i));
    bool known = false;
    for (const Permission p : kPermissions) known |= name == permission_name(p);
    if (!known) {
      unexpected += (unexpected.empty() ? "`" : ", `") + name + "`";
      continue;
    }
    const Datum value = change.value_at(i);
    if (!value.is(Type::kBool) && !value.is_null()) {
      throw_op_failed("Expected a boolean or null for `" + name + "`, got " + to_pretty_json(value) + ".");
    }
    if (name == permission_name(Permission::kConnect) && !scope.database.empty()) {
      throw_op_failed("The `connect` permission is only valid at the global scope.");
    }
    if (value.is_null()) {
      out.erase(name);
    } else {
      out.set(name, value);
    }
  }
  if (!unexpected.empty()) throw_op_failed("Unexpected key(s) " + unexpected + ".");
  return out.finish();
}

std::shared_ptr<const PermissionCache::Grants> PermissionCache::grants() {
  const std::lock_guard lock(mutex_);
  if (!grants_) {
    auto fresh = std::make_shared<Grants>();
    for (const auto& [key, permissions] : database_.list_system(kCollection)) fresh->emplace(key, permissions);
    grants_ = std::move(fresh);
  }
  return grants_;
}

void PermissionCache::forget() {
  const std::lock_guard lock(mutex_);
  grants_ = nullptr;
}

bool PermissionCache::allows(const std::string& user, Permission permission, const PermissionScope& scope) {
  if (user == kAdmin) return true;
  const auto all = grants();
  const auto granted = [&](const PermissionScope& at, Permission p) -> std::optional<bool> {
    const auto found = all->find(grant_key(user, at));
    if (found == all->end()) return std::nullopt;
    const auto value = found->second.get(permission_name(p));
    if (!value) return std::nullopt;
    return value->as_bool();
  };
  // The narrowest scope that says anything decides. The rethinkdb database takes nothing from the scope of everything.
  const auto allowed = [&](Permission p) {
    if (!scope.table.empty()) {
      if (const auto answer = granted(scope, p)) return *answer;
    }
    if (!scope.database.empty()) {
      if (const auto answer = granted({scope.database, {}}, p)) return *answer;
      if (scope.database == kSystemDatabaseId) return false;
    }
    return granted({}, p).value_or(false);
  };
  // Who may write must be able to read what he writes.
  return allowed(permission) && (permission != Permission::kWrite || allowed(Permission::kRead));
}

void require(Context& cx, Permission permission, const PermissionScope& scope) {
  if (cx.engine().permissions().allows(cx.client().user, permission, scope)) return;
  throw EvalError(ErrorCode::kPermission, "User `" + cx.client().user + "` does not have the required `" +
                                              std::string(permission_name(permission)) + "` permission.");
}

void require_on(Context& cx, Permission permission, const storage::TableInfo& table) {
  // Most users are this one, who may do everything: no scope is made for the question.
  if (cx.client().user == kAdmin) return;
  require(cx, permission, PermissionScope{table.db_id, table.id});
}

}  // namespace reqld::reql
