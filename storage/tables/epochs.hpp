// Which commits are still being looked at, so that what they refer to is not reclaimed.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <set>

#include "storage/engine.hpp"

namespace reqld::storage {

/// A holder at sequence S may refer to anything that a commit after S took away. Thread-safe.
class Epochs {
 public:
  /// A place taken by one reader; cheap: one atomic operation while fewer than kSlots are taken.
  class Slot {
   public:
    Slot() = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { leave(); }
    void leave();

   private:
    friend class Epochs;
    std::atomic<Sequence>* place_ = nullptr;
    Epochs* overflow_ = nullptr;
    Sequence at_ = 0;
  };

  /// `at` was the newest visible commit at some moment before; the snapshot that is protected must be taken
  /// after this.
  void enter(Sequence at, Slot& slot);

  /// For longer or more than one thread. Call while a Slot or another pin at or before `at` is held.
  void pin(Sequence at);
  void unpin(Sequence at);

  /// The oldest sequence that is held, or `newest` when none is.
  Sequence oldest(Sequence newest) const;

 private:
  static constexpr std::size_t kSlots = 128;
  struct alignas(64) Place {
    std::atomic<Sequence> taken{0};  // sequence + 1; 0 is free
  };
  std::array<Place, kSlots> places_;
  mutable std::mutex mutex_;
  std::multiset<Sequence> pinned_;
};

}  // namespace reqld::storage
