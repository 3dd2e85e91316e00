// A change on its way to the feeds that want it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "datum/datum.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// What a feed delivers of a change. Immutable; its JSON is made when it is first asked for.
class FeedElement {
 public:
  /// Null: nothing to show.
  explicit FeedElement(Datum datum) : datum_(std::move(datum)) {}
  ~FeedElement() { delete json_.load(); }
  FeedElement(const FeedElement&) = delete;
  FeedElement& operator=(const FeedElement&) = delete;

  const Datum& datum() const { return datum_; }
  /// Thread-safe.
  const std::string& json() const;

 private:
  const Datum datum_;
  mutable std::atomic<const std::string*> json_{nullptr};
};

/// One change as the feeds of one watch get it. All of them show it alike, so what they show is computed
/// once.
class FeedChange {
 public:
  FeedChange(const storage::RowChange& change, bool old_in, bool new_in)
      : at(change.at),
        job(change.job),
        key(change.key),
        old_row(change.old_row),
        new_row(change.new_row),
        old_within(old_in),
        new_within(new_in) {}
  /// From before `first` to after `last`.
  FeedChange(const FeedChange& first, const FeedChange& last)
      : at(last.at),
        job(last.job),
        key(last.key),
        old_row(first.old_row),
        new_row(last.new_row),
        old_within(first.old_within),
        new_within(last.new_within) {}
  /// Of the catalog: no row.
  FeedChange() = default;
  ~FeedChange() { delete element_.load(); }
  FeedChange(const FeedChange&) = delete;
  FeedChange& operator=(const FeedChange&) = delete;

  const storage::ChangePosition at{};
  const std::uint32_t job = 0;
  const std::string key;  ///< encoded primary key
  const Datum old_row;
  const Datum new_row;
  const bool old_within = false;  ///< old_row is there, and lies in what is watched
  const bool new_within = false;

  /// What `make()` answered when it was asked first. What it throws is passed on and not kept: that is the
  /// asking query's. Thread-safe; `make` may run on two threads at once.
  template <typename Make>
  const FeedElement& element(Make make) const;

 private:
  mutable std::atomic<const FeedElement*> element_{nullptr};
};

using FeedChangeRef = std::shared_ptr<const FeedChange>;

template <typename Make>
const FeedElement& FeedChange::element(Make make) const {
  if (const FeedElement* known = element_.load(std::memory_order_acquire)) return *known;
  auto made = std::make_unique<const FeedElement>(make());
  const FeedElement* known = nullptr;
  if (element_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *known;
}

}  // namespace reqld::reql
