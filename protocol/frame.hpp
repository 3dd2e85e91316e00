// Cuts the byte stream of an authenticated connection into queries: 8-byte token, 4-byte length (both
// little-endian), JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace reqld::protocol {

inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::uint32_t kMaxQueryBytes = 134217727;  ///< as RethinkDB 2.4.4 answers it

enum class FrameStatus : std::uint8_t {
  kComplete,  ///< `body` is whole
  kNeedMore,  ///< `need_bytes` in total, counted from the start of the input, would get further
  kTooLarge,  ///< announces more than kMaxQueryBytes: answer `token`, then close
};

struct QueryFrame {
  FrameStatus status = FrameStatus::kNeedMore;
  std::uint64_t token = 0;         ///< once the header is there
  std::uint32_t length_bytes = 0;  ///< announced length of the body, once the header is there
  std::size_t need_bytes = kFrameHeaderBytes;
  std::string_view body;  ///< within the input
};

/// Looks at the frame that starts `input`. A complete one takes kFrameHeaderBytes + body.size() bytes of it.
QueryFrame read_frame(std::string_view input);

/// Writes a frame header to `out`, kFrameHeaderBytes bytes.
void write_frame_header(char* out, std::uint64_t token, std::uint32_t length_bytes);

/// A token as RethinkDB prints it in its messages: signed.
inline std::int64_t printable_token(std::uint64_t token) {
  return static_cast<std::int64_t>(token);
}

}  // namespace reqld::protocol
