#include <fcntl.h>

#include <set>

#include "storage/engine/checkpoint_file.hpp"
#include "storage/engine/file.hpp"
#include "storage/engine/log.hpp"
#include "storage/engine/replacement.hpp"
#include "storage/tables/keyspace.hpp"
#include "storage/tools/backup.hpp"
#include "storage/tools/bulk_load.hpp"

namespace reqld::storage {

namespace {

Result<std::uint64_t> bytes_in(const std::string& directory) {
  const Result<std::vector<std::string>> names = list_directory(directory);
  if (!names) return names.error();
  std::uint64_t bytes = 0;
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    if (name == kReplacementName || !file_exists(path)) continue;
    if (Result<File> file = File::open(path, O_RDONLY); file)
      if (const Result<std::uint64_t> size = file->size(); size) bytes += *size;
  }
  return bytes;
}

/// Binaries that no row holds any more. Nobody reads them: nobody else has the directory.
class Buried {
 public:
  explicit Buried(Snapshot& snapshot) {
    for (auto c = snapshot.cursor(whole_space(kGraveyardSpace), Direction::kForward); c->valid(); c->next())
      if (c->key().size() == kSpaceBytes + 16) ids_.insert(load_u64(c->key().substr(kSpaceBytes + 8)));
  }
  bool holds(std::string_view key) const {
    if (ids_.empty() || key.size() < kSpaceBytes + 8) return false;
    const std::uint32_t space = load_u32(key);
    if (space == kGraveyardSpace) return true;
    return (space == kBlobSpace || space == kChunkSpace) && ids_.contains(load_u64(key.substr(kSpaceBytes)));
  }

 private:
  std::set<std::uint64_t> ids_;
};

/// Removes what the engine has kept of its log to write over.
Result<void> trim_log(const std::string& directory) {
  const Result<Checkpoint> checkpoint = CheckpointFile::read(directory);
  if (!checkpoint) return checkpoint.error();
  const Result<std::vector<Log::OldSegment>> segments = Log::list(directory);
  if (!segments) return segments.error();
  for (const Log::OldSegment& segment : *segments)
    if (segment.number < checkpoint->position.segment)
      if (Result<void> removed = remove_file(directory + "/" + segment_name(segment.number)); !removed)
        return removed;
  return {};
}

}  // namespace

Result<CompactReport> compact_directory(const std::string& directory, const ToolProgress& progress) {
  CompactReport report;
  const std::string next = directory + "/" + kReplacementName;
  {
    // Its lock keeps everybody else out until the new files count.
    Result<std::unique_ptr<Engine>> from = Engine::open({.directory = directory, .create = false});
    if (!from) return from.error();
    if (Result<void> removed = discard_replacement(directory); !removed) return removed.error();
    const Result<std::uint64_t> before = bytes_in(directory);
    if (!before) return before.error();
    report.bytes_before = *before;
    {
      Result<std::unique_ptr<Engine>> to = Engine::open({.directory = next});
      if (!to) return to.error();
      BulkLoad load(**to);
      const std::uint64_t total = (*from)->stats().used_bytes;
      std::uint64_t bytes = 0, shown = 0;
      const std::unique_ptr<Snapshot> snapshot = (*from)->snapshot();
      const Buried buried(*snapshot);
      for (auto c = snapshot->cursor({}, Direction::kForward); c->valid(); c->next()) {
        if (buried.holds(c->key())) continue;
        if (Result<void> added = load.add(c->key(), c->value()); !added) return added.error();
        bytes += c->key().size() + c->value().size();
        if (progress && bytes >= shown + (4u << 20)) progress(shown = bytes, total);
      }
      if (Result<void> finished = load.finish(); !finished) return finished.error();
      if (progress) progress(bytes, bytes);
    }
    if (Result<void> trimmed = trim_log(next); !trimmed) return trimmed.error();
    if (Result<void> completed = complete_replacement(directory); !completed) return completed.error();
  }
  // Opening puts the new files in the place of the old ones.
  {
    Result<std::unique_ptr<Engine>> engine = Engine::open({.directory = directory, .create = false});
    if (!engine) return engine.error();
  }
  const Result<std::uint64_t> after = bytes_in(directory);
  if (!after) return after.error();
  report.bytes_after = *after;
  return report;
}

}  // namespace reqld::storage
