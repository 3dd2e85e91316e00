#include "storage/engine/read_view.hpp"

#include "storage/engine/cursors.hpp"

namespace reqld::storage {

ReadView::ReadView(LmdbEnv& env, const CurrentLayers& layers, Of of) : env_(env) {
  for (;;) {
    layers_ = layers.get();
    reader_ = env.acquire_read();
    if (!layers.overtaken(*layers_)) break;
    env.release_read(std::move(reader_));
  }
  if (of == Of::kWriter) return;
  // Not before the transaction: that may hold what the active memtable got up to then.
  sequence_ = layers_->active->newest();
  if (layers_->frozen == nullptr && layers_->active->empty()) layers_.reset();
}

ReadView::~ReadView() { env_.release_read(std::move(reader_)); }

std::optional<std::string_view> ReadView::get(std::string_view key) {
  if (layers_ != nullptr) {
    const Memtable::Version* found = layers_->active->find(key, sequence_);
    if (found == nullptr && layers_->frozen != nullptr) found = layers_->frozen->find(key, sequence_);
    if (found != nullptr) return found->gone ? std::nullopt : std::optional(found->value);
  }
  if (const auto stored = reader_->ahead.take(key)) return load_value(lmdb(), env_.dbi(), *stored, buffer_);
  return lmdb_get(lmdb(), env_.dbi(), key, buffer_);
}

std::unique_ptr<Cursor> ReadView::cursor(const KeyRange& range, Direction direction) {
  if (layers_ == nullptr) return make_lmdb_cursor(*this, range, direction);
  return make_merging_cursor(*this, *layers_, sequence_, range, direction);
}

void ReadView::prefetch(std::span<const std::string_view> keys) {
  if (const Tree* const known = tree()) reader_->ahead.look_for(*known, keys);
}

const Tree* ReadView::tree() {
  PooledReader& reader = *reader_;
  if (!reader.looked_for_tree) reader.tree = tree_of({env_.map(reader.txn), env_.page_size(), reader.version});
  reader.looked_for_tree = true;
  return reader.tree ? &*reader.tree : nullptr;
}

}  // namespace reqld::storage
