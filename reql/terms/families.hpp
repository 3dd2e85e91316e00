// The families of terms, one file each. A new family is added to this list.
#pragma once

#include <span>

#include "reql/term_def.hpp"

namespace reqld::reql {

std::span<const TermDef> core_terms();     // core.cpp: data, variables, functions

using Family = std::span<const TermDef> (*)();
inline constexpr Family kFamilies[] = {
    core_terms,
};

}  // namespace reqld::reql
