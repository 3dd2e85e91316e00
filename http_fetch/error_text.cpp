#include "http_fetch/error_text.hpp"

#include <fmt/format.h>

namespace reqld::http_fetch {
namespace {

constexpr std::size_t kMaxBodyShown = 64u << 10;

/// JSON string; bytes that are not UTF-8 stay as they are.
void quote(std::string_view text, std::string& out) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
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
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04X}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void print_object(const HeaderObject& headers, std::string& out) {
  std::string_view separator = "\n";
  auto field_name = [&](std::string_view name) {
    out += separator;
    separator = ",\n";
    out += '\t';
    quote(name, out);
    out += ":\t";
  };
  auto print_links = [&] {
    field_name("link");
    out += '{';
    std::string_view comma = "\n";
    for (const auto& [relation, url] : headers.links) {
      out += comma;
      comma = ",\n";
      out += "\t\t";
      quote(relation, out);
      out += ":\t";
      quote(url, out);
    }
    out += headers.links.empty() ? "}" : "\n\t}";
  };
  out += '{';
  bool links_due = headers.has_link;
  for (const auto& [name, value] : headers.fields) {
    if (links_due && name > "link") {
      print_links();
      links_due = false;
    }
    field_name(name);
    quote(value, out);
  }
  if (links_due) print_links();
  out += headers.fields.empty() && !headers.has_link ? "}" : "\n}";
}

}  // namespace

std::string failure_text(Method method, std::string_view url, std::string_view reason,
                         const HeaderList* headers, std::optional<std::string_view> body) {
  std::string out = fmt::format("Error in HTTP {} of `{}`: {}.\nheader:\n", method_name(method), url, reason);
  if (headers) {
    print_object(header_object(*headers), out);
  } else {
    out += "null";
  }
  out += "\nbody:\n";
  if (!body) {
    out += "null";
  } else {
    quote(body->substr(0, kMaxBodyShown), out);
    if (body->size() > kMaxBodyShown) {
      fmt::format_to(std::back_inserter(out), " ({} bytes, cut)", body->size());
    }
  }
  return out;
}

std::string timeout_text(Method method, std::string_view url, std::chrono::milliseconds timeout) {
  return fmt::format("Error in HTTP {} of `{}`: timed out after {}.{:03} seconds.", method_name(method), url,
                     timeout.count() / 1000, timeout.count() % 1000);
}

}  // namespace reqld::http_fetch
