#include "storage/engine/read_view.hpp"

#include "storage/engine/cursors.hpp"

namespace reqld::storage {

ReadView::ReadView(LmdbEnv& env, const CurrentLayers& layers, Of of) : env_(env) {
  for (;;) {
    layers_ = layers.get();
    txn_ = env.acquire_read();
    if (!layers.overtaken(*layers_)) break;
    env.release_read(txn_);
  }
  if (of == Of::kWriter) return;
  // Not before the transaction: that may hold what the active memtable got up to then.
  sequence_ = layers_->active->newest();
  if (layers_->frozen == nullptr && layers_->active->empty()) layers_.reset();
}

ReadView::~ReadView() { env_.release_read(txn_); }

std::optional<std::string_view> ReadView::get(std::string_view key) {
  if (layers_ != nullptr) {
    const Memtable::Version* found = layers_->active->find(key, sequence_);
    if (found == nullptr && layers_->frozen != nullptr) found = layers_->frozen->find(key, sequence_);
    if (found != nullptr) return found->gone ? std::nullopt : std::optional(found->value);
  }
  if (const auto stored = ahead_.take(key)) return load_value(txn_, env_.dbi(), *stored, buffer_);
  return lmdb_get(txn_, env_.dbi(), key, buffer_);
}

std::unique_ptr<Cursor> ReadView::cursor(const KeyRange& range, Direction direction) {
  if (layers_ == nullptr) return make_lmdb_cursor(*this, range, direction);
  return make_merging_cursor(*this, *layers_, sequence_, range, direction);
}

void ReadView::prefetch(std::span<const std::string_view> keys) {
  if (const Tree* const known = tree()) ahead_.look_for(*known, keys);
}

const Tree* ReadView::tree() {
  if (!looked_for_tree_) tree_ = tree_of({env_.map(txn_), env_.page_size(), mdb_txn_id(txn_)});
  looked_for_tree_ = true;
  return tree_ ? &*tree_ : nullptr;
}

}  // namespace reqld::storage
