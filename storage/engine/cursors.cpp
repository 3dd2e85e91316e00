#include "storage/engine/cursors.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/engine/prefetch.hpp"
#include "storage/engine/read_view.hpp"

namespace reqld::storage {
namespace {

/// Chunks of large values are nobody's keys.
KeyRange without_chunks(KeyRange range) {
  if (range.upper.empty() || range.upper > kChunkKeys) range.upper = kChunkKeys;
  return range;
}

class LmdbCursor final : public Cursor {
 public:
  LmdbCursor(ReadView& view, const KeyRange& range, Direction direction)
      : view_(view), range_(without_chunks(range)), forward_(direction == Direction::kForward) {
    if (const int rc = mdb_cursor_open(view.lmdb(), view.dbi(), &cursor_); rc != 0) {
      throw std::runtime_error(std::string("storage: opening a cursor failed: ") + mdb_strerror(rc));
    }
    seek(forward_ ? std::string_view(range_.lower) : std::string_view(range_.upper));
  }
  ~LmdbCursor() override { mdb_cursor_close(cursor_); }
  LmdbCursor(const LmdbCursor&) = delete;
  LmdbCursor& operator=(const LmdbCursor&) = delete;

  bool valid() const override { return valid_; }
  std::string_view key() const override { return to_view(key_); }
  std::string_view value() const override {
    if (!loaded_) loaded_ = load_value(view_.lmdb(), view_.dbi(), to_view(value_), buffer_);
    return *loaded_;
  }

  void next() override {
    if (!valid_) return;
    move(forward_ ? MDB_NEXT : MDB_PREV);
    if (!valid_) return;
    if (page() != page_) {
      page_ = page();
      enter_leaf();
    }
    if (ahead_) ahead_->ask();
  }

  void seek(std::string_view key) override {
    go_to(key);
    page_ = page();
    ahead_.reset();
  }

 private:
  void go_to(std::string_view key) {
    if (forward_) {
      if (key < range_.lower) key = range_.lower;
      if (key.empty()) {
        move(MDB_FIRST);
      } else if (key.size() > max_key()) {
        seek_long(key);
      } else {
        key_ = to_val(key);
        move(MDB_SET_RANGE);
      }
      return;
    }
    // For backward cursors an empty key stands for the end of the range.
    if (key.empty() || key > range_.upper) key = range_.upper;
    if (key.size() > max_key()) {
      seek_long(key);
    } else {
      key_ = to_val(key);
      move(get(MDB_SET_RANGE) ? MDB_PREV : MDB_LAST);
    }
  }

  std::size_t max_key() const {
    return static_cast<std::size_t>(mdb_env_get_maxkeysize(mdb_txn_env(mdb_cursor_txn(cursor_))));
  }

  // LMDB refuses to look for a key longer than it can hold; its longest prefix is a neighbour.
  void seek_long(std::string_view key) {
    const std::string_view prefix = key.substr(0, max_key());
    key_ = to_val(prefix);
    bool after = get(MDB_SET_RANGE);
    if (after && to_view(key_) == prefix) after = get(MDB_NEXT);
    if (forward_) {
      loaded_.reset();
      valid_ = after && in_range();
    } else {
      move(after ? MDB_PREV : MDB_LAST);
    }
  }

  bool get(MDB_cursor_op op) { return found(mdb_cursor_get(cursor_, &key_, &value_, op)); }
  void move(MDB_cursor_op op) {
    loaded_.reset();
    valid_ = get(op) && in_range();
  }

  bool in_range() const {
    const std::string_view k = to_view(key_);
    return forward_ ? k < range_.upper : k >= range_.lower;
  }

  /// Where the leaf begins that the key lies in.
  const char* page() const {
    const char* const at = static_cast<const char*>(key_.mv_data);
    return at - reinterpret_cast<std::uintptr_t>(at) % view_.page_size();
  }

  /// Not the first one: who has read on so far will come to the next.
  void enter_leaf() {
    if (!ahead_) {
      if (const Tree* const tree = view_.tree()) ahead_.emplace(*tree, forward_, key());
    } else if (ahead_->leaf() == page_) {
      ahead_->advance();
    } else {
      ahead_.reset();
    }
  }

  ReadView& view_;
  const KeyRange range_;
  const bool forward_;
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{};
  MDB_val value_{};  ///< as it lies there
  const char* page_ = nullptr;
  std::optional<LeafAhead> ahead_;
  mutable std::optional<std::string_view> loaded_;
  mutable ValueBuffer buffer_;
  bool valid_ = false;
};

/// The keys of one memtable that a reader of commit `at` sees, those of removed rows among them.
class MemtableCursor {
 public:
  MemtableCursor(const Memtable& memtable, Sequence at, const KeyRange& range, Direction direction)
      : memtable_(&memtable), at_(at), range_(&range), forward_(direction == Direction::kForward) {
    seek(forward_ ? std::string_view(range.lower) : std::string_view(range.upper));
  }

  bool valid() const { return version_ != nullptr; }
  std::string_view key() const { return Memtable::key(node_); }
  const Memtable::Version& version() const { return *version_; }

  void seek(std::string_view key) {
    puts_ = memtable_->puts();
    if (forward_) {
      node_ = memtable_->at_or_after(std::max(key, std::string_view(range_->lower)));
    } else {
      // An empty key stands for the end of the range, and an empty end for that of all keys.
      if (!range_->upper.empty() && (key.empty() || key > range_->upper)) key = range_->upper;
      node_ = key.empty() ? memtable_->last() : memtable_->before(key);
    }
    settle();
  }

  /// Goes on behind `key`, where it may be already.
  void pass(std::string_view key) {
    if (at_ == kNewest && puts_ != memtable_->puts()) {
      puts_ = memtable_->puts();
      node_ = forward_ ? memtable_->at_or_after(key) : memtable_->before(key);
    }
    if (node_ != nullptr && Memtable::key(node_) == key) step();
    settle();
  }

 private:
  void step() { node_ = forward_ ? Memtable::next(node_) : memtable_->before(Memtable::key(node_)); }

  void settle() {
    for (version_ = nullptr; node_ != nullptr; step()) {
      const std::string_view key = Memtable::key(node_);
      if (forward_ ? !range_->upper.empty() && key >= range_->upper : key < range_->lower) return;
      version_ = Memtable::version(node_, at_);
      if (version_ != nullptr) return;
    }
  }

  const Memtable* memtable_;
  Sequence at_;
  const KeyRange* range_;
  bool forward_;
  const Memtable::Node* node_ = nullptr;
  const Memtable::Version* version_ = nullptr;  ///< nullptr: the end
  std::uint64_t puts_ = 0;
};

class MergingCursor final : public Cursor {
 public:
  MergingCursor(ReadView& view, const Layers& layers, Sequence at, const KeyRange& range, Direction direction)
      : range_(range), forward_(direction == Direction::kForward), base_(view, range, direction) {
    for (const Memtable* memtable : {layers.active.get(), layers.frozen.get()}) {
      if (memtable == nullptr) continue;
      const MemtableCursor above(*memtable, at, range_, direction);
      // What a reader does not see of the range now, it never will.
      if (above.valid() || at == kNewest) above_.push_back(above);
    }
    settle();
  }

  bool valid() const override { return valid_; }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return found_ != nullptr ? found_->value : base_.value(); }

  void next() override {
    if (!valid_) return;
    pass();
    settle();
  }

  void seek(std::string_view key) override {
    base_.seek(key);
    for (MemtableCursor& above : above_) above.seek(key);
    settle();
  }

 private:
  void pass() {
    for (MemtableCursor& above : above_) above.pass(key_);
    // Last: the key may be its.
    if (base_.valid() && base_.key() == key_) base_.next();
  }

  /// Takes the nearest key, of the uppermost layer that has it.
  void settle() {
    for (;;) {
      found_ = nullptr;
      valid_ = base_.valid();
      if (valid_) key_ = base_.key();
      for (auto above = above_.rbegin(); above != above_.rend(); ++above) {
        if (!above->valid()) continue;
        if (valid_ && above->key() != key_ && (above->key() < key_) != forward_) continue;
        valid_ = true;
        key_ = above->key();
        found_ = &above->version();
      }
      if (found_ == nullptr || !found_->gone) return;
      pass();
    }
  }

  const KeyRange range_;
  const bool forward_;
  LmdbCursor base_;
  std::vector<MemtableCursor> above_;  ///< the uppermost first
  std::string_view key_;
  const Memtable::Version* found_ = nullptr;  ///< nullptr: what is here is LMDB's
  bool valid_ = false;
};

}  // namespace

std::optional<std::string_view> lmdb_get(MDB_txn* txn, MDB_dbi dbi, std::string_view key, ValueBuffer& buffer) {
  MDB_val k = to_val(key);
  MDB_val v{};
  if (!found(mdb_get(txn, dbi, &k, &v))) return std::nullopt;
  return load_value(txn, dbi, to_view(v), buffer);
}

std::unique_ptr<Cursor> make_lmdb_cursor(ReadView& view, const KeyRange& range, Direction direction) {
  return std::make_unique<LmdbCursor>(view, range, direction);
}

std::unique_ptr<Cursor> make_merging_cursor(ReadView& view, const Layers& layers, Sequence at, const KeyRange& range,
                                            Direction direction) {
  return std::make_unique<MergingCursor>(view, layers, at, range, direction);
}

}  // namespace reqld::storage
