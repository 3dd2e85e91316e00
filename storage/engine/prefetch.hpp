// Looking for many rows at once, so that their memory is waited for together and not for one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"
#include "storage/engine/lmdb_format.hpp"

namespace reqld::storage {

constexpr std::size_t kCacheLine = 64;

/// A version of the data that its user keeps by a read transaction.
struct Version {
  const char* map = nullptr;  ///< where the data file is mapped; nullptr: unknown
  std::size_t page_size = 0;
  std::uint64_t transaction = 0;
};

/// Where the pages of a version are. They are read without trusting them: the file may be damaged.
struct Tree {
  const char* map = nullptr;
  std::size_t page_size = 0;
  std::uint64_t last_page = 0;
  std::uint64_t root = 0;
  unsigned depth = 0;  ///< levels, that of the leaves included

  const char* page(std::uint64_t number) const { return number <= last_page ? map + number * page_size : nullptr; }
};

/// A page of the tree.
class PageView {
 public:
  PageView() = default;
  /// nullptr: an empty page.
  PageView(const char* page, std::size_t page_size) : page_(page), page_size_(page_size) {
    if (page_ == nullptr) return;
    branch_ = (lmdb::field<std::uint16_t>(page_, lmdb::kPageFlagsAt) & lmdb::kBranchFlag) != 0;
    const std::size_t lower = lmdb::field<std::uint16_t>(page_, lmdb::kPageLowerAt);
    nodes_ = lower > page_size_ || lower < lmdb::kPageHeaderBytes ? 0 : (lower - lmdb::kPageHeaderBytes) / 2;
  }

  bool is_branch() const { return branch_; }
  std::size_t nodes() const { return nodes_; }
  const char* node(std::size_t number) const {
    const std::size_t at = lmdb::field<std::uint16_t>(page_, lmdb::kPageHeaderBytes + 2 * number);
    return page_ + std::min(at, page_size_ - lmdb::kNodeHeaderBytes);
  }
  std::string_view key(const char* node) const {
    const std::size_t bytes = lmdb::field<std::uint16_t>(node, lmdb::kNodeKeySizeAt);
    return {node + lmdb::kNodeHeaderBytes, std::min(bytes, rest(node))};
  }
  /// What the page can hold behind the header of a node.
  std::size_t rest(const char* node) const {
    return page_size_ - lmdb::kNodeHeaderBytes - static_cast<std::size_t>(node - page_);
  }
  /// Of a branch page.
  std::uint64_t child(std::size_t number) const {
    return lmdb::field<std::uint64_t>(node(number), 0) & lmdb::kChildPageMask;
  }

 private:
  const char* page_ = nullptr;
  std::size_t page_size_ = 0;
  std::size_t nodes_ = 0;
  bool branch_ = false;
};

/// The tree of a version, to be kept as long as that is; nullopt when there is a newer version already.
std::optional<Tree> tree_of(const Version& version);

/// A row where it lies in its leaf.
struct LeafRow {
  std::string_view key;
  std::string_view stored;  ///< what LMDB has under the key
};

/// Asks the CPU for the rows of `keys`, and for what a search for them reads, as far as it is in memory. The rows that are there
/// go into `rows`, which has room for one for each key, in the order of the keys; answers how many. One that is not among them
/// may still be there: only LMDB knows.
std::size_t prefetch_rows(const Tree& tree, std::span<const std::string_view> keys, std::span<LeafRow> rows);

/// The rows that were looked for last and have not been asked for yet.
class RowsAhead {
 public:
  void look_for(const Tree& tree, std::span<const std::string_view> keys);
  /// What LMDB has under `key`, if that is one of the next rows, in the order in which they were looked for; nullopt: not known.
  std::optional<std::string_view> take(std::string_view key);
  void forget() { rows_.clear(); }

 private:
  std::vector<LeafRow> rows_;
  std::size_t next_ = 0;
  std::size_t missed_ = 0;  ///< keys that were asked for since one of the rows was
};

/// Asks for the leaf that a cursor comes to next, while it is in the one before. A hint.
class LeafAhead {
 public:
  /// `key` lies in the leaf where the cursor is.
  LeafAhead(const Tree& tree, bool forward, std::string_view key);

  /// The next leaf; nullptr when there is none.
  const char* leaf() const { return leaf_; }
  /// Asks for a few lines more of it: a whole page at once would keep the CPU from reading the rows that are there.
  void ask() {
    if (leaf_ == nullptr) return;
    const std::size_t to = std::min(tree_.page_size, asked_ + kAskedAtOnce);
    for (; asked_ < to; asked_ += kCacheLine) __builtin_prefetch(leaf_ + asked_);
  }
  /// The cursor has come to leaf().
  void advance();

 private:
  static constexpr std::size_t kAskedAtOnce = 8 * kCacheLine;

  struct Branch {
    PageView page;
    std::size_t child;
  };

  const Tree tree_;
  const bool forward_;
  std::vector<Branch> path_;  ///< from the root to above leaf_
  const char* leaf_ = nullptr;
  std::size_t asked_ = 0;  ///< bytes of the leaf
};

}  // namespace reqld::storage
