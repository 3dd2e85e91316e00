// users: names, and whether they have a password. A password is written as text and never read back.

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

// The `password` field as written: text, {password, iterations}, or false for none; true leaves it as it is.
StoredPassword read_password(const Datum& field, const std::optional<User>& present) {
  if (field.is(Type::kBool)) {
    if (field.as_bool()) {
      if (!present) throw_logic("Expected a password; `true` can only keep one that is there.");
      return present->password;
    }
    return hash_password("");
  }
  if (field.is(Type::kString)) return hash_password(std::string(field.as_string()));
  if (!field.is(Type::kObject)) {
    throw_logic("Expected an object, string or boolean for `password`, got " + to_pretty_json(field) + ".");
  }
  const auto text = field.get("password");
  const auto iterations = field.get("iterations");
  if (!text || !text->is(Type::kString)) {
    throw_logic("Expected `password` to be a string, got " + to_pretty_json(text.value_or(Datum())) + ".");
  }
  std::uint32_t count = kDefaultIterations;
  if (iterations) {
    if (!iterations->is(Type::kNumber) || iterations->as_number() < 1 || iterations->as_number() > 1e7) {
      throw_logic("Expected `iterations` to be an integer greater than zero, got " + to_pretty_json(*iterations) + ".");
    }
    count = static_cast<std::uint32_t>(iterations->as_integer());
  }
  return hash_password(std::string(text->as_string()), count);
}

class UsersTable : public SystemTable {
 public:
  explicit UsersTable(IdentifierFormat format) : SystemTable("users", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, const RowFunction& compute) override {
    if (!key.is(Type::kString)) throw_logic("Expected a username as the primary key, got " + to_pretty_json(key) + ".");
    const std::string name(key.as_string());
    const std::optional<User> present = find_user(cx.database(), name);
    RowOutcome outcome;
    if (present) outcome.old_row = to_row(*present);
    outcome.new_row = compute(cx, outcome.old_row);
    if (outcome.new_row.is_null()) {
      if (!present) throw_logic("User `" + name + "` not found.");
      if (name == "admin") throw_logic("The user `admin` can't be deleted.");
      store(cx, name, Datum());
      drop_grants(cx, name);
      return outcome;
    }
    if (present && outcome.new_row == outcome.old_row) return outcome;
    User user{name, present ? present->password : hash_password("")};
    std::string unexpected;
    for (std::size_t i = 0; i < outcome.new_row.object_size(); ++i) {
      const std::string_view field = outcome.new_row.name_at(i);
      if (field == "password") {
        user.password = read_password(outcome.new_row.value_at(i), present);
      } else if (field != "id") {
        unexpected += (unexpected.empty() ? "`" : ", `") + std::string(field) + "`";
      }
    }
    if (!unexpected.empty()) throw_logic("Unexpected key(s) " + unexpected + ".");
    if (name.empty()) throw_logic("Expected a username as the primary key, got \"\".");
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
    const auto result = await_storage(
        cx, [&](auto done) { cx.database().put_system(kUsersCollection, name, record, std::move(done)); });
    if (!result) throw_storage_error(result.error());
    cx.engine().feeds().system_table_changed();
  }
};

}  // namespace

Ref<Table> make_users_table(IdentifierFormat format) { return make_ref<UsersTable>(format); }

}  // namespace reqld::reql
