// Users and their passwords, as kept in storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "datum/datum.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// What is kept of a password: never the text.
struct StoredPassword {
  std::string salt;             ///< 16 bytes
  std::uint32_t iterations = 1;
  std::string salted_password;  ///< 32 bytes: PBKDF2-HMAC-SHA-256 of the text
  bool empty = true;            ///< the text is "": what the users table shows as false
};

/// A user. Who has no password logs in with an empty one.
struct User {
  std::string name;
  StoredPassword password;
};

/// Exists always and may do everything.
inline constexpr const char* kAdmin = "admin";

inline constexpr std::uint32_t kDefaultIterations = 4096;

/// Derives what is kept. An empty text takes one iteration: it protects nothing.
StoredPassword hash_password(const std::string& text, std::uint32_t iterations = kDefaultIterations);

/// All users, `admin` among them even on a fresh database (with an empty password).
std::vector<User> list_users(storage::Database& database);
std::optional<User> find_user(storage::Database& database, const std::string& name);
/// How put_system stores a user in collection "users".
Datum encode_user(const User& user);

inline constexpr const char* kUsersCollection = "users";

}  // namespace reqld::reql
