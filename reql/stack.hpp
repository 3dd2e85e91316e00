// How deep a recursion may go: queries run on small stacks.
#pragma once

#include <cstddef>

#include "datum/datum.hpp"
#include "reql/context.hpp"

namespace reqld::reql {

[[noreturn]] void throw_recursion();

/// At each step of a recursion over values or terms: throws a RESOURCE_LIMIT error when little of the stack
/// is left.
inline void check_stack(const Context& cx) {
  const char here = 0;
  if (&here < cx.stack_limit) throw_recursion();
}

/// Values that are stored, and those carried from step to step (fold, reduce), are nested no deeper.
inline constexpr std::size_t kMaxNesting = 2000;
/// Terms and values of functions that are stored: they are read again on small stacks.
inline constexpr std::size_t kMaxStoredFunctionNesting = 100;

/// Throws a RESOURCE_LIMIT error when arrays and objects are nested deeper in `d` than kMaxNesting. Looks
/// only into those that are large enough for that.
void check_nesting(const Datum& d);

}  // namespace reqld::reql
