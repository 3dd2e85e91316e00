// Backup, restore and compaction. Library functions for the server and for main.cpp's subcommands.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "storage/tools/backup_format.hpp"

namespace reqld::storage {

/// Called now and then; `total` is an estimate and 0 when unknown.
using ToolProgress = std::function<void(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

struct BackupOptions {
  /// Where the engine's files are: the number of their log's history goes into the backup, so that a restore
  /// can go on with logs.
  std::string data_directory;
  ToolProgress progress;
};

/// Streams one snapshot, consistent over all tables; writers go on. While it runs the pages of that snapshot
/// are not reused, so a sink should not be slower than it must.
Result<BackupTotals> write_backup(Engine& engine, const ByteSink& sink, const BackupOptions& options);

/// To a file (made whole under another name first), into a directory (reqld-YYYYMMDD-HHMMSS.backup), or to a
/// descriptor such as a pipe.
Result<BackupTotals> backup_to_path(Engine& engine, const std::string& path, const BackupOptions& options);
Result<BackupTotals> backup_to_descriptor(Engine& engine, int fd, const BackupOptions& options);
/// Of a directory that no server runs on. `path` "-" is standard output.
Result<BackupTotals> backup_directory(const std::string& directory, const std::string& path,
                                      BackupOptions options);

struct RestoreOptions {
  /// Then goes on with the log segments in this directory (of the database the backup is of), as far as they
  /// are whole.
  std::string log_directory;
  std::optional<std::uint64_t>
      until_time_us;  ///< stops before the first commit made after this (µs since 1970)
  std::optional<Sequence> until_sequence;
  ToolProgress progress;
};

struct RestoreReport {
  BackupHeader backup;
  BackupTotals totals;
  std::uint64_t log_commits = 0;  ///< applied from the log
  Sequence newest = 0;            ///< of the original database: the newest commit that is in the restored one
};

/// Makes `directory`, which must be missing or empty. On an error it is left as it is, incomplete: remove it.
Result<RestoreReport> restore(const ByteSource& source, const std::string& directory,
                              const RestoreOptions& options);
/// `path` is a backup file, or "-": standard input.
Result<RestoreReport> restore_from_path(const std::string& path, const std::string& directory,
                                        const RestoreOptions& options);

/// Reads all of a backup and checks its checksums.
Result<RestoreReport> verify_backup(const ByteSource& source);
Result<RestoreReport> verify_backup_file(const std::string& path);

struct CompactReport {
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};
/// Rewrites a directory that no server runs on, so that it takes no more space than it needs; needs as much
/// space again meanwhile. A crash leaves either the old files or the new ones. Backups made before cannot be
/// continued with logs made after.
Result<CompactReport> compact_directory(const std::string& directory, const ToolProgress& progress = {});

/// Sources and sinks on descriptors; the caller keeps the descriptor open. `name` is for error texts.
ByteSink descriptor_sink(int fd, std::string name);
ByteSource descriptor_source(int fd, std::string name);

}  // namespace reqld::storage
