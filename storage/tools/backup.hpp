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

/// To a file (made whole under another name first), into a directory (reqld-YYYYMMDD-HHMMSS.backup), to a
/// pipe or a device; `-` is standard output.
Result<BackupTotals> backup_to_path(Engine& engine, const std::string& path, const BackupOptions& options);
/// The same for bytes of a backup from anywhere: `write` hands them to the sink. `written` gets the path of
/// the file.
Result<BackupTotals> backup_to_path(const std::string& path,
                                    const std::function<Result<BackupTotals>(const ByteSink&)>& write,
                                    std::string* written = nullptr);
Result<BackupTotals> backup_to_descriptor(Engine& engine, int fd, const BackupOptions& options);
/// Hands the bytes of a backup on from `source` to `sink`, and checks them on the way.
Result<BackupTotals> relay_backup(const ByteSource& source, const ByteSink& sink,
                                  const ToolProgress& progress);
/// Of a directory that no server runs on; recovers it when it was not closed cleanly.
Result<BackupTotals> backup_directory(const std::string& directory, const std::string& path,
                                      BackupOptions options, std::string* written = nullptr);
/// Opens a directory that no server runs on for reading only, recovering it before when it was not closed
/// cleanly.
Result<std::unique_ptr<Engine>> open_offline(const std::string& directory);

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

/// Makes `directory`, which must be missing or empty. Until all is in it, it cannot be opened as a database;
/// after an error or a crash the restore can be repeated.
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
