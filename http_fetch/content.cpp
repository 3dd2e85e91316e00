#include "http_fetch/content.hpp"

namespace reqld::http_fetch {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

bool starts_with_no_case(std::string_view text, std::string_view lower_case_prefix) {
  if (text.size() < lower_case_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_case_prefix.size(); ++i) {
    char c = text[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c != lower_case_prefix[i]) return false;
  }
  return true;
}

/// Bytes of multi-byte UTF-8 count as letters, as in JavaScript names.
bool is_name_start(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

bool is_name_part(unsigned char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}

}  // namespace

std::optional<ResultFormat> parse_result_format(std::string_view text) {
  if (text == "auto") return ResultFormat::kAuto;
  if (text == "json") return ResultFormat::kJson;
  if (text == "jsonp") return ResultFormat::kJsonp;
  if (text == "text") return ResultFormat::kText;
  if (text == "binary") return ResultFormat::kBinary;
  return std::nullopt;
}

BodyKind body_kind(ResultFormat format, bool is_head, std::string_view content_type) {
  if (is_head) return BodyKind::kNull;
  switch (format) {
    case ResultFormat::kJson:
      return BodyKind::kJson;
    case ResultFormat::kJsonp:
      return BodyKind::kJsonp;
    case ResultFormat::kText:
      return BodyKind::kText;
    case ResultFormat::kBinary:
      return BodyKind::kBinary;
    case ResultFormat::kAuto:
      break;
  }
  for (std::string_view type : {"application/json-p", "text/json-p", "text/javascript"}) {
    if (starts_with_no_case(content_type, type)) return BodyKind::kJsonpOrText;
  }
  if (starts_with_no_case(content_type, "application/json")) return BodyKind::kJson;
  for (std::string_view type : {"image/", "audio/", "video/", "application/octet-stream"}) {
    if (starts_with_no_case(content_type, type)) return BodyKind::kBinary;
  }
  return BodyKind::kText;
}

std::optional<std::string_view> unwrap_jsonp(std::string_view body) {
  std::size_t at = body.find_first_not_of(kBlanks);
  if (at == std::string_view::npos || !is_name_start(static_cast<unsigned char>(body[at])))
    return std::nullopt;
  while (at < body.size() && is_name_part(static_cast<unsigned char>(body[at]))) ++at;
  at = body.find_first_not_of(kBlanks, at);
  if (at == std::string_view::npos || body[at] != '(') return std::nullopt;
  std::size_t end = body.find_last_not_of(kBlanks);
  if (body[end] == ';') end = body.find_last_not_of(kBlanks, end - 1);
  if (end <= at || body[end] != ')') return std::nullopt;
  std::string_view inner = body.substr(at + 1, end - at - 1);
  if (inner.find_first_not_of(kBlanks) == std::string_view::npos) return std::nullopt;
  return inner;
}

}  // namespace reqld::http_fetch
