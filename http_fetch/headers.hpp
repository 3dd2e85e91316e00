// Response headers: as received, and as the object that ReQL sees.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reqld::http_fetch {

/// Name in lower case, value without surrounding blanks; in the order received, repetitions included.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// What an error text prints and what a paging function gets as `header`.
struct HeaderObject {
  /// Every header but `link`; of one that is repeated the last value counts.
  std::map<std::string, std::string, std::less<>> fields;
  /// The Link headers, all lines together: `rel="next"` -> URL as written (it may be relative).
  std::map<std::string, std::string, std::less<>> links;
  /// Whether there was a Link header at all: then `link` is a field of the object, be it empty.
  bool has_link = false;
};

/// One line as libcurl hands it over, with or without its line end. False when it has no colon.
bool parse_header_line(std::string_view line, std::string& name, std::string& value);

HeaderObject header_object(const HeaderList& headers);

/// Adds the links of one Link header value (RFC 8288). The key is `rel="…"` with the relation as written,
/// quoted or not; of a link with several relations each gets an entry; of one without `rel` the key is its
/// parameter text. What cannot be understood is passed over.
void parse_links(std::string_view value, std::map<std::string, std::string, std::less<>>& links);

/// Value of the header `name` (lower case), the last one when repeated; "" when absent.
std::string_view find_header(const HeaderList& headers, std::string_view name);

}  // namespace reqld::http_fetch
