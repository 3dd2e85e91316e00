// The changes of a table, kept for feeds that resume: written with the rows, in the same commit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

/// The record of a change log in kLogHeadSpace.
struct ChangeLogHead {
  ChangePosition trimmed;     ///< every change after this is there
  std::uint64_t changes = 0;  ///< how many those are
  std::uint64_t bytes = 0;    ///< what they take; see logged_bytes
};
std::string log_head_key(std::uint32_t table_space);
std::string encode_log_head(const ChangeLogHead& head);
ChangeLogHead decode_log_head(std::string_view bytes);  ///< throws StorageError(kCorrupt), as do all below

std::string encode_position(ChangePosition at);
ChangePosition decode_position(std::string_view bytes);

std::string log_key(std::uint32_t table_space, ChangePosition at);
ChangePosition log_position(std::string_view key);
KeyRange whole_log(std::uint32_t table_space);

/// Replaces `out`; the time is the present one.
void encode_logged_change(const RowChange& change, std::string& out);
/// Its parts, as views into the record.
struct LoggedChange {
  std::uint64_t time_us = 0;  ///< since 1970
  std::string_view key;
  std::string_view old_row;  ///< empty: none
  std::string_view new_row;
};
LoggedChange parse_logged_change(std::string_view record);
/// Fills in key and rows; `source` answers the BlobSource for them.
template <typename Source>
void decode_logged_change(std::string_view record, Source source, RowChange& out) {
  const LoggedChange logged = parse_logged_change(record);
  out.key.assign(logged.key);
  const auto row = [&](std::string_view bytes) {
    if (bytes.empty()) return Datum();
    const Ref<Buffer> buffer = Buffer::copy(bytes.data(), bytes.size());
    Datum d = Datum::from_encoded(buffer->data(), *buffer);
    if (d.has_blob()) buffer->add_blob_source(source());
    return d;
  };
  out.old_row = row(logged.old_row);
  out.new_row = row(logged.new_row);
}

/// What a change of `record_bytes` takes: with the large binaries that only its old row has, which would be
/// gone without the log.
std::uint64_t logged_bytes(std::size_t record_bytes, const Datum& old_row, const Datum& new_row);

std::uint64_t wall_clock_us();

/// The `change_log` of a table's settings; `otherwise` when they say nothing.
std::optional<ChangeLogLimits> change_log_of(const Datum& settings,
                                             const std::optional<ChangeLogLimits>& otherwise);

}  // namespace reqld::storage
