#include "reql/stack.hpp"

#include <utility>
#include <vector>

#include "datum/encoding.hpp"
#include "reql/error.hpp"

namespace reqld::reql {

void throw_recursion() {
  throw EvalError(ErrorCode::kResourceLimit, "Maximum recursion depth of a query exceeded.");
}

namespace {

/// The last item of a container that begins at or before byte `at` of its data.
std::uint32_t item_at(const encoding::Container& container, std::size_t at) {
  std::uint32_t low = 0, high = container.count();
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    (container.offset(middle) <= at ? low : high) = middle;
  }
  return low;
}

}  // namespace

void check_nesting(const Datum& d) {
  // What a level costs at least, in bytes.
  constexpr std::size_t kLevelBytes = 3;
  std::vector<std::pair<const std::uint8_t*, std::size_t>> open;  // containers, and how many are around them
  const auto look_at = [&](const std::uint8_t* value, std::size_t depth) {
    const Tag tag = encoding::tag_at(value);
    if (tag != Tag::kArray && tag != Tag::kObject) return;
    if (depth >= kMaxNesting) {
      throw_resource("Value nested too deeply (more than " + std::to_string(kMaxNesting) + " levels).");
    }
    open.emplace_back(value, depth);
  };
  if (d.slice_data()) look_at(d.slice_data(), 0);
  while (!open.empty()) {
    const auto [value, depth] = open.back();
    open.pop_back();
    const encoding::Container container(value);
    const bool object = encoding::tag_at(value) == Tag::kObject;
    const auto bytes = static_cast<std::size_t>(container.end() - container.data());
    // Smaller items cannot be too deep. Larger ones cover every place that is that far behind an item's end,
    // so no other places are looked at: most arrays are long and flat.
    const std::size_t least = depth + 1 < kMaxNesting ? (kMaxNesting - depth - 1) * kLevelBytes : 1;
    for (std::size_t at = least - 1; at < bytes;) {
      const std::uint32_t i = item_at(container, at);
      const std::size_t end = i + 1 < container.count() ? container.offset(i + 1) : bytes;
      if (end - container.offset(i) >= least)
        look_at(object ? container.value(i) : container.at(i), depth + 1);
      at = end + least - 1;
    }
  }
}

}  // namespace reqld::reql
