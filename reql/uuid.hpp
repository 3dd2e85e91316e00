// UUIDs as text.
#pragma once

#include <string>
#include <string_view>

namespace reqld::reql {

/// A random UUID (version 4). Thread-safe.
std::string random_uuid();

/// The UUID (version 5) of a name, always the same: what r.uuid(name) answers.
std::string named_uuid(std::string_view name);

}  // namespace reqld::reql
