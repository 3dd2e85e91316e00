// Reference-counted bytes that datums point into.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace reqld {

class MemoryAccount;

/// Where the bytes of an out-of-line binary (a blob) come from. Storage implements it; while one is
/// referenced, the blobs it can reach are not reclaimed. Thread-safe.
class BlobSource {
 public:
  /// Appends `length` bytes from `offset` of blob `id` to `out`. Throws DatumError(kInternal) when they
  /// cannot be read.
  virtual void read(std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out) = 0;

  /// Sources are ordered by age: an older one keeps everything alive that a newer one does.
  virtual std::uint64_t age() const = 0;

  void retain() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  BlobSource() = default;
  virtual ~BlobSource() = default;

 private:
  std::atomic<std::uint32_t> refs_{0};
};

/// A pointer that keeps one reference of anything with retain() and release().
template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* p) : p_(p) {
    if (p_) p_->retain();
  }
  Ref(const Ref& o) : Ref(o.p_) {}
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <typename U>
  Ref(const Ref<U>& o) : Ref(o.get()) {}  // NOLINT: implicit upcast, as with any smart pointer
  // Not one that takes its argument by value: Clang 14 forgets to destroy that when a template says `ref =
  // {}`.
  Ref& operator=(const Ref& o) noexcept { return *this = Ref(o); }
  Ref& operator=(Ref&& o) noexcept {
    T* const before = std::exchange(p_, std::exchange(o.p_, nullptr));
    if (before) before->release();
    return *this;
  }
  ~Ref() {
    if (p_) p_->release();
  }
  /// Takes over a reference that is counted already; `detach` gives it up again.
  static Ref adopt(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  [[nodiscard]] T* detach() { return std::exchange(p_, nullptr); }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  T* p_ = nullptr;
};

template <typename T, typename... A>
Ref<T> make_ref(A&&... a) {
  return Ref<T>(new T(std::forward<A>(a)...));
}

/// Bytes with a reference count; header and bytes are one allocation. Immutable once a Datum points into
/// them. Counts in the MemoryAccount of the thread that makes it.
class Buffer {
 public:
  /// These throw what MemoryAccount::add does. `size` bytes, not initialised.
  static Ref<Buffer> make(std::size_t size);
  static Ref<Buffer> copy(const void* bytes, std::size_t size);
  /// `buffer` made longer or shorter, its first bytes kept. Only before the buffer is shared.
  static Ref<Buffer> resize(Ref<Buffer> buffer, std::size_t size);

  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  std::size_t size() const { return size_; }

  /// The source of the blobs that values in this buffer refer to; null when there are none.
  BlobSource* blob_source() const { return source_.get(); }
  /// Keeps the older of the present one and `source`. Only before the buffer is shared.
  void add_blob_source(BlobSource* source);

  void retain() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

 private:
  Buffer(std::size_t size, MemoryAccount* account) : size_(size), account_(account) {}
  ~Buffer() = default;
  void destroy();

  std::atomic<std::uint32_t> refs_{0};
  std::size_t size_;
  Ref<BlobSource> source_;
  MemoryAccount* account_;  ///< counts it; may be null
};

}  // namespace reqld
