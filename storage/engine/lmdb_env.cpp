#include "storage/engine/lmdb_env.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <thread>

#include "storage/activity.hpp"
#include "storage/engine/file.hpp"
#include "storage/engine/lmdb_format.hpp"

namespace reqld::storage {
namespace {

constexpr unsigned kMaxReaders = 16384;
constexpr std::uint64_t kLargestMap = std::uint64_t{1} << 40;
constexpr std::uint64_t kSmallestMap = std::uint64_t{1} << 26;

std::string data_path(const std::string& directory) { return directory + "/data.mdb"; }

}  // namespace

MetaInfo read_meta(const MetaPage& page) {
  const unsigned char* const at = page.data();
  MetaInfo info;
  info.valid = (lmdb::field<std::uint16_t>(at, lmdb::kPageFlagsAt) & lmdb::kMetaFlag) != 0 &&
               lmdb::field<std::uint32_t>(at, lmdb::kMagicAt) == lmdb::kMagic &&
               lmdb::field<std::uint32_t>(at, lmdb::kVersionAt) == lmdb::kDataVersion;
  info.page_size = lmdb::field<std::uint32_t>(at, lmdb::kPageSizeAt);
  info.depth = lmdb::field<std::uint16_t>(at, lmdb::kDepthAt);
  info.root = lmdb::field<std::uint64_t>(at, lmdb::kRootAt);
  info.last_page = lmdb::field<std::uint64_t>(at, lmdb::kLastPageAt);
  info.transaction = lmdb::field<std::uint64_t>(at, lmdb::kTransactionAt);
  if (info.page_size < 512 || info.page_size > 65536 || (info.page_size & (info.page_size - 1)) != 0) {
    info.valid = false;
  }
  return info;
}

Error lmdb_error(std::string_view call, int code, const std::string& directory) {
  if (code > 0) return io_error(call, data_path(directory), code);
  const bool corrupt = code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
                       code == MDB_VERSION_MISMATCH;
  return Error{corrupt ? ErrorKind::kCorrupt : ErrorKind::kIo,
               std::string(call) + " of " + data_path(directory) + " failed: " + mdb_strerror(code)};
}

Result<std::unique_ptr<LmdbEnv>> LmdbEnv::open(const Options& options) {
  std::unique_ptr<LmdbEnv> self(new LmdbEnv);
  self->directory_ = options.directory;
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
  flags |= options.read_only ? MDB_RDONLY | MDB_NOLOCK : MDB_NOSYNC;

  // Address space costs nothing and the file grows page by page, so reserve far more than any disk; where a limit on
  // address space forbids that, start lower and let grow() do the rest.
  std::uint64_t map = options.map_bytes != 0 ? options.map_bytes : kLargestMap;
  for (;;) {
    const int rc = self->open_env(flags, map);
    if (rc == 0) break;
    if (rc == ENOMEM && map > kSmallestMap && options.map_bytes == 0) {
      map /= 2;
      continue;
    }
    return lmdb_error("open", rc, options.directory);
  }
  self->max_key_size_ = static_cast<std::size_t>(mdb_env_get_maxkeysize(self->env_));
  return self;
}

int LmdbEnv::open_env(unsigned flags, std::uint64_t map) {
  int rc = mdb_env_create(&env_);
  if (rc == 0) rc = mdb_env_set_mapsize(env_, map);
  if (rc == 0) rc = mdb_env_set_maxreaders(env_, kMaxReaders);
  if (rc == 0) rc = mdb_env_open(env_, directory_.c_str(), flags, 0640);
  MDB_txn* txn = nullptr;
  if (rc == 0) rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (rc == 0) {
    rc = mdb_dbi_open(txn, nullptr, 0, &dbi_);
    MDB_stat stat{};
    if (rc == 0) rc = mdb_stat(txn, dbi_, &stat);
    page_size_ = stat.ms_psize;
    mdb_txn_abort(txn);
  }
  if (rc == 0) rc = mdb_env_get_fd(env_, &data_fd_);
  if (rc != 0) {
    mdb_env_close(env_);
    env_ = nullptr;
  }
  return rc;
}

LmdbEnv::~LmdbEnv() {
  for_each_idle([](PooledReader& reader) { mdb_txn_abort(reader.txn); });
  if (env_ != nullptr) mdb_env_close(env_);
}

std::uint64_t LmdbEnv::file_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return (info.me_last_pgno + 1) * page_size_;
}

std::uint64_t LmdbEnv::map_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_mapsize;
}

LmdbEnv::Usage LmdbEnv::usage() {
  constexpr MDB_dbi kFreeDbi = 0;
  auto reader = acquire_read();
  MDB_txn* const txn = reader->txn;
  Usage usage{file_bytes(), 0};
  std::uint64_t pages = 0;
  MDB_cursor* cursor = nullptr;
  if (mdb_cursor_open(txn, kFreeDbi, &cursor) == 0) {
    MDB_val key{};
    MDB_val data{};
    while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0) {
      std::uint64_t count = 0;
      std::memcpy(&count, data.mv_data, sizeof count);
      pages += count;
    }
    mdb_cursor_close(cursor);
  }
  release_read(std::move(reader));
  usage.free_bytes = pages * page_size_;
  return usage;
}

LmdbEnv::Shard& LmdbEnv::home() {
  return shards_[thread_number() % kShards];
}

std::int64_t LmdbEnv::active() const {
  std::int64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.active.load(std::memory_order_seq_cst);
  return sum;
}

void LmdbEnv::enter_gate(Shard& shard) {
  for (;;) {
    shard.active.fetch_add(1, std::memory_order_seq_cst);
    if (!gate_closed_.load(std::memory_order_seq_cst)) return;
    shard.active.fetch_sub(1, std::memory_order_seq_cst);
    std::unique_lock lock(gate_mutex_);
    gate_opened_.wait(lock, [this] { return !gate_closed_.load(); });
  }
}

std::unique_ptr<PooledReader> LmdbEnv::acquire_read() {
  Shard& mine = home();
  const std::size_t first = static_cast<std::size_t>(&mine - shards_.data());
  for (int attempt = 0;; ++attempt) {
    enter_gate(mine);
    std::unique_ptr<PooledReader> reader;
    for (std::size_t i = 0; i < kShards && reader == nullptr; ++i) {
      Shard& shard = shards_[(first + i) % kShards];
      std::lock_guard lock(shard.mutex);
      if (!shard.idle.empty()) {
        reader = std::move(shard.idle.back());
        shard.idle.pop_back();
      }
    }
    if (reader != nullptr) {
      if (mdb_txn_renew(reader->txn) == 0) {
        const std::uint64_t version = mdb_txn_id(reader->txn);
        if (std::exchange(reader->version, version) != version) reader->forget();
        return reader;
      }
      mdb_txn_abort(reader->txn);
    }
    reader = std::make_unique<PooledReader>();
    const int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader->txn);
    if (rc == 0) {
      reader->version = mdb_txn_id(reader->txn);
      return reader;
    }
    mine.active.fetch_sub(1, std::memory_order_seq_cst);
    // Every slot of the reader table is taken, or the writer is about to reopen after a failure: both pass.
    constexpr int kAttempts = 100'000;
    if (attempt == kAttempts) throw std::runtime_error(std::string("storage: no snapshot: ") + mdb_strerror(rc));
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

void LmdbEnv::release_read(std::unique_ptr<PooledReader> reader) {
  Shard& mine = home();
  mdb_txn_reset(reader->txn);
  {
    std::lock_guard lock(mine.mutex);
    mine.idle.push_back(std::move(reader));
  }
  mine.active.fetch_sub(1, std::memory_order_seq_cst);
}

void LmdbEnv::for_each_idle(const std::function<void(PooledReader&)>& visit) {
  for (Shard& shard : shards_) {
    for (const auto& reader : shard.idle) visit(*reader);
  }
}

MDB_txn* LmdbEnv::pin() {
  MDB_txn* txn = nullptr;
  return mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn) == 0 ? txn : nullptr;
}

void LmdbEnv::unpin(MDB_txn* txn) {
  if (txn != nullptr) mdb_txn_abort(txn);
}

// LMDB does not tell; but every page knows its number, and a value lies in a page or behind the header of its first one.
const char* LmdbEnv::map(MDB_txn* reading) {
  if (const char* known = map_.load(std::memory_order_relaxed)) return known;
  MDB_cursor* cursor = nullptr;
  if (mdb_cursor_open(reading, dbi_, &cursor) != 0) return nullptr;
  MDB_val key{};
  MDB_val value{};
  const char* map = nullptr;
  if (mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0) {
    const char* const at = static_cast<const char*>(value.mv_data);
    const char* const page = at - reinterpret_cast<std::uintptr_t>(at) % page_size_;
    map = page - lmdb::field<std::uint64_t>(page, lmdb::kPageNumberAt) * page_size_;
    map_.store(map, std::memory_order_relaxed);
  }
  mdb_cursor_close(cursor);
  return map;
}

Result<void> LmdbEnv::without_snapshots(const std::function<int()>& change, std::string_view call) {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  const auto give_up = steady_clock::now() + std::chrono::seconds(60);
  auto patience = milliseconds(20);
  int rc = 0;
  for (;;) {
    gate_closed_.store(true, std::memory_order_seq_cst);
    const auto until = steady_clock::now() + patience;
    while (active() != 0 && steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    const bool quiet = active() == 0;
    if (quiet) rc = change();
    {
      std::lock_guard lock(gate_mutex_);
      gate_closed_.store(false, std::memory_order_seq_cst);
    }
    gate_opened_.notify_all();
    if (quiet) break;
    if (steady_clock::now() > give_up) {
      return Error{ErrorKind::kIo, std::string(call) + " of " + data_path(directory_) +
                                       " failed: a snapshot has been held for more than a minute"};
    }
    // Whoever holds a snapshot may need a second one before letting go: let them pass, then close the gate for longer.
    std::this_thread::sleep_for(milliseconds(2));
    patience = std::min(patience * 2, milliseconds(1000));
  }
  if (rc != 0) return lmdb_error(call, rc, directory_);
  return {};
}

Result<void> LmdbEnv::grow() {
  return without_snapshots(
      [this] {
        // It is perhaps somewhere else afterwards.
        map_.store(nullptr, std::memory_order_relaxed);
        for_each_idle([](PooledReader& reader) { reader.forget(); });
        return mdb_env_set_mapsize(env_, map_bytes() * 2);
      },
      "mmap");
}

bool LmdbEnv::panicked() const {
  MDB_txn* txn = nullptr;
  const int rc = mdb_txn_begin(env_, nullptr, 0, &txn);
  if (rc == 0) mdb_txn_abort(txn);
  return rc == MDB_PANIC;
}

Result<void> LmdbEnv::reopen_for_reading() {
  return without_snapshots(
      [this] {
        for_each_idle([](PooledReader& reader) { mdb_txn_abort(reader.txn); });
        for (Shard& shard : shards_) shard.idle.clear();
        const std::uint64_t map = map_bytes();
        map_.store(nullptr, std::memory_order_relaxed);
        mdb_env_close(env_);
        return open_env(MDB_NOTLS | MDB_NORDAHEAD | MDB_RDONLY | MDB_NOLOCK, map);
      },
      "open");
}

Result<MetaPage> LmdbEnv::meta_of(std::uint64_t transaction) const {
  MetaPage page{};
  const auto at = static_cast<off_t>((transaction & 1) * page_size_);
  const ssize_t n = ::pread(data_fd_, page.data(), page.size(), at);
  if (n != static_cast<ssize_t>(page.size())) return io_error("read", data_path(directory_), n < 0 ? errno : EIO);
  const MetaInfo info = read_meta(page);
  if (!info.valid || info.transaction != transaction) {
    return Error{ErrorKind::kCorrupt, "the newest meta page of " + data_path(directory_) + " is not there"};
  }
  return page;
}

Result<void> LmdbEnv::sync_data() {
  if (::fdatasync(data_fd_) != 0) return io_error("fdatasync", data_path(directory_), errno);
  return {};
}

Result<void> restore_meta(const std::string& directory, const MetaPage& page) {
  const MetaInfo info = read_meta(page);
  if (!info.valid) return Error{ErrorKind::kCorrupt, "the saved meta page is not one of LMDB 0.9"};
  auto file = File::open(data_path(directory), O_RDWR);
  if (!file) return file.error();
  const std::uint64_t slot = info.transaction & 1;
  for (std::uint64_t i = 0; i < 2; ++i) {
    MetaPage copy = page;
    const std::uint64_t transaction = i == slot || info.transaction == 0 ? info.transaction : info.transaction - 1;
    lmdb::set_field<std::uint64_t>(copy.data(), lmdb::kPageNumberAt, i);
    lmdb::set_field<std::uint64_t>(copy.data(), lmdb::kTransactionAt, transaction);
    std::vector<unsigned char> whole(info.page_size);
    std::memcpy(whole.data(), copy.data(), copy.size());
    if (auto wrote = file->write_at(i * info.page_size, whole.data(), whole.size()); !wrote) return wrote.error();
  }
  return {};
}

Result<MetaPage> newest_meta(const std::string& directory) {
  auto file = File::open(data_path(directory), O_RDONLY);
  if (!file) return file.error();
  MetaPage best{};
  MetaInfo best_info;
  std::uint64_t at = 0;
  for (int i = 0; i < 2; ++i) {
    MetaPage page{};
    auto n = file->read_at(at, page.data(), page.size());
    if (!n) return n.error();
    const MetaInfo info = read_meta(page);
    if (*n == page.size() && info.valid && (!best_info.valid || info.transaction > best_info.transaction)) {
      best = page;
      best_info = info;
    }
    at += info.valid ? info.page_size : static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  if (!best_info.valid) return Error{ErrorKind::kCorrupt, data_path(directory) + " has no valid meta page"};
  return best;
}

}  // namespace reqld::storage
