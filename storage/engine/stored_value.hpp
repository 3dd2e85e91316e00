// How a value lies in LMDB: as it is, or, when it is large, in chunks of a page each. LMDB would keep a large value in
// pages that lie in a row, and looks for such a row among all that are free: the longer, the more has been written before.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace reqld::storage {

/// The largest value that lies under its own key, in bytes.
constexpr std::size_t kLargestWholeValue = 16 * 1024;

/// Begins the keys of chunks. It is behind every other key: the engine takes none that is not below it.
constexpr std::string_view kChunkKeys = "\xff\xff\xff\xff";

/// What lies under the key of a value in chunks.
struct ChunkedValue {
  std::uint64_t id = 0;  ///< in the keys of its chunks
  std::uint64_t bytes = 0;
};
std::string encode_chunked(const ChunkedValue& value);
/// nullopt: `stored` is the value itself.
std::optional<ChunkedValue> decode_chunked(std::string_view stored);
/// Whether a value has to be in chunks: it is large, or looks like an encode_chunked().
bool goes_in_chunks(std::string_view value);
/// The key of chunk `number`, counted from 0.
std::string chunk_key(std::uint64_t id, std::uint32_t number);
/// Whose chunk is under `key`; nullopt: it is none.
std::optional<std::uint64_t> id_of_chunk(std::string_view key);

/// Memory for a value that was in chunks.
class ValueBuffer {
 public:
  /// Room for `bytes`, what was there before is lost.
  char* reserve(std::size_t bytes);

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
};

/// The value that was found as `stored` in `txn`: that, or the content of `buffer`. Throws std::runtime_error when it
/// cannot be read or is not whole.
std::string_view load_value(MDB_txn* txn, MDB_dbi dbi, std::string_view stored, ValueBuffer& buffer);

/// Tells `problem` of values whose chunks are not all there, and of chunks without a value. Throws std::runtime_error when the
/// tree cannot be read.
void verify_chunks(MDB_txn* txn, MDB_dbi dbi, const std::function<void(const std::string&)>& problem);

/// Whether a read found something. Throws std::runtime_error when the tree cannot be read: that must not look like one
/// without the key.
bool found(int lmdb_code);

}  // namespace reqld::storage
