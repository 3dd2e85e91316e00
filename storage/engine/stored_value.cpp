#include "storage/engine/stored_value.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <unordered_map>

#include "storage/big_endian.hpp"
#include "storage/engine/lmdb_env.hpp"

namespace reqld::storage {
namespace {

// A value of a user that looks like this goes in chunks itself, so that nothing can be mistaken.
constexpr std::string_view kMark("\xff\xfe" "chunked\0", 10);
constexpr std::size_t kEncodedBytes = kMark.size() + 2 * sizeof(std::uint64_t);
constexpr std::size_t kChunkKeyBytes = kChunkKeys.size() + sizeof(std::uint64_t) + sizeof(std::uint32_t);

struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using CursorOwner = std::unique_ptr<MDB_cursor, CloseCursor>;

CursorOwner open_cursor(MDB_txn* txn, MDB_dbi dbi) {
  MDB_cursor* opened = nullptr;
  found(mdb_cursor_open(txn, dbi, &opened));
  return CursorOwner(opened);
}

}  // namespace

std::string encode_chunked(const ChunkedValue& value) {
  std::string out(kMark);
  append_u64(value.id, out);
  append_u64(value.bytes, out);
  return out;
}

std::optional<ChunkedValue> decode_chunked(std::string_view stored) {
  if (stored.size() != kEncodedBytes || !stored.starts_with(kMark)) return std::nullopt;
  stored.remove_prefix(kMark.size());
  return ChunkedValue{load_u64(stored), load_u64(stored.substr(sizeof(std::uint64_t)))};
}

bool goes_in_chunks(std::string_view value) {
  return value.size() > kLargestWholeValue || decode_chunked(value).has_value();
}

std::string chunk_key(std::uint64_t id, std::uint32_t number) {
  std::string key;
  key.reserve(kChunkKeyBytes);
  key = kChunkKeys;
  append_u64(id, key);
  append_u32(number, key);
  return key;
}

std::optional<std::uint64_t> id_of_chunk(std::string_view key) {
  if (key.size() != kChunkKeyBytes || !key.starts_with(kChunkKeys)) return std::nullopt;
  return load_u64(key.substr(kChunkKeys.size()));
}

char* ValueBuffer::reserve(std::size_t bytes) {
  if (bytes > capacity_) {
    data_.reset();
    data_.reset(new char[bytes]);
    capacity_ = bytes;
  }
  return data_.get();
}

std::string_view load_value(MDB_txn* txn, MDB_dbi dbi, std::string_view stored, ValueBuffer& buffer) {
  const std::optional<ChunkedValue> chunked = decode_chunked(stored);
  if (!chunked) return stored;
  const CursorOwner cursor = open_cursor(txn, dbi);
  char* const data = buffer.reserve(chunked->bytes);
  std::uint64_t have = 0;
  const std::string first = chunk_key(chunked->id, 0);
  MDB_val key = to_val(first);
  MDB_val chunk{};
  for (bool more = found(mdb_cursor_get(cursor.get(), &key, &chunk, MDB_SET_RANGE));
       more && have < chunked->bytes && id_of_chunk(to_view(key)) == chunked->id;
       more = found(mdb_cursor_get(cursor.get(), &key, &chunk, MDB_NEXT))) {
    const std::size_t size = std::min<std::uint64_t>(chunk.mv_size, chunked->bytes - have);
    std::memcpy(data + have, chunk.mv_data, size);
    have += size;
  }
  if (have != chunked->bytes) throw std::runtime_error("storage: a large value is not whole");
  return {data, chunked->bytes};
}

void verify_chunks(MDB_txn* txn, MDB_dbi dbi, const std::function<void(const std::string&)>& problem) {
  struct Value {
    std::uint64_t bytes = 0;
    std::uint64_t found = 0;
    std::uint64_t chunks = 0;
  };
  std::unordered_map<std::uint64_t, Value> values;
  const CursorOwner cursor = open_cursor(txn, dbi);
  MDB_val key{};
  MDB_val value{};
  bool more = found(mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST));
  const auto next = [&] { more = found(mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)); };
  for (; more && to_view(key) < kChunkKeys; next()) {
    const auto chunked = decode_chunked(to_view(value));
    if (!chunked) continue;
    if (!values.try_emplace(chunked->id, Value{.bytes = chunked->bytes}).second)
      problem("Two values have the same chunks, of number " + std::to_string(chunked->id) + ".");
  }
  for (; more; next()) {
    const auto id = id_of_chunk(to_view(key));
    const auto of = id ? values.find(*id) : values.end();
    if (of == values.end()) {
      problem("A chunk belongs to no value" + (id ? ", number " + std::to_string(*id) : std::string()) + ".");
      continue;
    }
    if (to_view(key) != chunk_key(*id, static_cast<std::uint32_t>(of->second.chunks++)))
      problem("A chunk of value " + std::to_string(*id) + " is missing or out of order.");
    of->second.found += value.mv_size;
  }
  for (const auto& [id, v] : values) {
    if (v.found != v.bytes)
      problem("The chunks of value " + std::to_string(id) + " have " + std::to_string(v.found) + " bytes, not " +
              std::to_string(v.bytes) + ".");
  }
}

bool found(int code) {
  if (code == 0) return true;
  if (code == MDB_NOTFOUND || code == MDB_BAD_VALSIZE) return false;
  throw std::runtime_error(std::string("storage: reading failed: ") + mdb_strerror(code));
}

}  // namespace reqld::storage
