#include "reql/users.hpp"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>

#include "reql/error.hpp"

namespace reqld::reql {

namespace {

User decode_user(const std::string& name, const Datum& record) {
  const auto salt = record.get("salt");
  if (!salt) return {name, hash_password("")};
  StoredPassword password;
  password.salt = salt->binary_bytes();
  password.iterations = static_cast<std::uint32_t>(record.get("iterations")->as_integer());
  password.salted_password = record.get("salted_password")->binary_bytes();
  password.empty = record.get("empty")->as_bool();
  return {name, std::move(password)};
}

// Before anybody sets a password, `admin` logs in with an empty one.
const User& fresh_admin() {
  static const User admin{kAdmin, hash_password("")};
  return admin;
}

}  // namespace

StoredPassword hash_password(const std::string& text, std::uint32_t iterations) {
  StoredPassword out;
  out.empty = text.empty();
  out.iterations = out.empty ? 1 : iterations;
  out.salt.resize(16);
  if (getrandom(out.salt.data(), out.salt.size(), 0) != static_cast<ssize_t>(out.salt.size())) {
    throw_internal("The system has no random numbers.");
  }
  out.salted_password.resize(32);
  PKCS5_PBKDF2_HMAC(text.data(), static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(out.salt.data()),
                    static_cast<int>(out.salt.size()), static_cast<int>(out.iterations), EVP_sha256(),
                    static_cast<int>(out.salted_password.size()),
                    reinterpret_cast<unsigned char*>(out.salted_password.data()));
  return out;
}

Datum encode_user(const User& user) {
  ObjectBuilder out;
  out.set("salt", Datum::binary(user.password.salt));
  out.set("iterations", Datum::integer(user.password.iterations));
  out.set("salted_password", Datum::binary(user.password.salted_password));
  out.set("empty", Datum::boolean(user.password.empty));
  return out.finish();
}

std::vector<User> list_users(storage::Database& database) {
  std::vector<User> users;
  for (const auto& [name, record] : database.list_system(kUsersCollection)) users.push_back(decode_user(name, record));
  if (std::none_of(users.begin(), users.end(), [](const User& u) { return u.name == kAdmin; })) {
    users.push_back(fresh_admin());
  }
  return users;
}

std::optional<User> find_user(storage::Database& database, const std::string& name) {
  if (const auto record = database.get_system(kUsersCollection, name)) return decode_user(name, *record);
  if (name == kAdmin) return fresh_admin();
  return std::nullopt;
}

}  // namespace reqld::reql
