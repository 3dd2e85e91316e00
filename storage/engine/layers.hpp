// Where the commits lie: most of them in LMDB, the newest in memtables on top of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "storage/engine/memtable.hpp"

namespace reqld::storage {

/// A later layer hides what an earlier one says of the same key.
struct Layers {
  std::uint64_t transaction = 0;     ///< LMDB's newest when these became the layers
  std::shared_ptr<Memtable> frozen;  ///< on its way into LMDB, in one transaction; null when none is
  std::shared_ptr<Memtable> active;  ///< gets what is written

  /// LMDB's newest while readers may have these: a later one holds commits that they must not see.
  std::uint64_t last_transaction() const { return transaction + (frozen != nullptr ? 2 : 1); }
};

/// The layers at this moment. In parts, so that threads that read do not wait for each other.
class CurrentLayers {
 public:
  /// Any thread.
  std::shared_ptr<const Layers> get() const;
  /// One thread at a time.
  void set(Layers layers);

 private:
  struct alignas(64) Part {
    mutable std::mutex mutex;
    std::shared_ptr<const Layers> layers;  ///< counted apart from the other parts'
  };
  std::array<Part, 8> parts_;
};

}  // namespace reqld::storage
