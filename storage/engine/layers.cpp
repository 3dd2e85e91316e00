#include "storage/engine/layers.hpp"

#include <utility>

#include "storage/activity.hpp"

namespace reqld::storage {

std::shared_ptr<const Layers> CurrentLayers::get() const {
  const Part& part = parts_[thread_number() % parts_.size()];
  std::lock_guard lock(part.mutex);
  return part.layers;
}

void CurrentLayers::set(Layers layers) {
  for (Part& part : parts_) {
    auto mine = std::make_shared<const Layers>(layers);
    std::lock_guard lock(part.mutex);
    part.layers.swap(mine);
  }
}

bool CurrentLayers::overtaken(const Layers& layers) const {
#ifndef __SANITIZE_THREAD__  // which knows no fences, and finds nothing without this one
  // LMDB's own look for its newest transaction is no atomic load.
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  return moving_.load(std::memory_order_relaxed) > layers.number;
}

}  // namespace reqld::storage
