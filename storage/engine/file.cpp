#include "storage/engine/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace reqld::storage {

Error io_error(std::string_view call, const std::string& path, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return Error{full ? ErrorKind::kDiskFull : ErrorKind::kIo,
               std::string(call) + " of " + path + " failed: " + std::strerror(error_number)};
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() { close(); }

void File::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<File> File::open(const std::string& path, int flags, unsigned mode) {
  File file;
  do {
    file.fd_ = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (file.fd_ < 0 && errno == EINTR);
  if (file.fd_ < 0) return io_error("open", path, errno);
  file.path_ = path;
  return file;
}

Result<std::size_t> File::read_at(std::uint64_t offset, void* out, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_, static_cast<char*>(out) + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path_, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<void> File::write_at(std::uint64_t offset, const void* data, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n =
        ::pwrite(fd_, static_cast<const char*>(data) + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error("write", path_, n == 0 ? ENOSPC : errno);
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> File::write_at(std::uint64_t offset, std::vector<iovec>& pieces) const {
  std::size_t first = 0;
  while (first < pieces.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(pieces.size() - first, IOV_MAX));
    const ssize_t n = ::pwritev(fd_, pieces.data() + first, count, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error("write", path_, n == 0 ? ENOSPC : errno);
    offset += static_cast<std::uint64_t>(n);
    std::size_t left = static_cast<std::size_t>(n);
    while (first < pieces.size() && left >= pieces[first].iov_len) left -= pieces[first++].iov_len;
    if (left > 0) {
      pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + left;
      pieces[first].iov_len -= left;
    }
  }
  return {};
}

Result<void> File::sync_data() const {
  // A failed sync is never tried again: the kernel may have dropped the pages, and a second call would wrongly succeed.
  if (::fdatasync(fd_) != 0) return io_error("fdatasync", path_, errno);
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat st {};
  if (::fstat(fd_, &st) != 0) return io_error("stat", path_, errno);
  return static_cast<std::uint64_t>(st.st_size);
}

Result<void> sync_directory(const std::string& directory) {
  auto dir = File::open(directory, O_RDONLY | O_DIRECTORY);
  if (!dir) return dir.error();
  if (::fsync(dir->fd()) != 0) return io_error("fsync", directory, errno);
  return {};
}

Result<void> make_directories(const std::string& directory) {
  struct stat st {};
  if (::stat(directory.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return {};
    return io_error("mkdir", directory, ENOTDIR);
  }
  std::string parent = directory;
  while (parent.size() > 1 && parent.back() == '/') parent.pop_back();
  const auto slash = parent.rfind('/');
  parent = slash == std::string::npos ? "." : slash == 0 ? "/" : parent.substr(0, slash);
  if (auto made = make_directories(parent); !made) return made;
  if (::mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST) return io_error("mkdir", directory, errno);
  return sync_directory(parent);
}

Result<std::vector<std::string>> list_directory(const std::string& directory) {
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return io_error("opendir", directory, errno);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  return names;
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return io_error("rename", from, errno);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("unlink", path, errno);
  return {};
}

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace reqld::storage
