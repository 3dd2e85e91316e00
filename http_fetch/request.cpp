#include "http_fetch/request.hpp"

#include <cmath>

namespace reqld::http_fetch {
namespace {

struct MethodName {
  Method method;
  std::string_view name;
};

constexpr MethodName kMethods[] = {{Method::kGet, "GET"},     {Method::kHead, "HEAD"},
                                   {Method::kPost, "POST"},   {Method::kPut, "PUT"},
                                   {Method::kPatch, "PATCH"}, {Method::kDelete, "DELETE"}};

/// libcurl keeps a timeout in 32 bits of milliseconds.
constexpr std::chrono::milliseconds kMaxTimeout{std::numeric_limits<std::int32_t>::max()};

}  // namespace

std::string_view method_name(Method method) {
  for (const MethodName& m : kMethods) {
    if (m.method == method) return m.name;
  }
  return "";
}

std::optional<Method> parse_method(std::string_view text) {
  for (const MethodName& m : kMethods) {
    if (m.name == text) return m.method;
  }
  return std::nullopt;
}

std::chrono::milliseconds timeout_from_seconds(double seconds) {
  if (!(seconds * 1000 < static_cast<double>(kMaxTimeout.count()))) return kMaxTimeout;
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

}  // namespace reqld::http_fetch
