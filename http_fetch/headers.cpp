#include "http_fetch/headers.hpp"

#include <algorithm>

namespace reqld::http_fetch {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The end of the text up to `stop`, which does not count within double quotes.
std::size_t find_unquoted(std::string_view text, char stop) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == stop) {
      return i;
    }
  }
  return text.size();
}

/// The value of the first `rel` parameter of `;a=b; rel="c"`, unquoted; "" when there is none.
std::string_view relation(std::string_view params) {
  while (!params.empty()) {
    std::size_t end = find_unquoted(params, ';');
    std::string_view param = trim(params.substr(0, end));
    params.remove_prefix(std::min(end + 1, params.size()));
    std::size_t equals = param.find('=');
    if (equals == std::string_view::npos || lower(trim(param.substr(0, equals))) != "rel") continue;
    std::string_view value = trim(param.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return trim(value);
  }
  return {};
}

void add_link(std::string_view url, std::string_view params,
              std::map<std::string, std::string, std::less<>>& links) {
  std::string_view relations = relation(params);
  if (relations.empty()) {
    params = trim(params);
    if (!params.empty()) links.insert_or_assign(std::string(params), std::string(url));
    return;
  }
  while (!relations.empty()) {
    std::size_t end = std::min(relations.find_first_of(kBlanks), relations.size());
    std::string key = "rel=\"";
    key += relations.substr(0, end);
    key += '"';
    links.insert_or_assign(std::move(key), std::string(url));
    relations = trim(relations.substr(end));
  }
}

}  // namespace

bool parse_header_line(std::string_view line, std::string& name, std::string& value) {
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  name = lower(trim(line.substr(0, colon)));
  value = trim(line.substr(colon + 1));
  return true;
}

void parse_links(std::string_view value, std::map<std::string, std::string, std::less<>>& links) {
  while (true) {
    std::size_t open = value.find('<');
    if (open == std::string_view::npos) return;
    std::size_t close = value.find('>', open);
    if (close == std::string_view::npos) return;
    std::string_view url = trim(value.substr(open + 1, close - open - 1));
    std::string_view rest = value.substr(close + 1);
    std::size_t end = find_unquoted(rest, ',');
    std::string_view params = rest.substr(0, end);
    params.remove_prefix(std::min(find_unquoted(params, ';') + 1, params.size()));
    add_link(url, params, links);
    value = rest.substr(end);
  }
}

HeaderObject header_object(const HeaderList& headers) {
  HeaderObject object;
  for (const auto& [name, value] : headers) {
    if (name == "link") {
      object.has_link = true;
      parse_links(value, object.links);
    } else {
      object.fields.insert_or_assign(name, value);
    }
  }
  return object;
}

std::string_view find_header(const HeaderList& headers, std::string_view name) {
  for (auto it = headers.rbegin(); it != headers.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return {};
}

}  // namespace reqld::http_fetch
