// Random operations on an engine and on a std::map, which must agree; reopened at random points.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace reqld::crash {

/// One run; the first difference in words.
std::optional<std::string> run_model(std::uint64_t seed, const std::string& directory);

}  // namespace reqld::crash
