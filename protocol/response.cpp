#include "protocol/response.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "protocol/frame.hpp"

namespace reqld::protocol {
namespace {

bool is_error(std::uint8_t type) {
  return type >= kClientError;
}

void append_number(std::string& out, std::int64_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// Everything after the rows.
void append_ending(std::string& out, const Response& response) {
  out += ']';
  if (is_error(response.type)) {
    out += ",\"b\":[";
    bool first = true;
    for (const auto& frame : response.backtrace) {
      if (!std::exchange(first, false)) out += ',';
      if (const auto* position = std::get_if<std::int32_t>(&frame)) {
        append_number(out, *position);
      } else {
        append_json_string(out, std::get<std::string>(frame));
      }
    }
    out += ']';
  }
  if (!response.profile.empty()) out.append(",\"p\":").append(response.profile);
  if (response.type == kSuccessSequence || response.type == kSuccessPartial || !response.notes.empty()) {
    out += ",\"n\":[";
    for (std::size_t i = 0; i < response.notes.size(); ++i) {
      if (i > 0) out += ',';
      append_number(out, response.notes[i]);
    }
    out += ']';
  }
  out += '}';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out.append("\\u00").push_back(kHex[(c >> 4) & 0xf]);
          out.push_back(kHex[c & 0xf]);
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

Response error_response(std::uint8_t type, std::uint32_t error, std::string_view message) {
  Response response;
  response.type = type;
  response.error = error;
  append_json_string(response.rows, message);
  return response;
}

void append_response(OutputQueue& out, std::uint64_t token, Response&& response) {
  std::array<char, 64> start;
  char* const text = start.data() + kFrameHeaderBytes;
  char* p = text;
  auto put = [&p](std::string_view s) { p += s.copy(p, s.size()); };
  put("{\"t\":");
  p = std::to_chars(p, start.data() + start.size(), static_cast<unsigned>(response.type)).ptr;
  if (response.error != 0) {
    put(",\"e\":");
    p = std::to_chars(p, start.data() + start.size(), response.error).ptr;
  }
  put(",\"r\":[");

  const auto append_framed = [&](auto&& ending) {
    const std::uint64_t length = static_cast<std::uint64_t>(p - text) + response.rows.size() + ending.size();
    if (length > std::numeric_limits<std::uint32_t>::max()) {
      append_response(out, token,
                      error_response(kRuntimeError, kResourceLimitError,
                                     "The reply is larger than the 4 GiB that a response can carry."));
      return;
    }
    write_frame_header(start.data(), token, static_cast<std::uint32_t>(length));
    out.append(std::string_view(start.data(), static_cast<std::size_t>(p - start.data())));
    out.append(std::move(response.rows));
    out.append(std::string_view(ending));
  };
  if (response.type == kSuccessAtom && response.notes.empty() && response.profile.empty()) {
    append_framed(std::string_view("]}"));
  } else {
    std::string ending;
    append_ending(ending, response);
    append_framed(ending);
  }
}

}  // namespace reqld::protocol
