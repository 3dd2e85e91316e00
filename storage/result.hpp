// Errors of the storage folder.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace reqld::storage {

enum class ErrorKind : std::uint8_t {
  kIo,          ///< read, write or sync failed (the text names the call, the file and the reason)
  kDiskFull,    ///< no space left
  kCorrupt,     ///< what is on disk contradicts itself
  kInUse,       ///< another process has the directory
  kReadOnly,    ///< an earlier failed sync stopped further writes
  kKeyTooLong,
  kNotFound,    ///< the database, table or index named is not there (any more)
  kExists,
  kInvalid,     ///< the caller's argument
  kCancelled,   ///< shutting down
};

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
  const Error& error() const { return std::get<1>(v_); }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT
  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const { return error_; }

 private:
  Error error_{};
  bool ok_ = true;
};

}  // namespace reqld::storage
