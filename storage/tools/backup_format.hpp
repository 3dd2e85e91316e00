// The bytes of a backup: a stream of blocks with checksums, readable from a pipe. See docs/storage_format.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/engine.hpp"

namespace reqld::storage {

/// Takes bytes in order.
using ByteSink = std::function<Result<void>(std::string_view bytes)>;
/// Fills `out` with up to `size` bytes; 0 at the end.
using ByteSource = std::function<Result<std::size_t>(char* out, std::size_t size)>;

/// How often tools that move backups show how far they have come.
inline constexpr std::uint64_t kBytesPerProgress = 4u << 20;

/// What a backup is of.
struct BackupHeader {
  Sequence sequence = 0;        ///< the newest commit in it
  std::uint64_t history = 0;    ///< the log that goes on from there has this number; 0 when unknown
  std::uint64_t time_us = 0;    ///< since 1970, when it was begun
  std::uint64_t size_hint = 0;  ///< about how many bytes of keys and values follow
};

struct BackupTotals {
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;  ///< of keys and values
};

class BackupWriter {
 public:
  explicit BackupWriter(ByteSink sink) : sink_(std::move(sink)) {}
  Result<void> begin(const BackupHeader& header);
  /// In the order of keys.
  Result<void> add(std::string_view key, std::string_view value);
  /// Without this the backup is not whole.
  Result<void> end();
  const BackupTotals& totals() const { return totals_; }

 private:
  Result<void> flush();
  Result<void> write_block(char type, std::string_view payload);

  ByteSink sink_;
  std::string block_;
  BackupTotals totals_;
  std::uint32_t chain_ = 0;
};

/// Reads what a BackupWriter wrote. kCorrupt says where a checksum failed or the bytes ended.
class BackupReader {
 public:
  explicit BackupReader(ByteSource source) : source_(std::move(source)) {}
  Result<BackupHeader> begin();
  /// The next entry, in views that live until the next call; false after the last one, whose totals have then
  /// been checked.
  Result<bool> next(std::string_view& key, std::string_view& value);
  /// The rest, up to the first error of `take` if there is one. `progress` (may be null) is called now and
  /// then with the bytes read.
  Result<void> read_all(const std::function<Result<void>(std::string_view key, std::string_view value)>& take,
                        const std::function<void(std::uint64_t bytes)>& progress);
  const BackupTotals& totals() const { return totals_; }

 private:
  Result<char> read_block();
  Result<void> read_exactly(char* out, std::size_t size);

  ByteSource source_;
  std::string block_;
  std::string_view rest_;
  BackupTotals totals_;
  std::uint64_t offset_ = 0;
  std::uint32_t chain_ = 0;
  bool ended_ = false;
};

}  // namespace reqld::storage
