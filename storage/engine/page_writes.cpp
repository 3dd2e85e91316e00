#include "storage/engine/page_writes.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace reqld::storage {
namespace {

/// Measured with 1, 2, 4 and 8: with fewer, files that are stored pay for the calls and updates gain nothing more.
constexpr int kPiecesAtOnce = 8;

thread_local bool short_writes = false;

}  // namespace

ShortPageWrites::ShortPageWrites() { short_writes = true; }
ShortPageWrites::~ShortPageWrites() { short_writes = false; }

}  // namespace reqld::storage

// In place of the C library's, also for LMDB, which has no setting for this. Weak, since a program may have one of its own.
extern "C" [[gnu::weak, gnu::visibility("default")]] ssize_t writev(int fd, const iovec* pieces, int count) {
  using reqld::storage::kPiecesAtOnce;
  if (!reqld::storage::short_writes || count <= kPiecesAtOnce) return ::syscall(SYS_writev, fd, pieces, count);
  ssize_t all = 0;
  for (int i = 0; i < count; i += kPiecesAtOnce) {
    const int some = std::min(count - i, kPiecesAtOnce);
    std::size_t bytes = 0;
    for (int k = i; k < i + some; ++k) bytes += pieces[k].iov_len;
    const ssize_t n = ::syscall(SYS_writev, fd, pieces + i, some);
    if (n < 0) return all > 0 ? all : n;
    all += n;
    if (static_cast<std::size_t>(n) < bytes) break;
  }
  return all;
}
