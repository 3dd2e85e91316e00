// Files and directories of the engine: thin owners of descriptors whose errors name the call, the path and the reason.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/result.hpp"

namespace reqld::storage {

/// kDiskFull for ENOSPC and EDQUOT, kIo for every other errno.
Error io_error(std::string_view call, const std::string& path, int error_number);

/// An open file. Reads and writes are whole or an Error. Thread-safe as far as the kernel's calls are.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  /// `flags` as for open(2); O_CLOEXEC is added.
  static Result<File> open(const std::string& path, int flags, unsigned mode = 0640);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

  /// Reads up to `size` bytes; fewer only at the end of the file.
  Result<std::size_t> read_at(std::uint64_t offset, void* out, std::size_t size) const;
  Result<void> write_at(std::uint64_t offset, const void* data, std::size_t size) const;
  /// Writes the pieces one after the other; `pieces` is used up.
  Result<void> write_at(std::uint64_t offset, std::vector<iovec>& pieces) const;
  Result<void> sync_data() const;
  Result<std::uint64_t> size() const;
  void close();

 private:
  int fd_ = -1;
  std::string path_;
};

/// Makes creations, renames and removals in `directory` durable.
Result<void> sync_directory(const std::string& directory);
/// Makes the directory and its missing parents, each durable.
Result<void> make_directories(const std::string& directory);
Result<std::vector<std::string>> list_directory(const std::string& directory);
Result<void> rename_file(const std::string& from, const std::string& to);
/// A missing file is no error.
Result<void> remove_file(const std::string& path);
bool file_exists(const std::string& path);

}  // namespace reqld::storage
