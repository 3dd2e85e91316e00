#include "reql/creation.hpp"

#include "reql/error.hpp"
#include "reql/permissions.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/system_table.hpp"

namespace reqld::reql {

namespace {

void check_created(const storage::Result<storage::Sequence>& result, const std::string& exists) {
  if (result) return;
  if (result.error().kind == storage::ErrorKind::kExists) throw_op_failed(exists);
  throw_storage_error(result.error());
}

}  // namespace

void create_database(Context& cx, const storage::DbInfo& database) {
  require(cx, Permission::kConfig, {});
  const std::string exists = "Database `" + database.name + "` already exists.";
  if (database.name == kSystemDatabase || cx.database().catalog()->db(database.name)) throw_op_failed(exists);
  check_created(await_storage(cx, [&](auto done) { cx.database().create_db(database, std::move(done)); }), exists);
}

void create_table(Context& cx, const storage::DbInfo& database, const storage::TableInfo& table) {
  require(cx, Permission::kConfig, {database.id, {}});
  const std::string exists = "Table `" + database.name + "." + table.name + "` already exists.";
  if (cx.database().catalog()->table(database, table.name)) throw_op_failed(exists);
  check_created(await_storage(cx, [&](auto done) { cx.database().create_table(database.id, table, std::move(done)); }), exists);
}

}  // namespace reqld::reql
