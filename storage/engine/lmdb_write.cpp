#include "storage/engine/lmdb_write.hpp"

#include <utility>

#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/lmdb_format.hpp"
#include "storage/engine/page_writes.hpp"

namespace reqld::storage {

int LmdbWrite::begin(LmdbEnv& env) {
  int rc = mdb_txn_begin(env.env(), nullptr, 0, &txn_);
  if (rc != 0) {
    txn_ = nullptr;
    return rc;
  }
  chunk_bytes_ = env.page_size() - lmdb::kPageHeaderBytes;
  rc = mdb_cursor_open(txn_, env.dbi(), &cursor_);
  if (rc != 0) {
    cursor_ = nullptr;
    abort();
  }
  return rc;
}

int LmdbWrite::apply(const LogEntry& entry) {
  const MDB_val key = to_val(entry.key);
  return entry.gone ? erase(key) : put(key, entry.value);
}

int LmdbWrite::put(MDB_val key, std::string_view value) {
  std::string chunked;
  if (goes_in_chunks(value)) {
    if (const int rc = write_chunks(value, chunked); rc != 0) return rc;
    value = chunked;
  }
  // Finds the place and the value that was there in one descent.
  MDB_val before = to_val(value);
  int rc = mdb_cursor_put(cursor_, &key, &before, MDB_NOOVERWRITE);
  if (rc != MDB_KEYEXIST) return rc;
  const auto old = decode_chunked(to_view(before));
  MDB_val now = to_val(value);
  rc = mdb_cursor_put(cursor_, &key, &now, MDB_CURRENT);
  return rc == 0 && old ? erase_chunks(old->id) : rc;
}

int LmdbWrite::erase(MDB_val key) {
  MDB_val before{};
  int rc = mdb_cursor_get(cursor_, &key, &before, MDB_SET);
  if (rc == MDB_NOTFOUND) return 0;
  if (rc != 0) return rc;
  const auto old = decode_chunked(to_view(before));
  rc = mdb_cursor_del(cursor_, 0);
  return rc == 0 && old ? erase_chunks(old->id) : rc;
}

int LmdbWrite::write_chunks(std::string_view value, std::string& out) {
  MDB_val key{};
  MDB_val data{};
  ChunkedValue chunked{.id = 1, .bytes = value.size()};
  int rc = mdb_cursor_get(cursor_, &key, &data, MDB_LAST);
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  if (rc == 0) {
    if (const auto last = id_of_chunk(to_view(key))) chunked.id = *last + 1;
  }
  for (std::uint32_t number = 0; !value.empty(); ++number) {
    const std::string_view chunk = value.substr(0, chunk_bytes_);
    const std::string name = chunk_key(chunked.id, number);
    key = to_val(name);
    data = to_val(chunk);
    rc = mdb_cursor_put(cursor_, &key, &data, MDB_APPEND);
    if (rc != 0) return rc;
    value.remove_prefix(chunk.size());
  }
  out = encode_chunked(chunked);
  return 0;
}

int LmdbWrite::erase_chunks(std::uint64_t id) {
  const std::string first = chunk_key(id, 0);
  MDB_val key = to_val(first);
  MDB_val chunk{};
  int rc = mdb_cursor_get(cursor_, &key, &chunk, MDB_SET_RANGE);
  while (rc == 0 && id_of_chunk(to_view(key)) == id) {
    rc = mdb_cursor_del(cursor_, 0);
    if (rc == 0) rc = mdb_cursor_get(cursor_, &key, &chunk, MDB_NEXT);
  }
  return rc == MDB_NOTFOUND ? 0 : rc;
}

int LmdbWrite::commit() {
  close_cursor();
  const ShortPageWrites short_writes;
  return mdb_txn_commit(std::exchange(txn_, nullptr));
}

void LmdbWrite::abort() {
  close_cursor();
  if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

void LmdbWrite::close_cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(std::exchange(cursor_, nullptr));
}

}  // namespace reqld::storage
