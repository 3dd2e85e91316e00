// Stacks for coroutines: mapped, touched lazily, with a guard page below.
#pragma once

#include <cstddef>
#include <utility>

namespace reqld::server {

/// Owns one mapping. An overflow hits the guard page, not the neighbour.
class Stack {
 public:
  Stack() = default;
  Stack(Stack&& other) noexcept : base_(std::exchange(other.base_, nullptr)), size_(other.size_) {}
  Stack& operator=(Stack&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Stack();

  /// Empty when the system has no memory or no mappings left.
  static Stack map(std::size_t usable_bytes);

  explicit operator bool() const { return base_ != nullptr; }
  void* bottom() const;  ///< lowest usable address
  void* top() const;     ///< one past the highest
  std::size_t usable_bytes() const;

 private:
  void* base_ = nullptr;  ///< of the guard page
  std::size_t size_ = 0;  ///< of the whole mapping
};

}  // namespace reqld::server
