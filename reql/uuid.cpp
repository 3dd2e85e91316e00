#include "reql/uuid.hpp"

#include <openssl/evp.h>
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

// Sets version and variant of 16 bytes and prints them.
std::string format_uuid(std::uint8_t (&b)[16], unsigned version) {
  b[6] = static_cast<std::uint8_t>((b[6] & 0x0f) | (version << 4));
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

}  // namespace

std::string random_uuid() {
  std::uint8_t b[16];
  random_bytes(b, sizeof b);
  return format_uuid(b, 4);
}

std::string named_uuid(std::string_view name) {
  // 91461c99-f89d-49d2-af96-d8e2e14e9b58, as documented for r.uuid.
  std::string text("\x91\x46\x1c\x99\xf8\x9d\x49\xd2\xaf\x96\xd8\xe2\xe1\x4e\x9b\x58", 16);
  text += name;
  std::uint8_t digest[20];
  if (EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha1(), nullptr) != 1) {
    throw_internal("The system has no SHA-1.");
  }
  std::uint8_t b[16];
  std::memcpy(b, digest, sizeof b);
  return format_uuid(b, 5);
}

}  // namespace reqld::reql
