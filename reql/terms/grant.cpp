// grant: what users may do.

#include "reql/eval.hpp"
#include "reql/permissions.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"
#include "reql/users.hpp"

namespace reqld::reql {

namespace {

// The scope that a grant's first argument names.
PermissionScope read_scope(Args& args) {
  if (args.size() == 2) return {};
  Context& cx = args.cx();
  const Value v = args.value(0);
  return Args::blaming(args.node_of(0), [&]() -> PermissionScope {
    if (v.is(ValueKind::kDatabase)) return {database_id(cx, v.object<DatabaseRef>().name), {}};
    if (!v.is(ValueKind::kTable)) throw_kind_error(cx, "DATABASE", v);
    return table_scope(cx, *v.object<TableSlice>().table);
  });
}

Value grant(Args& args) {
  Context& cx = args.cx();
  const PermissionScope scope = read_scope(args);
  const std::size_t at = args.size() - 2;
  const std::string user = args.string(at);
  const Datum change = args.datum(at + 1);
  require(cx, Permission::kRead, {std::string(kSystemDatabaseId), system_table_id("permissions")});
  require(cx, Permission::kWrite, {std::string(kSystemDatabaseId), system_table_id("permissions")});
  if (user == kAdmin) throw_op_failed("The permissions of the user `admin` can't be modified.");
  if (!find_user(cx.database(), user)) throw_op_failed("User `" + user + "` not found.");
  const Datum present = find_grant(cx.database(), user, scope).value_or(Datum());
  Grant granted{user, scope, merge_permissions(present, change, scope)};
  store_grant(cx, granted);
  const auto shown = [](const Datum& d) { return d.is(Type::kObject) && d.object_size() == 0 ? Datum() : d; };
  ObjectBuilder changes;
  changes.set("old_val", shown(present));
  changes.set("new_val", shown(granted.permissions));
  ObjectBuilder out;
  out.set("granted", Datum::number(1));
  out.set("permissions_changes", Datum::array({changes.finish()}));
  return Value(out.finish());
}

constexpr Example kGrantExamples[] = {
    {"r.table('players').grant('ann', {'read': True, 'write': False})",
     R"([188,[[15,["players"]],"ann",{"read":true,"write":false}]])",
     R"({"granted":1,"permissions_changes":[{"new_val":{"read":true,"write":false},"old_val":null}]})"},
    {"r.grant('nobody', {'read': True})", R"([188,["nobody",{"read":true}]])", "User `nobody` not found."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kGrant, .name = "grant", .arity = between(2, 3), .flags = kWrites, .eval = grant,
     .signature = "r.grant(user, {permission: bool or null, …}) → object\ndb.grant(…) → object\ntable.grant(…) → object",
     .doc = "Gives or takes a user's permissions, for everything, a database or a table.",
     .examples = kGrantExamples},
};

}  // namespace

std::span<const TermDef> grant_terms() { return kTerms; }

}  // namespace reqld::reql
