// The few primitives of the handshakes, through OpenSSL. All thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reqld::protocol {

inline constexpr std::size_t kDigestBytes = 32;
using Digest = std::array<unsigned char, kDigestBytes>;

inline std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest sha256(std::string_view message);
Digest hmac_sha256(std::string_view key, std::string_view message);

/// PBKDF2-HMAC-SHA-256, 32 bytes. About 0.4 µs per iteration: never on a reactor for untrusted iteration
/// counts.
Digest pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations);

/// Cryptographically random. Aborts the process when the system has no randomness to give.
std::string random_bytes(std::size_t count);

std::string base64_encode(std::string_view bytes);
/// Strict: padding required, no other characters. Nothing for anything else.
std::optional<std::string> base64_decode(std::string_view text);

/// Takes the same time wherever they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace reqld::protocol
