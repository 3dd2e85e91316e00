// users: names, and whether they have a password. A password is written as text and never read back.

#include <string_view>

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/permissions.hpp"
#include "reql/storage_call.hpp"
#include "reql/system_tables/system_table.hpp"
#include "reql/users.hpp"

namespace reqld::reql {

namespace {

Datum to_row(const User& user) {
  ObjectBuilder row;
  row.set("id", Datum::string(user.name));
  row.set("password", Datum::boolean(!user.password.empty));
  return row.finish();
}

constexpr std::string_view kFields[] = {"id", "password"};
constexpr std::string_view kPasswordFields[] = {"iterations", "password"};

Datum required_field(const Datum& object, std::string_view name) {
  auto field = object.get(name);
  if (!field) throw_logic("Expected a field named `" + std::string(name) + "`.");
  return std::move(*field);
}

// The `password` field as written: text, {password, iterations}, or false for none; true leaves the one that is there.
StoredPassword read_password(const Datum& field, const std::optional<User>& present) {
  if (field.is(Type::kBool)) {
    if (!field.as_bool()) return hash_password("");
    if (present && !present->password.empty) return present->password;
    throw_logic("Expected an object or string to set the password, or `false` to keep it unset, got true.");
  }
  if (field.is(Type::kString)) return hash_password(std::string(field.as_string()));
  if (!field.is(Type::kObject)) {
    throw_logic("Expected an object, string or boolean for `password`, got " + to_pretty_json(field) + ".");
  }
  const Datum iterations = required_field(field, "iterations");
  if (!iterations.is(Type::kNumber) || iterations.as_number() < 1 || iterations.as_number() > 1e7) {
    throw_logic("Expected `iterations` to be an integer greater than zero, got " + to_pretty_json(iterations) + ".");
  }
  const Datum text = required_field(field, "password");
  if (!text.is(Type::kString)) throw_logic("Expected `password` to be a string, got " + to_pretty_json(text) + ".");
  refuse_fields_but(field, kPasswordFields);
  return hash_password(std::string(text.as_string()), static_cast<std::uint32_t>(iterations.as_integer()));
}

class UsersTable : public SystemTable {
 public:
  explicit UsersTable(IdentifierFormat format) : SystemTable("users", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute) override {
    if (!key.is(Type::kString) || key_generated || key.as_string().empty()) {
      throw_logic("Expected a username as the primary key, got " + to_pretty_json(key) + ".");
    }
    const std::string name(key.as_string());
    const std::optional<User> present = find_user(cx.database(), name);
    RowOutcome outcome;
    if (present) outcome.old_row = to_row(*present);
    outcome.new_row = compute(cx, outcome.old_row);
    if (outcome.new_row.is_null()) {
      if (!present) throw_logic("User `" + name + "` not found.");
      if (name == kAdmin) throw_logic("The user `admin` can't be deleted.");
      store(cx, name, Datum());
      drop_grants(cx, name);
      return outcome;
    }
    if (present && outcome.new_row == outcome.old_row) return outcome;
    const User user{name, read_password(required_field(outcome.new_row, "password"), present)};
    refuse_fields_but(outcome.new_row, kFields);
    store(cx, name, encode_user(user));
    // What was written may hold the password's text: what is reported never does.
    outcome.new_row = to_row(user);
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    for (const User& user : list_users(cx.database())) out.push_back(to_row(user));
    return out;
  }

 private:
  static void store(Context& cx, const std::string& name, const Datum& record) {
    store_record(cx, kUsersCollection, name, record);
    cx.engine().feeds().system_table_changed();
  }
};

}  // namespace

Ref<Table> make_users_table(IdentifierFormat format) { return make_ref<UsersTable>(format); }

}  // namespace reqld::reql
