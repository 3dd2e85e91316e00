// Numbers in the messages of the geo terms.
#pragma once

#include <cstdio>
#include <string>

namespace reqld::reql::geo {

/// With 20 significant digits, as these messages show numbers.
inline std::string digits(double d) {
  char text[48];
  std::snprintf(text, sizeof text, "%.20g", d);
  return text;
}

}  // namespace reqld::reql::geo
