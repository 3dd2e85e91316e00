// What FILTER and COUNT ask of each row.
#pragma once

#include "reql/function.hpp"

namespace reqld::reql {

/// A function's answer taken as a condition. An object that is written out (a constant, or all that a function consists of) is a
/// pattern: rows match that have these fields with these values, objects inside compared field by field. Any other answer counts
/// as true but for false and null; so does an object that something computed, as what `match` answers.
class Predicate {
 public:
  enum class Answer : std::uint8_t {
    kNo,
    kYes,
    kMissing,  ///< a NON_EXISTENCE error: the row lacks a field that is asked for
  };

  /// `node` is blamed for what the pattern itself lacks.
  Predicate(Ref<Function> function, const Node* node)
      : function_(std::move(function)), node_(node), is_pattern_(writes_object(*function_)) {}

  bool deterministic() const { return function_->deterministic(); }
  Answer test(Context& cx, const Datum& row) const;
  /// Throws the error that made `row` kMissing.
  [[noreturn]] void throw_missing(Context& cx, const Datum& row) const;

 private:
  static bool writes_object(const Function& function);

  const Ref<Function> function_;
  const Node* const node_;
  const bool is_pattern_;
};

}  // namespace reqld::reql
