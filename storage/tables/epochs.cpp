#include "storage/tables/epochs.hpp"

#include <algorithm>

namespace reqld::storage {

namespace {
std::atomic<unsigned> next_hint{0};
thread_local const unsigned hint = next_hint.fetch_add(7, std::memory_order_relaxed);
}  // namespace

void Epochs::enter(Sequence at, Slot& slot) {
  const unsigned start = hint;
  for (unsigned i = 0; i < kSlots; ++i) {
    std::atomic<Sequence>& place = places_[(start + i) % kSlots].taken;
    Sequence expected = 0;
    // Sequentially consistent: whoever reclaims either sees the place taken, or had its removal visible
    // before our snapshot.
    if (place.load(std::memory_order_relaxed) == 0 && place.compare_exchange_strong(expected, at + 1)) {
      slot.place_ = &place;
      return;
    }
  }
  pin(at);
  slot.overflow_ = this;
  slot.at_ = at;
}

void Epochs::Slot::leave() {
  if (place_) place_->store(0, std::memory_order_release);
  if (overflow_) overflow_->unpin(at_);
  place_ = nullptr;
  overflow_ = nullptr;
}

void Epochs::pin(Sequence at) {
  std::lock_guard lock(mutex_);
  pinned_.insert(at);
}

void Epochs::unpin(Sequence at) {
  std::lock_guard lock(mutex_);
  pinned_.erase(pinned_.find(at));
}

Sequence Epochs::oldest(Sequence newest) const {
  Sequence oldest = newest;
  // Places before pins: a reader pins for its rows first and leaves its place afterwards.
  for (const Place& place : places_) {
    if (const Sequence taken = place.taken.load()) oldest = std::min(oldest, taken - 1);
  }
  std::lock_guard lock(mutex_);
  if (!pinned_.empty()) oldest = std::min(oldest, *pinned_.begin());
  return oldest;
}

}  // namespace reqld::storage
