#include "storage/engine/read_view.hpp"

#include "storage/engine/cursors.hpp"
#include "storage/engine/prefetch.hpp"

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
  return lmdb_get(txn_, env_.dbi(), key, buffer_);
}

std::unique_ptr<Cursor> ReadView::cursor(const KeyRange& range, Direction direction) {
  if (layers_ == nullptr) return make_lmdb_cursor(txn_, env_.dbi(), range, direction);
  return make_merging_cursor(txn_, env_.dbi(), *layers_, sequence_, range, direction);
}

void ReadView::prefetch(std::span<const std::string_view> keys) {
  prefetch_rows({env_.map(txn_), env_.page_size(), mdb_txn_id(txn_)}, keys);
}

}  // namespace reqld::storage
