#include "storage/engine/cursors.hpp"

#include <stdexcept>
#include <string>

namespace reqld::storage {
namespace {

/// Chunks of large values are nobody's keys.
KeyRange without_chunks(KeyRange range) {
  if (range.upper.empty() || range.upper > kChunkKeys) range.upper = kChunkKeys;
  return range;
}

class LmdbCursor final : public Cursor {
 public:
  LmdbCursor(MDB_txn* txn, MDB_dbi dbi, const KeyRange& range, Direction direction)
      : txn_(txn), dbi_(dbi), range_(without_chunks(range)), forward_(direction == Direction::kForward) {
    if (const int rc = mdb_cursor_open(txn, dbi, &cursor_); rc != 0) {
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
    if (!loaded_) loaded_ = load_value(txn_, dbi_, to_view(value_), buffer_);
    return *loaded_;
  }

  void next() override {
    if (valid_) move(forward_ ? MDB_NEXT : MDB_PREV);
  }

  void seek(std::string_view key) override {
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

 private:
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

  MDB_txn* const txn_;
  const MDB_dbi dbi_;
  const KeyRange range_;
  const bool forward_;
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{};
  MDB_val value_{};  ///< as it lies there
  mutable std::optional<std::string_view> loaded_;
  mutable ValueBuffer buffer_;
  bool valid_ = false;
};

/// While a job runs, its writes go to the overlay only: the LMDB side of this cursor stands still beneath it.
class MergingCursor final : public Cursor {
 public:
  MergingCursor(MDB_txn* txn, MDB_dbi dbi, const Overlay& overlay, const KeyRange& range, Direction direction)
      : overlay_(overlay), range_(range), forward_(direction == Direction::kForward), base_(txn, dbi, range, direction) {
    seek_overlay(forward_ ? std::string_view(range_.lower) : std::string_view(range_.upper));
    settle();
  }

  bool valid() const override { return valid_; }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return from_overlay_ ? value_ : base_.value(); }

  void next() override {
    if (!valid_) return;
    if (base_.valid() && base_.key() == key_) base_.next();
    step_overlay_past(key_);
    settle();
  }

  void seek(std::string_view key) override {
    base_.seek(key);
    seek_overlay(key);
    settle();
  }

 private:
  void seek_overlay(std::string_view key) {
    version_ = overlay_.version();
    if (forward_) {
      if (key < range_.lower) key = range_.lower;
      node_ = overlay_.at_or_after(key);
    } else {
      if (!range_.upper.empty() && (key.empty() || key > range_.upper)) key = range_.upper;
      node_ = key.empty() ? overlay_.last() : overlay_.before(key);
    }
    check_bounds();
  }

  void step_overlay_past(std::string_view key) {
    if (version_ == overlay_.version()) {
      if (node_ == nullptr || Overlay::entry(node_).key != key) return;  // already past
      node_ = forward_ ? Overlay::next(node_) : overlay_.before(key);
    } else {
      version_ = overlay_.version();
      if (forward_) {
        node_ = overlay_.at_or_after(key);
        if (node_ != nullptr && Overlay::entry(node_).key == key) node_ = Overlay::next(node_);
      } else {
        node_ = overlay_.before(key);
      }
    }
    check_bounds();
  }

  void check_bounds() {
    if (node_ == nullptr) return;
    const std::string_view k = Overlay::entry(node_).key;
    if (forward_ ? !range_.upper.empty() && k >= range_.upper : k < range_.lower) node_ = nullptr;
  }

  /// Takes the nearer of the two sides; the overlay's entry hides LMDB's of the same key.
  void settle() {
    for (;;) {
      const LogEntry* over = node_ != nullptr ? &Overlay::entry(node_) : nullptr;
      valid_ = over != nullptr || base_.valid();
      if (!valid_) return;
      from_overlay_ =
          over != nullptr && (!base_.valid() || over->key == base_.key() || (over->key < base_.key()) == forward_);
      if (!from_overlay_) {
        key_ = base_.key();
        return;
      }
      key_ = over->key;
      value_ = over->value;
      if (!over->gone) return;
      if (base_.valid() && base_.key() == key_) base_.next();
      step_overlay_past(key_);
    }
  }

  const Overlay& overlay_;
  const KeyRange range_;
  const bool forward_;
  LmdbCursor base_;
  const Overlay::Node* node_ = nullptr;
  std::uint64_t version_ = 0;
  std::string_view key_;
  std::string_view value_;  ///< the overlay's
  bool from_overlay_ = false;
  bool valid_ = false;
};

}  // namespace

std::optional<std::string_view> lmdb_get(MDB_txn* txn, MDB_dbi dbi, std::string_view key, ValueBuffer& buffer) {
  MDB_val k = to_val(key);
  MDB_val v{};
  if (!found(mdb_get(txn, dbi, &k, &v))) return std::nullopt;
  return load_value(txn, dbi, to_view(v), buffer);
}

std::unique_ptr<Cursor> make_lmdb_cursor(MDB_txn* txn, MDB_dbi dbi, const KeyRange& range, Direction direction) {
  return std::make_unique<LmdbCursor>(txn, dbi, range, direction);
}

std::unique_ptr<Cursor> make_merging_cursor(MDB_txn* txn, MDB_dbi dbi, const Overlay& overlay, const KeyRange& range,
                                            Direction direction) {
  return std::make_unique<MergingCursor>(txn, dbi, overlay, range, direction);
}

}  // namespace reqld::storage
