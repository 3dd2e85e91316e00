// Bounds the memory of all values that one query keeps alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace reqld {

/// Counts the bytes of the buffers that were made while it was the calling thread's account; each gives its
/// bytes back when it goes, wherever that is. Lives until its owner and all those buffers are gone.
/// Thread-safe.
class MemoryAccount {
 public:
  struct Close {
    void operator()(MemoryAccount* account) const { account->subtract(kOpen); }
  };
  using Owner = std::unique_ptr<MemoryAccount, Close>;
  static Owner open(std::size_t limit_bytes) { return Owner(new MemoryAccount(limit_bytes)); }

  /// Throws DatumError(kResource), and counts nothing, when that would be more than the limit.
  void add(std::size_t bytes) {
    const std::int64_t before =
        balance_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    if (static_cast<std::size_t>(before & ~kOpen) + bytes > limit_bytes_) [[unlikely]]
      refuse(bytes);
  }
  void subtract(std::int64_t bytes) {
    if (balance_.fetch_sub(bytes, std::memory_order_acq_rel) == bytes) delete this;
  }
  std::size_t bytes() const {
    return static_cast<std::size_t>(balance_.load(std::memory_order_relaxed) & ~kOpen);
  }

  /// The calling thread's; null: nothing is counted.
  static MemoryAccount* of_thread();
  static void set_of_thread(MemoryAccount* account);

  /// Counts nothing on the calling thread as long as it lives: for what must not fail because a query has
  /// much already.
  class Pause {
   public:
    Pause() : account_(of_thread()) { set_of_thread(nullptr); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() { set_of_thread(account_); }

   private:
    MemoryAccount* const account_;
  };

 private:
  // Added while there is an owner, so that the last of owner and buffers sees zero.
  static constexpr std::int64_t kOpen = std::int64_t{1} << 62;

  explicit MemoryAccount(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  [[noreturn]] void refuse(std::size_t bytes);

  const std::size_t limit_bytes_;
  std::atomic<std::int64_t> balance_{kOpen};
};

/// What is kept beside buffers (the nodes of a set, the rows to be sorted), in the account of the thread that
/// first adds to it.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  MemoryCharge(MemoryCharge&& other) noexcept
      : account_(std::exchange(other.account_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryCharge() { clear(); }

  void add(std::size_t bytes) {
    if (account_ == nullptr) account_ = MemoryAccount::of_thread();
    if (account_ == nullptr) return;
    account_->add(bytes);
    bytes_ += bytes;
  }
  void clear() {
    if (bytes_ > 0) account_->subtract(static_cast<std::int64_t>(bytes_));
    bytes_ = 0;
    account_ = nullptr;
  }

 private:
  MemoryAccount* account_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace reqld
