// Errors of the http_fetch folder.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace reqld::http_fetch {

enum class ErrorKind : std::uint8_t {
  kInvalid,    ///< the request or the options make no sense (bad header line, bad CIDR)
  kTransport,  ///< no answer: cannot resolve, connect, send or receive; TLS refused; too many redirects; bad
               ///< URL
  kStatus,     ///< an answer, but not a 2xx one
  kTimeout,    ///< the request's time is over
  kTooLarge,   ///< the answer is larger than allowed
  kDenied,     ///< the address policy forbids the address
  kQueueFull,  ///< too many requests are waiting already
  kCancelled,  ///< cancel() or the end of the Fetcher
};

/// For the errors of a request, `message` is the whole text a ReQL client sees (a NON_EXISTENCE error there).
struct Error {
  ErrorKind kind;
  std::string message;
};

/// A value or an Error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: meant to be implicit
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() { return std::get<0>(v_); }
  const T& value() const { return std::get<0>(v_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() { return std::get<1>(v_); }
  const Error& error() const { return std::get<1>(v_); }

 private:
  std::variant<T, Error> v_;
};

}  // namespace reqld::http_fetch
