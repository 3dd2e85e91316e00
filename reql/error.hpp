// The errors that end a query.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "datum/datum.hpp"
#include "reql/query.hpp"

namespace reqld::reql {

struct Node;

/// What r.error() without a text does: see EvalError::is_empty_error().
[[noreturn]] void throw_empty_error();

/// A runtime error on its way out. The first node that catches it without a position puts itself in.
class EvalError : public std::exception {
 public:
  EvalError(ErrorCode code, std::string message, const Node* node = nullptr)
      : code_(code), message_(std::move(message)), node_(node) {}
  explicit EvalError(const DatumError& e, const Node* node = nullptr);

  const char* what() const noexcept override { return message_.c_str(); }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const Node* node() const { return node_; }
  /// Sets the position if there is none yet.
  void locate(const Node* node) {
    if (!node_) node_ = node;
  }
  /// An empty backtrace on purpose: no node may claim this error.
  void detach() { detached_ = true; }
  bool detached() const { return detached_; }
  /// Of r.error() without a text: within a `default` it stands for the error or null that is being replaced.
  bool is_empty_error() const { return empty_; }

 private:
  ErrorCode code_;
  std::string message_;
  const Node* node_;
  bool detached_ = false;
  bool empty_ = false;

  friend void throw_empty_error();
};

/// An error found while parsing or compiling a query (reply type 16 or 17).
class QueryError : public std::exception {
 public:
  QueryError(ReplyType type, std::string message, Backtrace backtrace = {})
      : type_(type), message_(std::move(message)), backtrace_(std::move(backtrace)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  ReplyType type() const { return type_; }
  const Backtrace& backtrace() const { return backtrace_; }

 private:
  ReplyType type_;
  std::string message_;
  Backtrace backtrace_;
};

[[noreturn]] void throw_logic(std::string message);
[[noreturn]] void throw_non_existence(std::string message);
[[noreturn]] void throw_op_failed(std::string message);
[[noreturn]] void throw_resource(std::string message);
[[noreturn]] void throw_internal(std::string message);

}  // namespace reqld::reql
