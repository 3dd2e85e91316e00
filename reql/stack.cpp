#include "reql/stack.hpp"

#include <utility>
#include <vector>

#include "reql/error.hpp"

namespace reqld::reql {

void throw_recursion() {
  throw EvalError(ErrorCode::kResourceLimit, "Maximum recursion depth of a query exceeded.");
}

void check_nesting(const Datum& d) {
  // What a level costs at least, in bytes.
  constexpr std::size_t kLevelBytes = 3;
  std::vector<std::pair<Datum, std::size_t>> open;  // containers, and how many are around them
  const auto look_at = [&](const Datum& value, std::size_t depth) {
    if (!value.is(Type::kArray) && !value.is(Type::kObject)) return;
    if (depth >= kMaxNesting) {
      throw_resource("Value nested too deeply (more than " + std::to_string(kMaxNesting) + " levels).");
    }
    if (value.encoded_size() >= (kMaxNesting - depth) * kLevelBytes) open.emplace_back(value, depth);
  };
  look_at(d, 0);
  while (!open.empty()) {
    const auto [value, depth] = std::move(open.back());
    open.pop_back();
    if (value.is(Type::kArray)) {
      for (std::size_t i = 0; i < value.array_size(); ++i) look_at(value.at(i), depth + 1);
    } else {
      for (std::size_t i = 0; i < value.object_size(); ++i) look_at(value.value_at(i), depth + 1);
    }
  }
}

}  // namespace reqld::reql
