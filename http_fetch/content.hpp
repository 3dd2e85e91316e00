// What a response body is to be turned into.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace reqld::http_fetch {

/// The optarg `result_format`.
enum class ResultFormat : std::uint8_t { kAuto, kJson, kJsonp, kText, kBinary };

/// `auto`, `json`, `jsonp`, `text`, `binary`, as written; nothing else.
std::optional<ResultFormat> parse_result_format(std::string_view text);

enum class BodyKind : std::uint8_t {
  kNull,         ///< the answer to HEAD: null
  kText,         ///< a string of the bytes as they are, valid UTF-8 or not
  kBinary,       ///< a binary of the bytes
  kJson,         ///< JSON; what does not parse is an error
  kJsonp,        ///< unwrap_jsonp(), then JSON; either failing is an error
  kJsonpOrText,  ///< JSON; if not, unwrap_jsonp() and JSON; if not, a string
};

/// Decides by the format asked for, with kAuto by the Content-Type header ("" when there is none).
BodyKind body_kind(ResultFormat format, bool is_head, std::string_view content_type);

/// The JSON text within `callback( … );`, blanks included; nothing when the text has another shape. Whether
/// what it gives is JSON, the parser will say. The result points into `body`.
std::optional<std::string_view> unwrap_jsonp(std::string_view body);

}  // namespace reqld::http_fetch
