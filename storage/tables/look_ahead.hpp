// Keys whose rows will be read next, up to as many as are best looked for together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

class LookAhead {
 public:
  bool full() const { return count_ == kPrefetchKeys; }
  std::size_t size() const { return count_; }

  /// Not when it is full.
  void add(std::uint32_t space, std::string_view rest) {
    if (count_ == 0) bytes_.reserve(kPrefetchKeys * (kSpaceBytes + rest.size()));
    append_u32(space, bytes_);
    bytes_.append(rest);
    ends_[count_++] = bytes_.size();
  }

  /// Has the rows looked for, and forgets the keys. A hint, see Snapshot::prefetch.
  void prefetch(Snapshot& snapshot) {
    if (count_ == 0) return;
    std::array<std::string_view, kPrefetchKeys> keys;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      keys[i] = std::string_view(bytes_).substr(begin, ends_[i] - begin);
      begin = ends_[i];
    }
    snapshot.prefetch({keys.data(), count_});
    bytes_.clear();
    count_ = 0;
  }

 private:
  std::string bytes_;
  std::array<std::size_t, kPrefetchKeys> ends_{};
  std::size_t count_ = 0;
};

}  // namespace reqld::storage
