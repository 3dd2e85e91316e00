// Waiting for what the threads of a database are about to do.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace reqld::storage {

/// False when the condition has not come true within `limit`.
inline bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace reqld::storage
