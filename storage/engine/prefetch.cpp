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

/// The search for one key in one page, a step at a time: each asks for the memory that the next one needs.
class Search {
 public:
  Search() = default;
  Search(const PageView& page, std::string_view key)
      // The key of a branch page's first node stands for everything before the second.
      : page_(page), key_(key), low_(page.is_branch() ? 1 : 0), high_(page.nodes()) {
    if (low_ < high_) __builtin_prefetch(page_.node(middle()));
  }

  /// Halves what is left to search; false when the place was found.
  bool step() {
    if (low_ >= high_) return false;
    const int order = page_.key(page_.node(middle())).compare(key_);
    if (order > 0 || (order == 0 && !page_.is_branch())) {
      high_ = middle();
    } else {
      low_ = middle() + 1;
    }
    if (low_ >= high_) return false;
    __builtin_prefetch(page_.node(middle()));
    return true;
  }

  /// After the last step: in a branch page the child that has the key, in a leaf the first node that is not before it.
  std::size_t place() const { return page_.is_branch() ? low_ - 1 : low_; }

 private:
  std::size_t middle() const { return (low_ + high_) / 2; }

  PageView page_;
  std::string_view key_;
  std::size_t low_ = 0;
  std::size_t high_ = 0;
};

/// The way of one key from the root to its row.
class Descent {
 public:
  Descent() = default;
  Descent(const Tree& tree, std::string_view key) : tree_(&tree), key_(key), page_(tree.page(tree.root)) {}

  /// Begins the search in the page that was asked for last.
  void enter() {
    view_ = PageView(page_, tree_->page_size);
    search_ = Search(view_, key_);
  }
  bool step() { return search_.step(); }

  /// After the last step in a branch page: goes to the page below.
  void descend() {
    page_ = view_.is_branch() && view_.nodes() > 0 ? tree_->page(view_.child(search_.place())) : nullptr;
  }
  void prefetch_page() const { __builtin_prefetch(page_); }

  /// After the last step in a leaf: asks for the row, if it is there.
  std::optional<LeafRow> prefetch_row() const {
    if (view_.is_branch() || search_.place() >= view_.nodes()) return std::nullopt;
    const char* const at = view_.node(search_.place());
    const std::string_view key = view_.key(at);
    if (key != key_) return std::nullopt;
    const std::optional<std::string_view> stored = value_of(at, key);
    if (!stored) return std::nullopt;
    const std::size_t asked = std::min(stored->size(), tree_->page_size);
    for (std::size_t i = 0; i < asked; i += kCacheLine) __builtin_prefetch(stored->data() + i);
    return LeafRow{key, *stored};
  }

 private:
  /// Of the leaf's node `at`; nullopt when that cannot be.
  std::optional<std::string_view> value_of(const char* at, std::string_view key) const {
    const std::size_t bytes = lmdb::field<std::uint32_t>(at, lmdb::kNodeValueSizeAt);
    const char* const behind_key = key.data() + key.size();
    const std::size_t rest = view_.rest(at) - key.size();
    switch (lmdb::field<std::uint16_t>(at, lmdb::kNodeFlagsAt)) {
      case 0:
        return bytes <= rest ? std::optional(std::string_view(behind_key, bytes)) : std::nullopt;
      case lmdb::kOwnPagesFlag: {
        if (rest < sizeof(std::uint64_t)) return std::nullopt;
        const auto first = lmdb::field<std::uint64_t>(behind_key, 0);
        const std::size_t more = (lmdb::kPageHeaderBytes + bytes - 1) / tree_->page_size;
        const char* const page = first <= tree_->last_page ? tree_->page(first + more) : nullptr;
        return page != nullptr ? std::optional(std::string_view(tree_->page(first) + lmdb::kPageHeaderBytes, bytes)) : std::nullopt;
      }
      default:
        return std::nullopt;
    }
  }

  const Tree* tree_ = nullptr;
  std::string_view key_;
  const char* page_ = nullptr;  ///< nullptr: there is no way on
  PageView view_;
  Search search_;
};

void descend_together(std::span<Descent> descents, unsigned depth) {
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
}

}  // namespace

std::optional<Tree> tree_of(const Version& version) {
  if (version.map == nullptr) return std::nullopt;
  const auto meta_of = [&](std::uint64_t transaction) {
    MetaPage page;
    std::memcpy(page.data(), version.map + transaction % 2 * version.page_size, page.size());
    return read_meta(page);
  };
  const MetaInfo info = meta_of(version.transaction);
  // As long as the next commit has not written the other meta page, the one after that does not write over this one.
#ifndef __SANITIZE_THREAD__  // which knows no fences
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
  if (!info.valid || info.transaction != version.transaction) return std::nullopt;
  if (meta_of(version.transaction + 1).transaction > version.transaction) return std::nullopt;
  return Tree{version.map, version.page_size, info.last_page, info.root, info.depth};
}

std::size_t prefetch_rows(const Tree& tree, std::span<const std::string_view> keys, std::span<LeafRow> rows) {
  std::size_t found = 0;
  for (; !keys.empty(); keys = keys.subspan(std::min(keys.size(), kPrefetchKeys))) {
    const std::size_t count = std::min(keys.size(), kPrefetchKeys);
    std::array<Descent, kPrefetchKeys> descents;
    for (std::size_t i = 0; i < count; ++i) descents[i] = Descent(tree, keys[i]);
    descend_together({descents.data(), count}, tree.depth);
    for (std::size_t i = 0; i < count; ++i) {
      if (const auto row = descents[i].prefetch_row()) rows[found++] = *row;
    }
  }
  return found;
}

void RowsAhead::look_for(const Tree& tree, std::span<const std::string_view> keys) {
  rows_.resize(keys.size());
  rows_.resize(prefetch_rows(tree, keys, rows_));
  next_ = missed_ = 0;
}

std::optional<std::string_view> RowsAhead::take(std::string_view key) {
  if (next_ >= rows_.size()) return std::nullopt;
  // Not further: of many that are never asked for, a search through all would cost more than one in the tree.
  const std::size_t end = std::min(rows_.size(), next_ + kPrefetchKeys);
  for (std::size_t i = next_; i < end; ++i) {
    if (rows_[i].key != key) continue;
    next_ = i + 1;
    missed_ = 0;
    return rows_[i].stored;
  }
  // Nobody is coming for them.
  if (++missed_ == kPrefetchKeys) forget();
  return std::nullopt;
}

LeafAhead::LeafAhead(const Tree& tree, bool forward, std::string_view key) : tree_(tree), forward_(forward) {
  const char* page = tree_.page(tree_.root);
  while (path_.size() + 1 < tree_.depth) {
    const PageView view(page, tree_.page_size);
    if (!view.is_branch() || view.nodes() == 0) {
      path_.clear();
      return;
    }
    Search search(view, key);
    while (search.step()) {
    }
    path_.push_back({view, search.place()});
    page = tree_.page(view.child(search.place()));
  }
  advance();
}

void LeafAhead::advance() {
  leaf_ = nullptr;
  while (!path_.empty() && path_.back().child == (forward_ ? path_.back().page.nodes() - 1 : 0)) path_.pop_back();
  if (path_.empty()) return;
  path_.back().child += forward_ ? 1 : std::size_t{0} - 1;
  for (;;) {
    const char* const below = tree_.page(path_.back().page.child(path_.back().child));
    if (path_.size() + 1 == tree_.depth) {
      leaf_ = below;
      break;
    }
    const PageView view(below, tree_.page_size);
    if (!view.is_branch() || view.nodes() == 0) return path_.clear();
    path_.push_back({view, forward_ ? 0 : view.nodes() - 1});
  }
  asked_ = 0;
}

}  // namespace reqld::storage
