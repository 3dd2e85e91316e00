// How the one keyspace of the engine is divided. See docs/storage_format.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/big_endian.hpp"
#include "storage/engine.hpp"

namespace reqld::storage {

/// The first four bytes (big-endian) of every key. Numbers on disk: never change one.
enum Space : std::uint32_t {
  kMetaSpace = 0,         ///< a few named records: format, database id, counters
  kCatalogSpace = 1,      ///< databases, tables, indexes
  kSystemSpace = 2,       ///< small records that reql keeps
  kHeadSpace = 3,         ///< per table: number of rows and catalog stamp
  kBlobSpace = 4,         ///< per blob: BlobHead
  kChunkSpace = 5,        ///< blob id, chunk number -> bytes
  kGraveyardSpace = 6,    ///< sequence of the removal, blob id -> nothing
  kTaskSpace = 7,         ///< work that goes on in the background
  kChangeLogSpace = 8,    ///< space of a table, position -> change
  kLogHeadSpace = 9,      ///< space of a table that keeps a change log -> ChangeLogHead
  kFirstFreeSpace = 256,  ///< tables and indexes have numbers from here, none is given twice
};

inline constexpr std::size_t kSpaceBytes = 4;
/// The longest encoded primary key (to_primary_key answers at most 129 bytes).
inline constexpr std::size_t kMaxPrimaryKeyBytes = 160;
/// The largest encoded row, binaries out of line not counted.
inline constexpr std::size_t kMaxRowBytes = std::size_t{128} << 20;

inline std::string space_key(std::uint32_t space, std::string_view rest = {}) {
  std::string key;
  key.reserve(kSpaceBytes + rest.size());
  append_u32(space, key);
  key.append(rest);
  return key;
}
/// Every key of a space.
inline KeyRange whole_space(std::uint32_t space) {
  return {space_key(space), space_key(space + 1)};
}
/// A range of keys within a space; an empty upper bound is the end of the space.
inline KeyRange range_in_space(std::uint32_t space, std::string_view lower, std::string_view upper) {
  return {space_key(space, lower), upper.empty() ? space_key(space + 1) : space_key(space, upper)};
}

/// A key with about as many possible ones between it and `first` as between it and `last`: first < key <= last. nullopt:
/// they are neighbours, or nearly. Requires first < last, or answers nullopt.
std::optional<std::string> middle_key(std::string_view first, std::string_view last);

/// A key on the stack: the hot paths build one per row. Holds up to 511 bytes.
class KeyBuffer {
 public:
  explicit KeyBuffer(std::uint32_t space) {
    for (int i = 0; i < 4; ++i) bytes_[i] = static_cast<char>(space >> (24 - 8 * i));
  }
  KeyBuffer(std::uint32_t space, std::string_view rest) : KeyBuffer(space) { append(rest); }
  void append(std::string_view s) {
    if (s.size() > sizeof bytes_ - size_) throw_too_long();
    s.copy(bytes_ + size_, s.size());
    size_ += s.size();
  }
  void append_u32(std::uint32_t n) {
    const char bytes[4] = {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                           static_cast<char>(n)};
    append({bytes, 4});
  }
  void append_u64(std::uint64_t n) {
    append_u32(static_cast<std::uint32_t>(n >> 32));
    append_u32(static_cast<std::uint32_t>(n));
  }
  std::string_view view() const { return {bytes_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT: it is one

 private:
  [[noreturn]] static void throw_too_long();
  char bytes_[511];
  std::size_t size_ = kSpaceBytes;
};

/// The record of a table in kHeadSpace.
struct TableHead {
  std::uint64_t rows = 0;
  std::uint64_t stamp = 0;  ///< changes with each change of the table's catalog records; none is given twice
};
std::string encode_head(const TableHead& head);
TableHead decode_head(std::string_view bytes);  ///< throws StorageError(kCorrupt)

/// The record of a blob in kBlobSpace.
struct BlobHead {
  std::uint64_t length = 0;
  std::uint64_t rows = 0;    ///< how many rows hold it
  std::uint64_t buried = 0;  ///< sequence of the commit that took the last row away, while `rows` is 0
  std::uint32_t chunk_bytes = 0;
  std::uint64_t chunks() const { return chunk_bytes == 0 ? 0 : (length + chunk_bytes - 1) / chunk_bytes; }
};
std::string encode_blob_head(const BlobHead& head);
BlobHead decode_blob_head(std::string_view bytes);  ///< throws StorageError(kCorrupt)

// Names in kMetaSpace.
inline constexpr std::string_view kMetaFormat = "format";         ///< u32: kFormat
inline constexpr std::string_view kMetaDatabaseId = "id";         ///< 36 characters
inline constexpr std::string_view kMetaNextSpace = "next_space";  ///< u32
inline constexpr std::string_view kMetaNextBlob = "next_blob";    ///< u64
inline constexpr std::string_view kMetaIncarnations = "incarnations";  ///< (u64 id, u64 first sequence) of each start
/// There when the keys were copied into an engine that numbers its commits anew.
inline constexpr std::string_view kMetaRenumbered = "renumbered";
inline constexpr std::uint32_t kFormat = 1;

// First bytes of the keys in kTaskSpace; the number of the space follows.
inline constexpr char kTaskDropRows = 'd';   ///< rows of a dropped table: blobs are let go
inline constexpr char kTaskDropIndex = 'x';  ///< entries of a dropped index
inline constexpr char kTaskDropLog = 'l';    ///< changes of a table, up to the position that is the value
inline constexpr char kTaskBuild = 'b';      ///< value: the first primary key that is not built yet

}  // namespace reqld::storage
