#include "storage/engine/room.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

namespace reqld::storage {
namespace {

/// With so much on the disk nobody needs to keep room; more often than every kLookAfter it cannot have gone.
constexpr std::uint64_t kPlenty = 1u << 30;
constexpr std::chrono::milliseconds kLookAfter{50};

/// Room is kept in steps of this, where there is enough.
constexpr std::uint64_t kStep = 1u << 20;

/// What the last transactions have freed is not free yet for the next one.
constexpr std::uint64_t kNotFreeYet = 2u << 20;

/// Of few keys each may lie under branches of its own, which are written too.
constexpr std::uint64_t kFewKeys = 1000;
constexpr std::uint64_t kFirstPages = 8;

}  // namespace

std::uint64_t Room::need(std::size_t keys, std::uint64_t bytes) const {
  if (keys == 0) return 0;
  const std::uint64_t pages = kFirstPages + keys + keys / 4 + std::min<std::uint64_t>(keys, kFewKeys) * 2;
  // A value that is a little larger than half a page has a page for itself.
  return pages * env_.page_size() + bytes * 2;
}

bool Room::plenty(std::uint64_t need) {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_at_ >= kLookAfter) {
    looked_at_ = now;
    struct statvfs disk {};
    plenty_ = ::fstatvfs(env_.data_fd(), &disk) == 0 && disk.f_bavail * disk.f_frsize >= kPlenty + need;
  }
  return plenty_ && need < kPlenty / 2;
}

Result<void> Room::keep(std::uint64_t need) {
  const std::uint64_t free = free_.load(std::memory_order_relaxed);
  const std::uint64_t end = end_.load(std::memory_order_relaxed);
  if (!keeps_ || need <= free || end + need - free <= kept_to_ || plenty(need - free)) return {};
  const std::uint64_t wanted = end + need - free;
  Result<void> kept;
  for (const std::uint64_t to : {(wanted / kStep + 1) * kStep, wanted}) {
    const std::uint64_t from = std::max(end, kept_to_);
    int done = 0;
    do {
      done = ::fallocate(env_.data_fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(to - from));
    } while (done != 0 && errno == EINTR);
    if (done == 0) {
      kept_to_ = to;
      return {};
    }
    kept = lmdb_error("commit", errno, directory_);
    if (kept.error().kind != ErrorKind::kDiskFull) {
      keeps_ = false;
      return {};
    }
  }
  return kept;
}

void Room::refresh(const LmdbEnv::Usage& usage) {
  free_.store(usage.free_bytes - std::min(usage.free_bytes, kNotFreeYet), std::memory_order_relaxed);
  end_.store(usage.file_bytes, std::memory_order_relaxed);
}

}  // namespace reqld::storage
