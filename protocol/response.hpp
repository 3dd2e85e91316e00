// Encodes one reply: frame header and `{"t":…,"e":…,"r":[…],"b":[…],"p":…,"n":[…]}`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/output_queue.hpp"

namespace reqld::protocol {

using Backtrace = std::vector<std::variant<std::int32_t, std::string>>;

/// The `t` values the server itself needs to know.
inline constexpr std::uint8_t kSuccessAtom = 1;
inline constexpr std::uint8_t kSuccessSequence = 2;
inline constexpr std::uint8_t kSuccessPartial = 3;
inline constexpr std::uint8_t kWaitComplete = 4;
inline constexpr std::uint8_t kServerInfo = 5;
inline constexpr std::uint8_t kClientError = 16;
inline constexpr std::uint8_t kRuntimeError = 18;

inline constexpr std::uint32_t kResourceLimitError = 2000000;
inline constexpr std::uint32_t kInternalError = 1000000;

struct Response {
  std::uint8_t type = kSuccessAtom;
  std::uint32_t error = 0;  ///< 0: no `e`
  std::string rows;         ///< JSON texts separated by commas; taken over, not copied, when large
  std::vector<std::uint8_t> notes;
  Backtrace backtrace;  ///< written for the error types
  std::string profile;  ///< JSON; empty: no `p`
};

/// Appends the whole frame. A reply longer than a frame can carry (4 GiB) becomes a RESOURCE_LIMIT error.
void append_response(OutputQueue& out, std::uint64_t token, Response&& response);

/// A reply whose only row is the text `message`, for the errors of the protocol itself.
Response error_response(std::uint8_t type, std::uint32_t error, std::string_view message);

/// Appends `text` as a JSON string with its quotes. Bytes from 0x80 on pass as they are.
void append_json_string(std::string& out, std::string_view text);

}  // namespace reqld::protocol
