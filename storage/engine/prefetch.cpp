#include "storage/engine/prefetch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "storage/engine.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/lmdb_format.hpp"

namespace reqld::storage {
namespace {

constexpr std::size_t kCacheLine = 64;

/// Where the pages of a version are. They are read without trusting them: the file may be damaged.
struct Pages {
  const char* map;
  std::size_t page_size;
  std::uint64_t last;

  const char* at(std::uint64_t number) const { return number <= last ? map + number * page_size : nullptr; }
};

/// The way of one key from the root to its row, a step at a time: each asks for the memory that the next one needs.
class Descent {
 public:
  Descent() = default;
  Descent(const Pages& pages, std::uint64_t root, std::string_view key) : pages_(&pages), key_(key), page_(pages.at(root)) {}

  /// Begins the search in the page that was asked for last.
  void enter() {
    if (page_ == nullptr) return;
    branch_ = (lmdb::field<std::uint16_t>(page_, lmdb::kPageFlagsAt) & lmdb::kBranchFlag) != 0;
    const std::size_t lower = lmdb::field<std::uint16_t>(page_, lmdb::kPageLowerAt);
    nodes_ = lower > pages_->page_size || lower < lmdb::kPageHeaderBytes ? 0 : (lower - lmdb::kPageHeaderBytes) / 2;
    // The key of a branch page's first node stands for everything before the second.
    low_ = branch_ ? 1 : 0;
    high_ = nodes_;
    if (low_ < high_) __builtin_prefetch(node(middle()));
  }

  /// Halves what is left to search; false when that was found. In a branch page that is the first node behind the key, in a
  /// leaf the first that is not before it.
  bool step() {
    if (page_ == nullptr || low_ >= high_) return false;
    const char* const at = node(middle());
    const int order = node_key(at).compare(key_);
    if (order > 0 || (order == 0 && !branch_)) {
      high_ = middle();
    } else {
      low_ = middle() + 1;
    }
    if (low_ >= high_) return false;
    __builtin_prefetch(node(middle()));
    return true;
  }

  /// After the last step in a branch page: goes to the page below.
  void descend() {
    if (page_ == nullptr) return;
    page_ = branch_ && nodes_ > 0 ? pages_->at(lmdb::field<std::uint64_t>(node(low_ - 1), 0) & lmdb::kChildPageMask) : nullptr;
  }
  void prefetch_page() const { __builtin_prefetch(page_); }

  /// After the last step in a leaf. Whether the key is there.
  bool prefetch_row() const {
    if (page_ == nullptr || branch_ || low_ >= nodes_) return false;
    const char* const at = node(low_);
    if (node_key(at) != key_) return false;
    const std::size_t bytes = std::min(rest_of_page(at), key_.size() + lmdb::field<std::uint32_t>(at, 0));
    for (std::size_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(at + lmdb::kNodeHeaderBytes + i);
    return true;
  }

 private:
  std::size_t middle() const { return (low_ + high_) / 2; }
  const char* node(std::size_t number) const {
    const std::size_t at = lmdb::field<std::uint16_t>(page_, lmdb::kPageHeaderBytes + 2 * number);
    return page_ + std::min(at, pages_->page_size - lmdb::kNodeHeaderBytes);
  }
  std::string_view node_key(const char* node) const {
    const std::size_t bytes = lmdb::field<std::uint16_t>(node, lmdb::kNodeKeySizeAt);
    return {node + lmdb::kNodeHeaderBytes, std::min(bytes, rest_of_page(node))};
  }
  /// What a page can hold behind the header of a node.
  std::size_t rest_of_page(const char* node) const {
    return pages_->page_size - lmdb::kNodeHeaderBytes - static_cast<std::size_t>(node - page_);
  }

  const Pages* pages_ = nullptr;
  std::string_view key_;
  const char* page_ = nullptr;  ///< nullptr: there is no way on
  std::size_t nodes_ = 0;
  std::size_t low_ = 0;
  std::size_t high_ = 0;
  bool branch_ = false;
};

/// How many of the keys were found.
std::size_t descend_together(std::span<Descent> descents, unsigned depth) {
  for (unsigned level = 1;; ++level) {
    for (Descent& d : descents) d.enter();
    for (bool more = true; more;) {
      more = false;
      for (Descent& d : descents) more |= d.step();
    }
    if (level >= depth) break;
    for (Descent& d : descents) d.descend();
    // By themselves: a CPU that has to look an address up finishes nothing behind it, but meanwhile looks up those of the
    // next few instructions.
    for (Descent& d : descents) d.prefetch_page();
  }
  return static_cast<std::size_t>(
      std::count_if(descents.begin(), descents.end(), [](const Descent& d) { return d.prefetch_row(); }));
}

}  // namespace

std::size_t prefetch_rows(const Version& version, std::span<const std::string_view> keys) {
  if (version.map == nullptr) return 0;
  const auto meta_of = [&](std::uint64_t transaction) {
    MetaPage page;
    std::memcpy(page.data(), version.map + transaction % 2 * version.page_size, page.size());
    return read_meta(page);
  };
  const MetaInfo info = meta_of(version.transaction);
  // As long as the next commit has not written the other meta page, the one after that does not write over this one.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!info.valid || info.transaction != version.transaction) return 0;
  if (meta_of(version.transaction + 1).transaction > version.transaction) return 0;

  std::size_t found = 0;
  const Pages pages{version.map, version.page_size, info.last_page};
  for (; !keys.empty(); keys = keys.subspan(std::min(keys.size(), kPrefetchKeys))) {
    const std::size_t count = std::min(keys.size(), kPrefetchKeys);
    std::array<Descent, kPrefetchKeys> descents;
    for (std::size_t i = 0; i < count; ++i) descents[i] = Descent(pages, info.root, keys[i]);
    found += descend_together({descents.data(), count}, info.depth);
  }
  return found;
}

}  // namespace reqld::storage
