// One fetch: what is asked, and what came back.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_fetch/headers.hpp"
#include "http_fetch/url.hpp"

namespace reqld::http_fetch {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete };

/// `GET`, …
std::string_view method_name(Method method);
/// Exact, in upper case; nothing for anything else.
std::optional<Method> parse_method(std::string_view text);

struct Auth {
  enum class Type : std::uint8_t { kBasic, kDigest };
  Type type = Type::kBasic;
  std::string user;
  std::string pass;
};

/// r.http's optargs. How each maps (the ReQL side checks types; the texts of its errors are its own):
///
///   url            `url`, as written; error texts show it
///   method         parse_method()
///   params         one Param per field in key order: strings as they are, numbers by number_text(), null as
///   "".
///                  A paging request passes them again with the next URL
///   header         object: one line `name: value` per field in key order, null as `name:`; array: the lines.
///                  Lines go to libcurl as they are: `Name:` removes a header, `Name;` sends it empty, a line
///                  without either is dropped. Lines with CR, LF or NUL are refused (kInvalid)
///   data           POST: a string goes to `body`; an object to encode_form(). `body_is_json` stays false:
///   libcurl
///                  says application/x-www-form-urlencoded. PUT, PATCH, DELETE: a string goes to `body`,
///                  everything else printed as JSON with body_is_json = true, which sends Content-Type:
///                  application/json (in addition to one in `header_lines`)
///   auth           `auth`. Basic is sent at once, Digest after the server's 401
///   timeout        timeout_from_seconds(); from submit() to the end of the last attempt; 0 times out at once
///   attempts       at least 1 to do anything; a negative one is as good as no limit (static_cast<uint64_t>).
///                  Answers 408, 500, 502, 503, 504 and refused connections are tried again, at once
///   redirects      max_redirects; with 0 a redirect is a kStatus error
///   verify         verify_tls
///   result_format  not part of the request: body_kind() of the answer
///   page           pages are requests of their own; pass Response::cookies on to the next one
struct Request {
  Method method = Method::kGet;
  std::string url;
  std::vector<Param> params;
  std::vector<std::string> header_lines;
  std::optional<std::string> body;
  bool body_is_json = false;
  std::optional<Auth> auth;
  std::chrono::milliseconds timeout{30000};
  std::uint64_t attempts = 5;
  std::uint32_t max_redirects = 1;
  bool verify_tls = true;
  /// The smaller of this and the Fetcher's limit holds. Of the body as decompressed.
  std::uint64_t max_body_bytes = std::numeric_limits<std::uint64_t>::max();
  /// As in Response::cookies.
  std::vector<std::string> cookies;
};

/// Rounds to milliseconds; what is too large for the clock becomes about 24 days. Requires seconds >= 0.
std::chrono::milliseconds timeout_from_seconds(double seconds);

/// The last answer (after redirects and repeated attempts), with a 2xx status.
struct Response {
  int status = 0;
  HeaderList headers;
  std::string content_type;  ///< of `headers`; "" when absent
  std::string body;          ///< decompressed; empty for HEAD
  std::string effective_url;
  /// All cookies known after this request, in libcurl's text form, when any were set or passed in.
  std::vector<std::string> cookies;
};

}  // namespace reqld::http_fetch
