// What a disk may hold after a power cut, given what was written and synced until then.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/recorder.hpp"

namespace reqld::crash {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kSectorBytes = 512;
using Page = std::array<char, kPageBytes>;
using PagePtr = std::shared_ptr<const Page>;  ///< null: zeros

/// Which of the writes that no sync has covered reach the disk.
enum class Loss : std::uint8_t {
  kEverything,    ///< none of them
  kNothing,       ///< all: the process was killed, the kernel lives
  kAnyPages,      ///< each page on its own, in any of the states it had
  kAnyTornPages,  ///< as before, and pages that are a mixture of two of their states
  kMostPages,     ///< few get through
  kFewPages,      ///< few are missing
  kWholeFiles,    ///< each file on its own: all or nothing
  kMetaOnly,      ///< the first two pages of data.mdb, and nothing else
  kAllButMeta,
  kCount,
};
const char* name_of(Loss loss);

struct DiskFile {
  std::map<std::uint64_t, PagePtr> pages;
  std::uint64_t size = 0;
};
/// A directory's files by name.
using Disk = std::map<std::string, DiskFile>;

void store(const Disk& disk, const std::string& directory);
Disk load(const std::string& directory);

class DiskModel {
 public:
  /// Starts from what is durable in a directory.
  explicit DiskModel(const Disk& disk = {});
  const Names& names() const { return names_; }

  /// Takes the next operation in. Acks are not its business.
  void apply(const Op& op);
  Disk crash(Loss loss, std::mt19937_64& random) const;

 private:
  struct Version {
    std::uint64_t time = 0;
    PagePtr page;
  };
  struct FileState {
    std::map<std::uint64_t, PagePtr> durable;
    std::uint64_t durable_size = 0;
    std::map<std::uint64_t, std::vector<Version>> pending;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pending_sizes;  ///< time, size
    std::uint64_t size = 0;
  };
  struct NameChange {
    std::uint64_t time = 0;
    Op op;
  };
  PagePtr newest(const FileState& file, std::uint64_t page) const;
  static void change(Names& names, const Op& op);

  std::vector<FileState> files_;
  Names names_;  ///< as the running system sees them
  Names durable_names_;
  std::vector<NameChange> pending_names_;
  std::map<std::uint64_t, std::uint64_t> sync_begun_;
  std::uint64_t time_ = 0;
};

}  // namespace reqld::crash
