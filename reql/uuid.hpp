// UUIDs as text.
#pragma once

#include <string>
#include <string_view>

namespace reqld::reql {

/// A random UUID (version 4). Thread-safe.
std::string random_uuid();

}  // namespace reqld::reql
