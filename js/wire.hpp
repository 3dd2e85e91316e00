// What the pool and its workers say to each other, over a socket pair of one process each: native byte order.
#pragma once

#include <cstdint>

namespace reqld::js {

/// Followed by `source_bytes` of source and `argument_bytes` of a JSON array.
struct RequestHeader {
  std::uint32_t timeout_ms;
  std::uint32_t source_bytes;
  std::uint32_t argument_bytes;
  std::uint8_t is_call;  ///< call the function with the arguments; otherwise only evaluate
};

/// Followed by `text_bytes` of text.
struct ReplyHeader {
  std::uint8_t kind;  ///< Result::Kind
  std::uint32_t text_bytes;
};

}  // namespace reqld::js
