// Sees every write, sync and directory change below one directory, LMDB's included: this executable defines
// the libc functions they go through. Records them in order, and makes them fail on demand.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace reqld::crash {

enum class OpKind : std::uint8_t {
  kWrite,
  kSyncBegin,  ///< fdatasync, fsync or msync of one file
  kSyncEnd,
  kDirectorySyncBegin,
  kDirectorySyncEnd,
  kCreate,
  kRename,
  kUnlink,
  kTruncate,
  kAck,  ///< a client has been told that its write is done
};

struct Op {
  OpKind kind{};
  int file = -1;  ///< kWrite, syncs, kCreate, kTruncate: a number per file, the same under every name
  std::uint64_t offset = 0;  ///< kTruncate: the size
  std::string bytes;
  std::string name;
  std::string new_name;        ///< kRename
  std::uint64_t sync = 0;      ///< pairs a begin with its end
  std::uint64_t sequence = 0;  ///< kAck
  bool hard = false;           ///< kAck
};

/// Names in the directory when recording starts: their file numbers.
using Names = std::map<std::string, int>;

namespace recorder {

/// Starts to record what happens in `directory`. `lock` and `lock.mdb` do not count: they hold nothing.
void start(const std::string& directory, const Names& names, double mean_sync_ms);
std::vector<Op> stop();
void ack(std::uint64_t sequence, bool hard);

}  // namespace recorder

/// Failures to inject into calls on files below `directory`.
namespace faults {

enum class Call : std::uint8_t { kWrite, kSync, kExtend };
struct Seen {
  Call call{};
  std::string name;  ///< of the file, without the directory
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t file_size = 0;
};
/// Returns 0 to let the call happen, or the errno it fails with; a write may be cut short with `*allowed`.
using Judge = std::function<int(const Seen&, std::uint64_t* allowed)>;
void set(const std::string& directory, Judge judge);
void clear();

}  // namespace faults
}  // namespace reqld::crash
