// fuzz libs: reqld_http_fetch
// What a foreign web server can say to r.http as text: headers, Link values, content types, JSONP, redirect
// targets; and what an operator can say in the lists of addresses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http_fetch/address_policy.hpp"
#include "http_fetch/content.hpp"
#include "http_fetch/error_text.hpp"
#include "http_fetch/headers.hpp"
#include "http_fetch/url.hpp"

using namespace reqld::http_fetch;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

bool within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  HeaderList headers;
  std::vector<std::string> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    lines.emplace_back(line);
    std::string name;
    std::string value;
    if (!parse_header_line(line, name, value)) continue;
    require(name.find(':') == std::string::npos);
    headers.emplace_back(std::move(name), std::move(value));
  }
  const HeaderObject object = header_object(headers);
  require(object.has_link || object.links.empty());
  require(!object.fields.contains("link"));
  (void)find_header(headers, "content-type");
  std::map<std::string, std::string, std::less<>> links;
  parse_links(text, links);
  for (const auto& [relation, url] : links) require(url.size() <= size);

  (void)body_kind(ResultFormat::kAuto, false, text);
  if (const auto inner = unwrap_jsonp(text)) require(within(*inner, text));
  (void)parse_result_format(text);
  (void)authority(text);
  const Param param{std::string(text), std::string(text)};
  require(append_params(text, {&param, 1}).size() >= size);
  require(percent_encode(text).size() >= size);
  (void)failure_text(Method::kGet, text, text, &headers, text);

  (void)AddressPolicy::parse(lines, {});
  if (const auto policy = AddressPolicy::parse({}, lines))
    require(policy->allows_everything() == lines.empty());
  return 0;
}
