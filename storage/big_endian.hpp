// Integers in keys and records: big-endian, so that they sort as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reqld::storage {

inline void append_u32(std::uint32_t n, std::string& out) {
  const char bytes[4] = {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                         static_cast<char>(n)};
  out.append(bytes, 4);
}
inline void append_u64(std::uint64_t n, std::string& out) {
  append_u32(static_cast<std::uint32_t>(n >> 32), out);
  append_u32(static_cast<std::uint32_t>(n), out);
}
/// From at least 4 (8) bytes.
inline std::uint32_t load_u32(std::string_view bytes) {
  std::uint32_t n = 0;
  for (int i = 0; i < 4; ++i) n = n << 8 | static_cast<std::uint8_t>(bytes[i]);
  return n;
}
inline std::uint64_t load_u64(std::string_view bytes) {
  return std::uint64_t{load_u32(bytes)} << 32 | load_u32(bytes.substr(4));
}

}  // namespace reqld::storage
