#include "datum/limits.hpp"

#include <atomic>

#include "datum/datum.hpp"

namespace reqld {
namespace {
std::atomic<std::size_t> max_value_bytes{std::size_t{1} << 30};
}

void set_max_value_bytes(std::size_t bytes) {
  max_value_bytes.store(bytes, std::memory_order_relaxed);
}

void check_value_bytes(std::size_t bytes) {
  const std::size_t most = max_value_bytes.load(std::memory_order_relaxed);
  if (bytes <= most) return;
  throw DatumError(DatumErrorKind::kResource,
                   "Value too large: it would take " + std::to_string(bytes >> 20) +
                       " MB of memory, and a query may take " + std::to_string(most >> 20) + " MB.");
}

}  // namespace reqld
