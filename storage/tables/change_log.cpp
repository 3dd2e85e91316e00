#include "storage/tables/change_log.hpp"

#include <algorithm>
#include <chrono>

#include "storage/tables/blobs.hpp"

namespace reqld::storage {

namespace {

[[noreturn]] void throw_damaged() {
  throw StorageError({ErrorKind::kCorrupt, "A change log is damaged."});
}

constexpr std::size_t kPositionBytes = 12;
constexpr std::size_t kRecordHead = 8 + 4 + 4;  // time, key length, old row's length

void append_row(const Datum& row, std::string& out) {
  if (row.is_null()) return;
  const std::string_view bytes = row.slice_bytes();
  if (bytes.empty())
    row.encode(out);
  else
    out.append(bytes);
}

std::vector<BlobRef> sorted_blobs(const Datum& row) {
  std::vector<BlobRef> refs;
  collect_blobs(row, refs);
  std::sort(refs.begin(), refs.end(), [](const BlobRef& a, const BlobRef& b) { return a.id < b.id; });
  refs.erase(
      std::unique(refs.begin(), refs.end(), [](const BlobRef& a, const BlobRef& b) { return a.id == b.id; }),
      refs.end());
  return refs;
}

}  // namespace

std::string encode_position(ChangePosition at) {
  std::string out;
  append_u64(at.sequence, out);
  append_u32(at.ordinal, out);
  return out;
}

ChangePosition decode_position(std::string_view bytes) {
  if (bytes.size() != kPositionBytes) throw_damaged();
  return {load_u64(bytes), load_u32(bytes.substr(8))};
}

std::string log_head_key(std::uint32_t table_space) {
  std::string key = space_key(kLogHeadSpace);
  append_u32(table_space, key);
  return key;
}

std::string encode_log_head(const ChangeLogHead& head) {
  std::string out = encode_position(head.trimmed);
  append_u64(head.changes, out);
  append_u64(head.bytes, out);
  return out;
}

ChangeLogHead decode_log_head(std::string_view bytes) {
  if (bytes.size() != kPositionBytes + 16) throw_damaged();
  return {.trimmed = decode_position(bytes.substr(0, kPositionBytes)),
          .changes = load_u64(bytes.substr(kPositionBytes)),
          .bytes = load_u64(bytes.substr(kPositionBytes + 8))};
}

std::string log_key(std::uint32_t table_space, ChangePosition at) {
  std::string key = space_key(kChangeLogSpace);
  append_u32(table_space, key);
  return key + encode_position(at);
}

ChangePosition log_position(std::string_view key) {
  if (key.size() != kSpaceBytes + 4 + kPositionBytes) throw_damaged();
  return decode_position(key.substr(kSpaceBytes + 4));
}

KeyRange whole_log(std::uint32_t table_space) {
  KeyRange range{space_key(kChangeLogSpace), space_key(kChangeLogSpace)};
  append_u32(table_space, range.lower);
  append_u32(table_space + 1, range.upper);
  return range;
}

void encode_logged_change(const RowChange& change, std::string& out) {
  out.clear();
  append_u64(wall_clock_us(), out);
  append_u32(static_cast<std::uint32_t>(change.key.size()), out);
  append_u32(0, out);
  out += change.key;
  const std::size_t before = out.size();
  append_row(change.old_row, out);
  std::string length;
  append_u32(static_cast<std::uint32_t>(out.size() - before), length);
  out.replace(12, 4, length);
  append_row(change.new_row, out);
}

LoggedChange parse_logged_change(std::string_view record) {
  if (record.size() < kRecordHead) throw_damaged();
  const std::size_t key = load_u32(record.substr(8));
  const std::size_t old_row = load_u32(record.substr(12));
  if (record.size() < kRecordHead + key + old_row) throw_damaged();
  return {.time_us = load_u64(record),
          .key = record.substr(kRecordHead, key),
          .old_row = record.substr(kRecordHead + key, old_row),
          .new_row = record.substr(kRecordHead + key + old_row)};
}

std::uint64_t logged_bytes(std::size_t record_bytes, const Datum& old_row, const Datum& new_row) {
  std::uint64_t bytes = record_bytes;
  if (!old_row.has_blob()) return bytes;
  const std::vector<BlobRef> kept = sorted_blobs(new_row);
  for (const BlobRef& ref : sorted_blobs(old_row)) {
    const bool still_there =
        std::any_of(kept.begin(), kept.end(), [&](const BlobRef& k) { return k.id == ref.id; });
    if (!still_there) bytes += ref.length;
  }
  return bytes;
}

std::uint64_t wall_clock_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

std::optional<ChangeLogLimits> change_log_of(const Datum& settings,
                                             const std::optional<ChangeLogLimits>& otherwise) {
  if (settings.type() != Type::kObject) return otherwise;
  const auto set = settings.get("change_log");
  if (!set) return otherwise;
  if (set->type() != Type::kObject) return std::nullopt;
  ChangeLogLimits limits = otherwise.value_or(ChangeLogLimits());
  if (const auto seconds = set->get("retention_seconds")) limits.seconds = seconds->as_number();
  if (const auto bytes = set->get("retention_bytes"))
    limits.bytes = static_cast<std::uint64_t>(bytes->as_number());
  return limits;
}

}  // namespace reqld::storage
