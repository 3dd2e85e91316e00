// The log's bytes: segment header, record header, and a reader that trusts nothing. See docs/storage_format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"
#include "storage/engine/write_set.hpp"

namespace reqld::storage {

/// A place between two records.
struct LogPosition {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  bool operator==(const LogPosition&) const = default;
};

struct SegmentHeader {
  std::uint64_t database = 0;  ///< random, one per data directory: logs of another one are not ours
  std::uint64_t number = 0;
  std::uint64_t nonce = 0;  ///< random, new with each use of the file: a stale or forged record cannot pass for one of ours
};
constexpr std::size_t kSegmentHeaderBytes = 64;
std::string encode_segment_header(const SegmentHeader& header);
std::optional<SegmentHeader> decode_segment_header(std::string_view bytes);

struct RecordHeader {
  std::uint64_t payload_bytes = 0;
  Sequence sequence = 0;
  Sequence durable = 0;       ///< everything up to here was on disk when this record was written
  std::uint64_t time_us = 0;  ///< since 1970, when the commit was made
};
constexpr std::size_t kRecordHeaderBytes = 48;
constexpr std::size_t kRecordAlignment = 8;

/// Header bytes for a payload whose CRC-32C (from 0) is `payload_crc`.
std::string encode_record_header(const RecordHeader& header, std::uint32_t payload_crc, std::uint64_t nonce);

constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) {
  return (kRecordHeaderBytes + payload_bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

struct Record {
  RecordHeader header;
  std::string_view payload;
};

/// The record that starts at `offset` of a segment's bytes, if there is a whole and intact one.
std::optional<Record> read_record(std::string_view segment, std::uint64_t offset, std::uint64_t nonce);

/// Looks for an intact record at or behind `offset` that says that `expected` had been on disk before it.
bool record_proves_durable(std::string_view segment, std::uint64_t offset, std::uint64_t nonce, Sequence expected);

std::string segment_name(std::uint64_t number);                      ///< "log.00000001"
std::optional<std::uint64_t> segment_number(std::string_view name);  ///< of a file name; nullopt for other files

}  // namespace reqld::storage
