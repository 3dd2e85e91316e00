// Base of the values that are no datum.
#pragma once

#include <atomic>
#include <cstdint>

#include "datum/buffer.hpp"

namespace reqld::reql {

/// Reference counted; derived classes say who may touch them.
class Object {
 public:
  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  Object() = default;
  Object(const Object&) : refs_(0) {}
  virtual ~Object() = default;

 private:
  mutable std::atomic<std::uint32_t> refs_{0};
};

}  // namespace reqld::reql
