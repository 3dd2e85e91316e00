// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/crypto.hpp"

namespace reqld::protocol {

/// What is stored of a password.
struct Credentials {
  bool known = false;  ///< false: no such user, or one that cannot log in; the rest may be empty
  std::string salt;
  std::uint32_t iterations = 0;
  std::string salted_password;  ///< kDigestBytes of PBKDF2-HMAC-SHA-256
};

/// Makes what is stored of `password`.
Credentials make_credentials(std::string_view password, std::uint32_t iterations);

/// Whether `password` is the one. Runs PBKDF2: up to milliseconds.
bool verify_password(const Credentials& credentials, std::string_view password);

/// Numbers and texts as RethinkDB sends them.
struct AuthError {
  int code = 0;
  std::string_view message;
};

/// One authentication: read_first, set_credentials, check_final. Sans-I/O; one thread.
class ScramServer {
 public:
  /// `nonce` is the server's part; empty: a random one.
  explicit ScramServer(std::string nonce = {});

  /// Takes the client-first-message.
  std::optional<AuthError> read_first(std::string_view message);

  /// Of the client-first-message, decoded.
  const std::string& user() const { return user_; }

  /// Answers the server-first-message. Credentials that are not known get a made-up salt, the same at each
  /// try.
  std::string challenge(Credentials credentials);

  /// Takes the client-final-message.
  std::optional<AuthError> check_final(std::string_view message);

  /// The server-final-message, after check_final found no error.
  const std::string& server_final() const { return server_final_; }

 private:
  std::string user_;
  std::string client_first_bare_;
  std::string gs2_header_;
  std::string nonce_;  ///< the client's part, then ours
  std::string server_first_;
  std::string server_final_;
  Credentials credentials_;
};

}  // namespace reqld::protocol
