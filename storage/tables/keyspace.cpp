#include "storage/tables/keyspace.hpp"

#include <algorithm>

#include "storage/database.hpp"

namespace reqld::storage {

void KeyBuffer::throw_too_long() {
  throw StorageError({ErrorKind::kKeyTooLong, "A stored key is longer than 511 bytes."});
}

std::optional<std::string> middle_key(std::string_view first, std::string_view last) {
  const auto [in_first, in_last] = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
  const auto common = static_cast<std::size_t>(in_last - last.begin());
  const auto number = [common](std::string_view key) {
    std::string digits(key.substr(std::min(common, key.size()), 8));
    digits.resize(8, '\0');
    return load_u64(digits);
  };
  const std::uint64_t low = number(first);
  const std::uint64_t high = number(last);
  if (high <= low + 1) return std::nullopt;
  std::string key(last.substr(0, common));
  append_u64(low + (high - low) / 2, key);
  return key;
}

std::string encode_head(const TableHead& head) {
  std::string out;
  append_u64(head.rows, out);
  append_u64(head.stamp, out);
  return out;
}

TableHead decode_head(std::string_view bytes) {
  if (bytes.size() != 16) throw StorageError({ErrorKind::kCorrupt, "A table's head record is damaged."});
  return {load_u64(bytes), load_u64(bytes.substr(8))};
}

std::string encode_blob_head(const BlobHead& head) {
  std::string out;
  append_u64(head.length, out);
  append_u64(head.rows, out);
  append_u64(head.buried, out);
  append_u32(head.chunk_bytes, out);
  return out;
}

BlobHead decode_blob_head(std::string_view bytes) {
  if (bytes.size() != 28) throw StorageError({ErrorKind::kCorrupt, "A binary's head record is damaged."});
  return {load_u64(bytes), load_u64(bytes.substr(8)), load_u64(bytes.substr(16)), load_u32(bytes.substr(24))};
}

}  // namespace reqld::storage
