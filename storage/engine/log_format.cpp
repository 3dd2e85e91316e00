#include "storage/engine/log_format.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "storage/engine/crc32c.hpp"

namespace reqld::storage {
namespace {

constexpr char kSegmentMagic[] = "reqldlog";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kRecordMagic = 0x676c7152;  // "Rqlg"

template <typename T>
void append(std::string& out, T v) {
  char bytes[sizeof v];
  std::memcpy(bytes, &v, sizeof v);
  out.append(bytes, sizeof v);
}

template <typename T>
T load(std::string_view in, std::size_t at) {
  T v;
  std::memcpy(&v, in.data() + at, sizeof v);
  return v;
}

// Record header: magic u32, crc u32, payload crc u32, zero u32, payload bytes u64, sequence u64, durable u64, time u64.
// `crc` covers the nonce and everything in the header behind itself.
std::uint32_t header_crc(std::string_view header, std::uint64_t nonce) {
  std::uint32_t crc = crc32c(0, &nonce, sizeof nonce);
  return crc32c(crc, header.data() + 8, kRecordHeaderBytes - 8);
}

std::optional<RecordHeader> read_header(std::string_view segment, std::uint64_t offset, std::uint64_t nonce) {
  if (offset > segment.size() || segment.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const std::string_view h = segment.substr(offset, kRecordHeaderBytes);
  if (load<std::uint32_t>(h, 0) != kRecordMagic || load<std::uint32_t>(h, 4) != header_crc(h, nonce)) {
    return std::nullopt;
  }
  RecordHeader header{load<std::uint64_t>(h, 16), load<std::uint64_t>(h, 24), load<std::uint64_t>(h, 32),
                      load<std::uint64_t>(h, 40)};
  if (header.payload_bytes > segment.size() - offset - kRecordHeaderBytes) return std::nullopt;
  return header;
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out(kSegmentMagic, 8);
  append(out, kVersion);
  append(out, std::uint32_t{0});
  append(out, header.database);
  append(out, header.number);
  append(out, header.nonce);
  out.resize(kSegmentHeaderBytes - 4);
  append(out, crc32c(0, out.data(), out.size()));
  return out;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, 8) != std::string_view(kSegmentMagic, 8)) {
    return std::nullopt;
  }
  if (load<std::uint32_t>(bytes, kSegmentHeaderBytes - 4) != crc32c(0, bytes.data(), kSegmentHeaderBytes - 4)) {
    return std::nullopt;
  }
  if (load<std::uint32_t>(bytes, 8) != kVersion) return std::nullopt;
  return SegmentHeader{load<std::uint64_t>(bytes, 16), load<std::uint64_t>(bytes, 24), load<std::uint64_t>(bytes, 32)};
}

std::string encode_record_header(const RecordHeader& header, std::uint32_t payload_crc, std::uint64_t nonce) {
  std::string out;
  out.reserve(kRecordHeaderBytes);
  append(out, kRecordMagic);
  append(out, std::uint32_t{0});
  append(out, payload_crc);
  append(out, std::uint32_t{0});
  append(out, header.payload_bytes);
  append(out, header.sequence);
  append(out, header.durable);
  append(out, header.time_us);
  const std::uint32_t crc = header_crc(out, nonce);
  std::memcpy(out.data() + 4, &crc, sizeof crc);
  return out;
}

std::optional<Record> read_record(std::string_view segment, std::uint64_t offset, std::uint64_t nonce) {
  const auto header = read_header(segment, offset, nonce);
  if (!header) return std::nullopt;
  const std::string_view payload = segment.substr(offset + kRecordHeaderBytes, header->payload_bytes);
  if (crc32c(0, payload.data(), payload.size()) != load<std::uint32_t>(segment, offset + 8)) return std::nullopt;
  return Record{*header, payload};
}

bool record_proves_durable(std::string_view segment, std::uint64_t offset, std::uint64_t nonce, Sequence expected) {
  offset = std::max<std::uint64_t>(offset, kSegmentHeaderBytes);
  offset = (offset + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
  for (; offset + kRecordHeaderBytes <= segment.size(); offset += kRecordAlignment) {
    if (load<std::uint32_t>(segment, offset) != kRecordMagic) continue;
    const auto header = read_header(segment, offset, nonce);
    if (header && header->durable >= expected) return true;
  }
  return false;
}

std::string segment_name(std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "log.%08llu", static_cast<unsigned long long>(number));
  return name;
}

std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (!name.starts_with("log.") || name.size() < 12) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [p, ec] = std::from_chars(name.data() + 4, end, number);
  if (ec != std::errc() || p != end) return std::nullopt;
  return number;
}

}  // namespace reqld::storage
