#include "reql/uuid.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "reql/error.hpp"

namespace reqld::reql {

namespace {

// Random bytes from the kernel, fetched for many UUIDs at a time.
void random_bytes(std::uint8_t* out, std::size_t size) {
  thread_local std::array<std::uint8_t, 1024> pool;
  thread_local std::size_t used = pool.size();
  if (used + size > pool.size()) {
    std::size_t filled = 0;
    while (filled < pool.size()) {
      const ssize_t n = getrandom(pool.data() + filled, pool.size() - filled, 0);
      if (n < 0) throw_internal("The system has no random numbers.");
      filled += static_cast<std::size_t>(n);
    }
    used = 0;
  }
  std::memcpy(out, pool.data() + used, size);
  used += size;
}

}  // namespace

std::string random_uuid() {
  std::uint8_t b[16];
  random_bytes(b, sizeof b);
  b[6] = static_cast<std::uint8_t>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<std::uint8_t>((b[8] & 0x3f) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[b[i] >> 4];
    text += kHex[b[i] & 15];
  }
  return text;
}

}  // namespace reqld::reql
