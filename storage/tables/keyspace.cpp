#include "storage/tables/keyspace.hpp"

#include "storage/database.hpp"

namespace reqld::storage {

void KeyBuffer::throw_too_long() {
  throw StorageError({ErrorKind::kKeyTooLong, "A stored key is longer than 511 bytes."});
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
