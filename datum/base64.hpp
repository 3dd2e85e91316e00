// Base64 (RFC 4648, standard alphabet), at memory speed where the processor has AVX2 or SSSE3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld {

/// Length of the text that stands for `bytes` bytes, padding included.
constexpr std::size_t base64_size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

/// Writes base64_size(bytes.size()) characters at `out`, without line breaks.
void encode_base64(std::string_view bytes, char* out);
void append_base64(std::string_view bytes, std::string& out);

/// The most bytes that `text` characters can stand for.
constexpr std::size_t base64_decoded_limit(std::size_t text) {
  return text / 4 * 3 + 3;
}

/// Decodes into `out`, which has room for base64_decoded_limit(text.size()) bytes and may be where `text`
/// begins or before it. Returns the number of bytes. Lax, as recorded: white space anywhere, padding missing
/// or too long, spare bits ignored. Throws DatumError
/// ("Invalid base64 character found: '*'.", "Invalid base64 format, data found after padding character '='.",
/// "Invalid base64 length: 1 character remaining, cannot decode a full byte.").
std::size_t decode_base64(std::string_view text, std::uint8_t* out);

/// The binary value that `text` stands for, decoded straight into its buffer.
Datum binary_from_base64(std::string_view text);

namespace base64_detail {
/// For the tests: the parts that every processor runs.
void encode_portable(const std::uint8_t* in, std::size_t size, char* out);
std::size_t decode_portable(std::string_view text, std::uint8_t* out);
}  // namespace base64_detail

}  // namespace reqld
