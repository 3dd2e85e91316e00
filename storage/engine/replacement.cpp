#include "storage/engine/replacement.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "storage/engine/file.hpp"
#include "storage/engine/log_format.hpp"

namespace reqld::storage {

namespace {

// Marks in the subdirectory. kComplete: the old files go. kMoving: they are gone, the new ones are being
// moved.
constexpr const char* kComplete = "complete";
constexpr const char* kMoving = "moving";

bool is_engine_file(const std::string& name) {
  return name == "data.mdb" || name == "lock.mdb" || name == "checkpoint" || name == "checkpoint.new" ||
         segment_number(name).has_value();
}

Result<void> remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return io_error("rmdir", path, errno);
  return {};
}

}  // namespace

Result<void> discard_replacement(const std::string& directory) {
  const std::string next = directory + "/" + kReplacementName;
  if (!file_exists(next)) return {};
  const Result<std::vector<std::string>> names = list_directory(next);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name == "." || name == "..") continue;
    if (Result<void> removed = remove_file(next + "/" + name); !removed) return removed;
  }
  return remove_directory(next);
}

Result<void> complete_replacement(const std::string& directory) {
  const std::string next = directory + "/" + kReplacementName;
  if (Result<void> synced = sync_directory(next); !synced) return synced;
  Result<File> mark = File::open(next + "/" + kComplete, O_WRONLY | O_CREAT);
  if (!mark) return mark.error();
  if (Result<void> synced = mark->sync_data(); !synced) return synced;
  return sync_directory(next);
}

Result<void> finish_replacement(const std::string& directory, bool read_only) {
  const std::string next = directory + "/" + kReplacementName;
  const bool complete = file_exists(next + "/" + kComplete);
  if (!complete && !file_exists(next + "/" + kMoving)) {
    // A compaction that did not end leaves the old files; a restore has none.
    if (!file_exists(next) || file_exists(directory + "/checkpoint")) return {};
    return Error{ErrorKind::kCorrupt, directory + " holds a restore that did not end: repeat it"};
  }
  if (read_only)
    return Error{
        ErrorKind::kReadOnly,
        directory + " was compacted, and the new files are not in place yet: open it for writing once."};
  if (complete) {
    const Result<std::vector<std::string>> old = list_directory(directory);
    if (!old) return old.error();
    for (const std::string& name : *old)
      if (is_engine_file(name))
        if (Result<void> removed = remove_file(directory + "/" + name); !removed) return removed;
    if (Result<void> synced = sync_directory(directory); !synced) return synced;
    if (Result<void> renamed = rename_file(next + "/" + kComplete, next + "/" + kMoving); !renamed)
      return renamed;
    if (Result<void> synced = sync_directory(next); !synced) return synced;
  }
  const Result<std::vector<std::string>> names = list_directory(next);
  if (!names) return names.error();
  for (const std::string& name : *names)
    if (is_engine_file(name))
      if (Result<void> moved = rename_file(next + "/" + name, directory + "/" + name); !moved) return moved;
  if (Result<void> synced = sync_directory(directory); !synced) return synced;
  return discard_replacement(directory);
}

}  // namespace reqld::storage
