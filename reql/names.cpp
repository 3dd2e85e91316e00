#include "reql/names.hpp"

#include <algorithm>

#include "reql/error.hpp"

namespace reqld::reql {

void check_name(std::string_view what, std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), allowed)) return;
  throw_logic(std::string(what) + " name `" + std::string(name) + "` invalid (Use A-Z, a-z, 0-9, _ and - only).");
}

}  // namespace reqld::reql
