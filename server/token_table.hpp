// The tokens of one connection that are in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace reqld::server {

class Task;

/// Token -> Task, open addressing. Empty it holds no memory. Does not own the tasks. Not thread-safe.
class TokenTable {
 public:
  Task* find(std::uint64_t token) const;
  /// The token must not be there yet.
  void insert(Task& task);
  void erase(std::uint64_t token);
  std::size_t size() const { return size_; }
  std::vector<Task*> all() const;

  template <typename Function>
  void for_each(Function&& function) const {
    for (std::size_t i = 0; i < capacity_; ++i) {
      if (slots_[i] != nullptr) function(*slots_[i]);
    }
  }

 private:
  std::size_t home(std::uint64_t token) const;
  void resize(std::size_t capacity);

  std::unique_ptr<Task*[]> slots_;
  std::size_t capacity_ = 0;  ///< a power of two, or 0
  std::size_t size_ = 0;
};

}  // namespace reqld::server
