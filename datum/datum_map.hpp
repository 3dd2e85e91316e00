// Hash tables over data that remember the order in which keys came: for sets, distinct and groups of
// millions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "datum/datum.hpp"

namespace reqld {

/// Finds entries that a container keeps in a vector, by the hashes of their keys; open addressing. Fewer than
/// 2^32 entries. Not safe for threads.
class HashIndex {
 public:
  /// The number of the entry with `hash` of which `is_key(number)` is true, or nothing.
  template <typename IsKey>
  std::optional<std::size_t> find(std::size_t hash, IsKey is_key) const {
    if (slots_.empty()) return std::nullopt;
    const Slot slot = slots_[position(fold(hash), is_key)];
    if (slot.entry == 0) return std::nullopt;
    return slot.entry - 1;
  }

  /// Likewise; an entry that is not there yet is added by `add()`, and is not there if that throws. They are
  /// numbered from 0 on in the order in which they are added.
  template <typename IsKey, typename Add>
  std::size_t find_or_add(std::size_t hash, IsKey is_key, Add add) {
    reserve(std::size_t{count_} + 1);
    const std::uint32_t kept = fold(hash);
    Slot& slot = slots_[position(kept, is_key)];
    if (slot.entry == 0) {
      add();
      slot = {kept, ++count_};
    }
    return slot.entry - 1;
  }

  /// Makes room for `count` entries in all.
  void reserve(std::size_t count) {
    if (count * 4 > slots_.size() * 3) grow(count);
  }

 private:
  // The hash is kept so that most probes need not look at the key, and growing at none.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t entry = 0;  // its number + 1
  };

  static std::uint32_t fold(std::size_t hash) {
    return static_cast<std::uint32_t>((hash * 0x9e3779b97f4a7c15) >> 32);
  }

  /// Where the entry is, or the free slot where it would be.
  template <typename IsKey>
  std::size_t position(std::uint32_t kept, IsKey is_key) const {
    std::size_t at = kept >> shift_;
    for (;; at = (at + 1) & (slots_.size() - 1)) {
      const Slot slot = slots_[at];
      if (slot.entry == 0 || (slot.hash == kept && is_key(std::size_t{slot.entry - 1}))) return at;
    }
  }

  void grow(std::size_t count) {
    unsigned bits = 4;
    while ((std::size_t{1} << bits) * 3 < count * 4) ++bits;
    std::vector<Slot> old(std::size_t{1} << bits);
    old.swap(slots_);
    shift_ = 32 - std::min(bits, 32U);
    for (const Slot slot : old) {
      if (slot.entry != 0) slots_[position(slot.hash, [](std::size_t) { return false; })] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
  unsigned shift_ = 0;
};

/// Data, each once, in the order in which they were first inserted.
class DatumSet {
 public:
  /// Roughly what an element takes beside its own bytes.
  static constexpr std::size_t kElementBytes = 2 * sizeof(Datum) + 16;

  std::size_t size() const { return elements_.size(); }
  void reserve(std::size_t count) {
    index_.reserve(count);
    elements_.reserve(count);
  }
  bool contains(const Datum& d) const {
    return index_.find(hash_value(d), [&](std::size_t i) { return elements_[i] == d; }).has_value();
  }
  /// Whether it was not there yet. The set shares the bytes of `d`.
  bool insert(const Datum& d) {
    return insert_as(d, [&] { return d; });
  }
  /// Likewise, but the set copies the bytes, and keeps nothing alive that `d` is a part of.
  bool insert_copy(const Datum& d) {
    return insert_as(d, [&] { return d.compact(); });
  }
  /// The elements; the set is empty afterwards.
  std::vector<Datum> take() {
    index_ = HashIndex();
    return std::exchange(elements_, {});
  }

 private:
  template <typename Make>
  bool insert_as(const Datum& d, Make make) {
    const std::size_t before = elements_.size();
    const std::size_t entry = index_.find_or_add(
        hash_value(d), [&](std::size_t i) { return elements_[i] == d; },
        [&] { elements_.push_back(make()); });
    return entry == before;
  }

  HashIndex index_;
  std::vector<Datum> elements_;
};

/// Values by keys, in the order in which the keys were first inserted. Keys are copied: nothing is kept alive
/// that one is a part of.
template <typename T>
class DatumMap {
 public:
  using Entries = std::vector<std::pair<Datum, T>>;

  /// Roughly what an entry takes beside its key's own bytes.
  static constexpr std::size_t kEntryBytes = 2 * sizeof(std::pair<Datum, T>) + 16;

  std::size_t size() const { return entries_.size(); }
  /// The value of `key`, made by `make()` if it has none yet; good until the next key is inserted.
  template <typename Make>
  T& at(const Datum& key, Make make) {
    const std::size_t entry = index_.find_or_add(
        hash_value(key), [&](std::size_t i) { return entries_[i].first == key; },
        [&] { entries_.emplace_back(key.compact(), make()); });
    return entries_[entry].second;
  }
  /// The entries; the map is empty afterwards.
  Entries take() {
    index_ = HashIndex();
    return std::exchange(entries_, {});
  }

 private:
  HashIndex index_;
  Entries entries_;
};

}  // namespace reqld
