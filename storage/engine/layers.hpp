// Where the commits lie: most of them in LMDB, the newest in memtables on top of it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "storage/engine/memtable.hpp"

namespace reqld::storage {

/// A later layer hides what an earlier one says of the same key.
struct Layers {
  std::uint64_t number = 0;          ///< of the active memtable; the frozen one has the number before
  std::shared_ptr<Memtable> frozen;  ///< on its way into LMDB; null when none is
  std::shared_ptr<Memtable> active;  ///< gets what is written
};

/// The layers at this moment. In parts, so that threads that read do not wait for each other.
class CurrentLayers {
 public:
  /// Any thread.
  std::shared_ptr<const Layers> get() const;
  /// One thread at a time.
  void set(Layers layers);

  /// Said before a first part of the memtable `number` gets into LMDB.
  void begin_moving(std::uint64_t number) { moving_.store(number, std::memory_order_seq_cst); }
  /// Whether LMDB, as a transaction begun before the call sees it, may hold commits that are not in these layers.
  bool overtaken(const Layers& layers) const;

 private:
  struct alignas(64) Part {
    mutable std::mutex mutex;
    std::shared_ptr<const Layers> layers;  ///< counted apart from the other parts'
  };
  std::array<Part, 8> parts_;
  std::atomic<std::uint64_t> moving_{0};
};

}  // namespace reqld::storage
