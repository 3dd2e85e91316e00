// fuzz libs: reqld_storage
// The log's reader on arbitrary bytes, and on a segment with intact records that the input damages.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine/checkpoint_file.hpp"
#include "storage/engine/crc32c.hpp"
#include "storage/engine/log_format.hpp"
#include "storage/engine/write_set.hpp"

using namespace reqld::storage;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Reads records from the front as recovery does; returns how many.
std::size_t read_all(std::string_view segment, std::uint64_t nonce, std::vector<std::string>* payloads) {
  std::size_t count = 0;
  std::uint64_t offset = kSegmentHeaderBytes;
  while (const auto record = read_record(segment, offset, nonce)) {
    require(record->payload.size() == record->header.payload_bytes);
    if (payloads != nullptr) payloads->emplace_back(record->payload);
    std::string_view in = record->payload;
    LogEntry entry;
    while (!in.empty() && parse_entry(in, entry)) require(!entry.gone || entry.value.empty());
    offset += record_bytes(record->header.payload_bytes);
    ++count;
  }
  (void)record_proves_durable(segment, offset, nonce, 1);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto header = decode_segment_header(input)) read_all(input, header->nonce, nullptr);
  read_all(input, 0, nullptr);
  (void)decode_checkpoint(input);
  std::string_view entries = input;
  LogEntry entry;
  while (parse_entry(entries, entry)) {
    if (entries.empty()) break;
  }

  // A segment whose entries come from the input; what the writer wrote, the reader reads.
  if (size < 16) return 0;
  const std::uint64_t nonce = 0x1234567890abcdef;
  std::string segment = encode_segment_header({1, 2, nonce});
  std::vector<std::string> written;
  std::string_view rest = input.substr(8);
  for (Sequence sequence = 1; sequence <= 4 && !rest.empty(); ++sequence) {
    EntryBuffer buffer;
    const std::size_t key_size =
        std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 32);
    const std::string_view key = rest.substr(0, key_size);
    const std::string_view value = rest.substr(key_size, 64);
    buffer.append(key, value, false);
    buffer.append(key, {}, true);
    rest.remove_prefix(std::min(rest.size(), key_size + value.size()));
    std::vector<iovec> pieces;
    buffer.pieces({}, pieces);
    std::string payload;
    for (const iovec& piece : pieces) payload.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    require(payload.size() == buffer.bytes());
    segment += encode_record_header({payload.size(), sequence, sequence - 1, 0},
                                    crc32c(0, payload.data(), payload.size()), nonce);
    segment += payload;
    segment.resize((segment.size() + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment);
    written.push_back(std::move(payload));
  }
  std::vector<std::string> read;
  require(read_all(segment, nonce, &read) == written.size());
  require(read == written);
  require(read_all(segment, nonce + 1, nullptr) == 0);

  // One damaged byte: what is read is a beginning of what was written.
  std::uint32_t where = 0;
  std::memcpy(&where, data, sizeof where);
  std::string damaged = segment;
  damaged[where % damaged.size()] ^= static_cast<char>(data[4] | 1);
  read.clear();
  read_all(damaged, nonce, &read);
  require(read.size() <= written.size());
  for (std::size_t i = 0; i < read.size(); ++i) require(read[i] == written[i]);
  // And a torn tail.
  read.clear();
  read_all(std::string_view(segment).substr(0, where % (segment.size() + 1)), nonce, &read);
  for (std::size_t i = 0; i < read.size(); ++i) require(read[i] == written[i]);
  return 0;
}
