#include "http_fetch/url.hpp"

#include <cstdio>

namespace reqld::http_fetch {
namespace {

bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void percent_encode_to(std::string_view bytes, std::string& out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (unsigned char c : bytes) {
    if (is_unreserved(c)) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
}

void encode_form_to(std::span<const Param> fields, std::string& out) {
  bool first = true;
  for (const Param& field : fields) {
    if (!first) out += '&';
    first = false;
    percent_encode_to(field.name, out);
    out += '=';
    percent_encode_to(field.value, out);
  }
}

}  // namespace

std::string number_text(double number) {
  char text[40];
  int length = std::snprintf(text, sizeof(text), "%.20g", number);
  return {text, static_cast<std::size_t>(length)};
}

std::string percent_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 8);
  percent_encode_to(bytes, out);
  return out;
}

std::string encode_form(std::span<const Param> fields) {
  std::string out;
  encode_form_to(fields, out);
  return out;
}

std::string append_params(std::string_view url, std::span<const Param> params) {
  std::string out(url);
  if (params.empty()) return out;
  std::size_t mark = url.find_last_of("/?");
  out += mark != std::string_view::npos && url[mark] == '?' ? '&' : '?';
  encode_form_to(params, out);
  return out;
}

std::string authority(std::string_view url) {
  std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos && url.find_first_of("/?#") == scheme + 1)
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (std::size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  std::string out(url);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace reqld::http_fetch
