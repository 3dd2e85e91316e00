// What users may do: read, write, config and connect, at three scopes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

enum class Permission : std::uint8_t { kRead, kWrite, kConfig, kConnect };
inline constexpr Permission kPermissions[] = {Permission::kRead, Permission::kWrite, Permission::kConfig, Permission::kConnect};
std::string_view permission_name(Permission p);

/// What a grant is about: everything, a database, or a table (by their ids).
struct PermissionScope {
  std::string database;  ///< empty: everything
  std::string table;     ///< empty: the whole database
};

/// What one user was granted at one scope: {read?: bool, …}; a missing field leaves it to the scope around.
struct Grant {
  std::string user;
  PermissionScope scope;
  Datum permissions;
};

/// All grants but those of `admin`, which are fixed.
std::vector<Grant> list_grants(storage::Database& database);
std::optional<Datum> find_grant(storage::Database& database, const std::string& user, const PermissionScope& scope);
/// Stores a grant; an empty object removes it. Waits until it is on disk.
void store_grant(Context& cx, const Grant& grant);
/// Removes what a user was granted, everywhere.
void drop_grants(Context& cx, const std::string& user);

/// `present` with the fields of `change` laid over: null takes a field away. Throws for anything but booleans and nulls, unknown
/// fields, and `connect` at another scope than everything.
Datum merge_permissions(const Datum& present, const Datum& change, const PermissionScope& scope);

class Table;
PermissionScope table_scope(Context& cx, Table& table);

/// Throws "User `x` does not have the required `read` permission." (PERMISSION_ERROR) unless the query's user has it.
void require(Context& cx, Permission permission, const PermissionScope& scope);
/// The same for a stored table.
void require_on(Context& cx, Permission permission, const storage::TableInfo& table);

/// Grants, kept in memory for the checks. One per Engine; thread-safe.
class PermissionCache {
 public:
  explicit PermissionCache(storage::Database& database) : database_(database) {}
  bool allows(const std::string& user, Permission permission, const PermissionScope& scope);
  /// After a grant has changed.
  void forget();

 private:
  using Grants = std::unordered_map<std::string, Datum>;  // by key of the stored grant
  std::shared_ptr<const Grants> grants();

  storage::Database& database_;
  std::mutex mutex_;
  std::shared_ptr<const Grants> grants_;
};

}  // namespace reqld::reql
