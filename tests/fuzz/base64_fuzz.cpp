// Any text as base64: the vectorised decoder agrees with the portable one, and what decodes encodes back.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "datum/base64.hpp"

using namespace reqld;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

struct Outcome {
  std::string bytes;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

/// Into a buffer of exactly the promised size, so that the sanitizer sees a write beyond it.
template <typename Decode>
Outcome decoded(std::string_view text, Decode decode) {
  const std::size_t room = base64_decoded_limit(text.size());
  const std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[room]);
  try {
    const std::size_t size = decode(text, out.get());
    require(size <= room);
    return {std::string(reinterpret_cast<const char*>(out.get()), size), {}};
  } catch (const DatumError& error) {
    return {{}, error.what()};
  }
}

std::string encoded(std::string_view bytes) {
  std::string text;
  append_base64(bytes, text);
  require(text.size() == base64_size(bytes.size()));
  std::string portable(base64_size(bytes.size()), '\0');
  base64_detail::encode_portable(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                 portable.data());
  require(text == portable);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of just the size: reading beyond the end is an error too.
  const std::unique_ptr<char[]> copy(new char[size]);
  if (size > 0) std::memcpy(copy.get(), data, size);
  const std::string_view input(copy.get(), size);

  const Outcome outcome = decoded(input, decode_base64);
  require(outcome == decoded(input, base64_detail::decode_portable));
  if (outcome.error.empty()) {
    require(decoded(encoded(outcome.bytes), decode_base64).bytes == outcome.bytes);
    require(binary_from_base64(input).binary_size() == outcome.bytes.size());
    // In place, as the parser of queries does it.
    std::string text(input);
    text.resize(base64_decoded_limit(size) + size);
    const std::size_t bytes =
        decode_base64(std::string_view(text).substr(0, size), reinterpret_cast<std::uint8_t*>(text.data()));
    require(text.substr(0, bytes) == outcome.bytes);
  }
  require(decoded(encoded(input), decode_base64).bytes == input);
  return 0;
}
