#include "server/token_table.hpp"

#include <utility>

#include "server/task.hpp"

namespace reqld::server {
namespace {
constexpr std::size_t kSmallest = 8;
}

std::size_t TokenTable::home(std::uint64_t token) const {
  return static_cast<std::size_t>((token * 0x9e3779b97f4a7c15ULL) >> 32) & (capacity_ - 1);
}

Task* TokenTable::find(std::uint64_t token) const {
  if (size_ == 0) return nullptr;
  for (std::size_t i = home(token); slots_[i] != nullptr; i = (i + 1) & (capacity_ - 1)) {
    if (slots_[i]->token() == token) return slots_[i];
  }
  return nullptr;
}

void TokenTable::insert(Task& task) {
  if (size_ + size_ / 2 >= capacity_) resize(capacity_ == 0 ? kSmallest : capacity_ * 2);
  std::size_t i = home(task.token());
  while (slots_[i] != nullptr) i = (i + 1) & (capacity_ - 1);
  slots_[i] = &task;
  ++size_;
}

void TokenTable::erase(std::uint64_t token) {
  if (size_ == 0) return;
  std::size_t hole = home(token);
  while (slots_[hole] != nullptr && slots_[hole]->token() != token) hole = (hole + 1) & (capacity_ - 1);
  if (slots_[hole] == nullptr) return;
  // What follows in the run moves up, unless it would get before its home.
  for (std::size_t i = (hole + 1) & (capacity_ - 1); slots_[i] != nullptr; i = (i + 1) & (capacity_ - 1)) {
    const std::size_t wanted = home(slots_[i]->token());
    if (((i - wanted) & (capacity_ - 1)) >= ((i - hole) & (capacity_ - 1))) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = nullptr;
  if (--size_ == 0 && capacity_ > kSmallest) {
    slots_.reset();
    capacity_ = 0;
  }
}

std::vector<Task*> TokenTable::all() const {
  std::vector<Task*> tasks;
  tasks.reserve(size_);
  for_each([&](Task& task) { tasks.push_back(&task); });
  return tasks;
}

void TokenTable::resize(std::size_t capacity) {
  const auto old = std::exchange(slots_, std::make_unique<Task*[]>(capacity));
  const std::size_t old_capacity = std::exchange(capacity_, capacity);
  for (std::size_t i = 0; i < old_capacity; ++i) {
    if (old[i] == nullptr) continue;
    std::size_t at = home(old[i]->token());
    while (slots_[at] != nullptr) at = (at + 1) & (capacity_ - 1);
    slots_[at] = old[i];
  }
}

}  // namespace reqld::server
