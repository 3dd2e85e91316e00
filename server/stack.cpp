#include "server/stack.hpp"

#include <sys/mman.h>
#include <unistd.h>

namespace reqld::server {
namespace {
std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}
}  // namespace

Stack Stack::map(std::size_t usable_bytes) {
  const std::size_t page = page_bytes();
  Stack stack;
  stack.size_ = (usable_bytes + page - 1) / page * page + page;
  void* const base = mmap(nullptr, stack.size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return {};
  stack.base_ = base;
  if (mprotect(base, page, PROT_NONE) != 0) return {};
  return stack;
}

Stack::~Stack() {
  if (base_ != nullptr) munmap(base_, size_);
}

void* Stack::bottom() const {
  return static_cast<char*>(base_) + page_bytes();
}
void* Stack::top() const {
  return static_cast<char*>(base_) + size_;
}
std::size_t Stack::usable_bytes() const {
  return size_ - page_bytes();
}

}  // namespace reqld::server
