// What happens on a connection before its first query: V1_0 with SCRAM, and the legacy V0_3 and V0_4.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/scram.hpp"

namespace reqld::protocol {

struct HandshakeOptions {
  std::string server_version = "2.4.4";  ///< what drivers are told
};

/// Looks a user up. Called on the connection's reactor: must not block.
using CredentialsLookup = std::function<Credentials(const std::string& user)>;

/// A state machine over bytes: no socket, no clock. One thread.
class Handshake {
 public:
  enum class State : std::uint8_t {
    kWaiting,       ///< for more input
    kVerifyingKey,  ///< for key_verified(); takes no input
    kReady,         ///< user() is authenticated; what is left of the input is queries
    kClosed,        ///< send what is in `output`, then close
  };

  /// `options` and `lookup` must outlive it.
  Handshake(const HandshakeOptions& options, const CredentialsLookup& lookup)
      : options_(options), lookup_(lookup) {}

  /// Takes what it can of `input`, appends answers to `output`; returns how many bytes it took. Bytes not
  /// taken are to be passed again, with what has come meanwhile; never more than kMaxPendingBytes when the
  /// state is kWaiting.
  std::size_t feed(std::string_view input, std::string& output);

  State state() const { return state_; }
  const std::string& user() const { return user_; }

  /// V0_3: the client expects its replies in the order of its queries.
  bool sequential() const { return sequential_; }

  /// In kVerifyingKey: whether `verify_password(key_credentials(), key())` is to be run (it is slow: off the
  /// reactor), and its result passed to key_verified().
  const Credentials& key_credentials() const { return key_credentials_; }
  const std::string& key() const { return key_; }
  void key_verified(bool correct, std::string& output);

  static constexpr std::size_t kMaxMessageBytes = 2048;  ///< of one JSON message, and of a legacy key
  static constexpr std::size_t kMaxPendingBytes = kMaxMessageBytes + 12;

 private:
  enum class Stage : std::uint8_t { kMagic, kLegacyKey, kFirst, kFinal };

  std::size_t feed_magic(std::string_view input, std::string& output);
  std::size_t feed_legacy(std::string_view input, std::string& output);
  std::size_t feed_message(std::string_view input, std::string& output);
  void first_message(std::string_view message, std::string& output);
  void final_message(std::string_view message, std::string& output);
  void refuse(int code, std::string_view message, std::string& output);
  void refuse_text(std::string_view message, std::string& output);

  const HandshakeOptions& options_;
  const CredentialsLookup& lookup_;
  State state_ = State::kWaiting;
  Stage stage_ = Stage::kMagic;
  bool sequential_ = false;
  std::string user_;
  std::string key_;
  Credentials key_credentials_;
  ScramServer scram_;
};

}  // namespace reqld::protocol
