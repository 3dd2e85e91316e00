#include "storage/engine/log.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>

#include "storage/engine/crc32c.hpp"

namespace reqld::storage {
namespace {

constexpr std::uint64_t kPage = 4096;
alignas(64) constexpr char kZeros[64 * 1024] = {};
constexpr std::size_t kMostReusable = 16;

std::uint64_t random_number() {
  std::uint64_t v = 0;
  if (::getrandom(&v, sizeof v, 0) != sizeof v) v = std::random_device{}() * std::uint64_t{0x9e3779b97f4a7c15};
  return v;
}

}  // namespace

Result<std::vector<Log::OldSegment>> Log::list(const std::string& directory) {
  auto names = list_directory(directory);
  if (!names) return names.error();
  std::vector<OldSegment> out;
  for (const std::string& name : *names) {
    const auto number = segment_number(name);
    if (!number) continue;
    struct stat st {};
    if (::stat((directory + "/" + name).c_str(), &st) != 0) return io_error("stat", directory + "/" + name, errno);
    out.push_back({*number, static_cast<std::uint64_t>(st.st_size), st.st_mtime});
  }
  std::sort(out.begin(), out.end(), [](const OldSegment& a, const OldSegment& b) { return a.number < b.number; });
  return out;
}

Result<std::unique_ptr<Log>> Log::create(const Options& options, std::vector<OldSegment> old, bool last_is_unused) {
  std::unique_ptr<Log> self(new Log(options));
  const bool adopt = last_is_unused && !old.empty() && old.back().bytes == options.segment_bytes;
  const std::uint64_t number = old.empty() ? 1 : old.back().number + (adopt ? 0 : 1);
  if (adopt) old.pop_back();
  self->old_.assign(old.begin(), old.end());
  auto segment = self->make_segment(number, adopt ? Making::kAdopted : Making::kQuick);
  if (!segment) return segment.error();
  self->current_ = self->sync_current_ = *segment;
  self->tail_ = kSegmentHeaderBytes;
  self->next_number_ = number + 1;
  self->spare_wanted_ = true;
  self->preparer_ = std::thread([log = self.get()] { log->prepare_loop(); });
  return self;
}

Log::~Log() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (preparer_.joinable()) preparer_.join();
}

Result<Log::SegmentPtr> Log::make_segment(std::uint64_t number, Making how) {
  auto segment = std::make_shared<Segment>();
  segment->number = number;
  segment->nonce = random_number();
  segment->capacity = options_.segment_bytes;

  std::optional<std::uint64_t> reused;
  if (how != Making::kAdopted) {
    std::lock_guard lock(mutex_);
    if (!reusable_.empty()) {
      reused = reusable_.back();
      reusable_.pop_back();
    }
  }
  if (reused && !rename_file(path(*reused), path(number))) reused.reset();
  segment->filled = reused || how != Making::kQuick;
  const bool keep = reused || how == Making::kAdopted;
  auto file = File::open(path(number), O_RDWR | O_CREAT | (keep ? 0 : O_TRUNC));
  if (!file) return file.error();
  segment->file = std::move(*file);

  auto fill = [&]() -> Result<void> {
    // The new nonce makes whatever else the file holds void.
    std::string page = encode_segment_header({options_.database, number, segment->nonce});
    page.resize(kPage);
    if (auto wrote = segment->file.write_at(0, page.data(), page.size()); !wrote) return wrote;
    if (how != Making::kPrepared) return {};
    // Syncing an overwrite needs no change to the file's metadata: half the time of syncing an append.
    for (std::uint64_t at = kPage; !keep && at < segment->capacity; at += sizeof kZeros) {
      const std::uint64_t n = std::min<std::uint64_t>(sizeof kZeros, segment->capacity - at);
      if (auto wrote = segment->file.write_at(at, kZeros, n); !wrote) return wrote;
    }
    if (auto synced = segment->file.sync_data(); !synced) return synced;
    return sync_directory(options_.directory);
  };
  if (auto filled = fill(); !filled) {
    (void)remove_file(path(number));
    return filled.error();
  }
  segment->directory_synced = how == Making::kPrepared;
  return segment;
}

void Log::prepare_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || (spare_wanted_ && spare_ == nullptr); });
    if (stopping_) return;
    const std::uint64_t number = next_number_++;
    lock.unlock();
    auto made = make_segment(number, Making::kPrepared);
    lock.lock();
    if (made && number + 1 == next_number_) {
      spare_ = *made;
      spare_ready_ = true;
      spare_wanted_ = false;
      continue;
    }
    if (made) {
      // Overtaken by the writer, who could not wait: what was prepared serves another time.
      if (!keep_for_reuse(number)) (void)remove_file(path(number));
    } else {
      // No room now; the writer will ask again when it needs one.
      spare_wanted_ = false;
    }
  }
}

Result<void> Log::advance() {
  SegmentPtr next;
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    next = std::move(spare_);
    spare_ = nullptr;
    spare_ready_ = false;
    if (next == nullptr) number = next_number_++;
  }
  if (next == nullptr) {
    auto made = make_segment(number, Making::kQuick);
    if (!made) return made.error();
    next = *made;
  }
  {
    std::lock_guard lock(mutex_);
    sync_sealed_.push_back(current_);
    old_.push_back({current_->number, std::max(tail_, current_->capacity), std::time(nullptr)});
    sync_current_ = next;
    spare_wanted_ = true;
  }
  wake_.notify_all();
  current_ = std::move(next);
  tail_ = kSegmentHeaderBytes;
  return {};
}

Result<void> Log::append(RecordHeader header, const EntryBuffer& entries, const EntryBuffer::Mark& from) {
  header.payload_bytes = entries.bytes() - from.bytes;
  const std::uint64_t size = record_bytes(header.payload_bytes);
  // A record larger than a whole segment makes an empty one longer. A segment made in haste is left for a prepared one.
  const bool full = tail_ + size > current_->capacity && tail_ > kSegmentHeaderBytes;
  if (full || (!current_->filled && spare_ready_.load(std::memory_order_relaxed))) {
    if (auto advanced = advance(); !advanced) return advanced;
  }
  pieces_.clear();
  pieces_.push_back({});
  entries.pieces(from, pieces_);
  std::uint32_t crc = 0;
  for (std::size_t i = 1; i < pieces_.size(); ++i) crc = crc32c(crc, pieces_[i].iov_base, pieces_[i].iov_len);
  std::string head = encode_record_header(header, crc, current_->nonce);
  pieces_[0] = {head.data(), head.size()};
  // Whole pages: the kernel then need not read what is there, and nothing stale follows the last record.
  const std::uint64_t end = (tail_ + size + kPage - 1) / kPage * kPage;
  const std::uint64_t padding = end - (tail_ + kRecordHeaderBytes + header.payload_bytes);
  pieces_.push_back({const_cast<char*>(kZeros), padding});
  last_record_ = tail_;
  if (auto wrote = current_->file.write_at(tail_, pieces_); !wrote) {
    // All of it may be there but for the padding; it must not be found later.
    if (auto cancelled = cancel_last(); !cancelled) return cancelled;
    return wrote;
  }
  tail_ += size;
  appended_bytes_ += size;
  return {};
}

Result<void> Log::cancel_last() {
  const std::string zeros(kRecordHeaderBytes, '\0');
  if (auto wrote = current_->file.write_at(last_record_, zeros.data(), zeros.size()); !wrote) return wrote;
  if (auto synced = current_->file.sync_data(); !synced) return synced;
  tail_ = last_record_;
  return {};
}

Result<void> Log::sync() {
  // One at a time: whoever finds nothing left of an older segment may rely on that one being on disk.
  std::lock_guard one(sync_mutex_);
  std::vector<SegmentPtr> segments;
  {
    std::lock_guard lock(mutex_);
    segments.swap(sync_sealed_);
    segments.push_back(sync_current_);
  }
  for (const SegmentPtr& segment : segments) {
    if (auto synced = segment->file.sync_data(); !synced) return synced;
    if (!segment->directory_synced) {
      if (auto synced = sync_directory(options_.directory); !synced) return synced;
      segment->directory_synced = true;
    }
  }
  return {};
}

void Log::drop_before(std::uint64_t number) {
  std::vector<OldSegment> dropped;
  std::vector<std::uint64_t> surplus;
  {
    std::lock_guard lock(mutex_);
    std::uint64_t kept_bytes = 0;
    const std::int64_t now = std::time(nullptr);
    std::size_t first_kept = old_.size();
    while (first_kept > 0) {  // from the youngest down
      const OldSegment& segment = old_[first_kept - 1];
      if (segment.number < number) {
        const bool young = static_cast<double>(now - segment.time) < options_.retention_seconds;
        kept_bytes += segment.bytes;
        if (!young || (options_.retention_bytes != 0 && kept_bytes > options_.retention_bytes)) break;
      }
      --first_kept;
    }
    for (; first_kept > 0; --first_kept) {
      const OldSegment& segment = old_.front();
      const bool kept = segment.bytes == options_.segment_bytes && keep_for_reuse(segment.number);
      if (!kept) surplus.push_back(segment.number);
      old_.pop_front();
    }
  }
  for (const std::uint64_t n : surplus) (void)remove_file(path(n));
}

bool Log::keep_for_reuse(std::uint64_t number) {
  if (reusable_.size() >= kMostReusable) return false;
  reusable_.push_back(number);
  return true;
}

std::uint64_t Log::bytes_on_disk() const {
  std::lock_guard lock(mutex_);
  std::uint64_t bytes = (reusable_.size() + 1 + (spare_ != nullptr ? 1 : 0)) * options_.segment_bytes;
  for (const OldSegment& segment : old_) bytes += segment.bytes;
  return bytes;
}

}  // namespace reqld::storage
