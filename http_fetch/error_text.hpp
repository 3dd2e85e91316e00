// The texts of r.http errors, which applications match on.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "http_fetch/headers.hpp"
#include "http_fetch/request.hpp"

namespace reqld::http_fetch {

/// Error in HTTP GET of `URL`: REASON.
/// header:
/// {…}
/// body:
/// "…"
///
/// `url` is the request's URL as the user wrote it, without `params`. `headers` and `body`: null prints
/// `null`. An empty body is printed as `""`; pass null where `null` is wanted. Bodies are cut at 64 KiB.
std::string failure_text(Method method, std::string_view url, std::string_view reason,
                         const HeaderList* headers, std::optional<std::string_view> body);

/// Error in HTTP GET of `URL`: timed out after 0.400 seconds.
std::string timeout_text(Method method, std::string_view url, std::chrono::milliseconds timeout);

}  // namespace reqld::http_fetch
