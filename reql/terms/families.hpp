// The families of terms, one file each. A new family is added to this list.
#pragma once

#include <span>

#include "reql/term_def.hpp"

namespace reqld::reql {

std::span<const TermDef> admin_terms();     // admin.cpp: databases, tables, indexes, write hooks
std::span<const TermDef> control_terms();   // control.cpp: branch, default, error, uuid
std::span<const TermDef> convert_terms();   // convert.cpp: coerce_to, type_of, JSON, binary, minval, maxval, literal
std::span<const TermDef> core_terms();      // core.cpp: data, variables, functions
std::span<const TermDef> http_terms();      // http.cpp: r.http
std::span<const TermDef> info_terms();      // info.cpp: what a value is
std::span<const TermDef> logic_terms();     // logic.cpp: comparisons, and, or, not
std::span<const TermDef> math_terms();      // math.cpp: arithmetic, rounding, bits, random
std::span<const TermDef> meta_terms();      // meta.cpp: config, status, wait, reconfigure, rebalance
std::span<const TermDef> string_terms();    // string.cpp: match, split, upcase, downcase, format
std::span<const TermDef> table_terms();     // tables.cpp: db, table, get, get_all, between
std::span<const TermDef> time_terms();      // time.cpp: everything with times
std::span<const TermDef> write_terms();     // writes.cpp: insert, update, replace, delete, for_each, sync

using Family = std::span<const TermDef> (*)();
inline constexpr Family kFamilies[] = {
    admin_terms,
    control_terms,
    convert_terms,
    core_terms,
    http_terms,
    info_terms,
    logic_terms,
    math_terms,
    meta_terms,
    string_terms,
    table_terms,
    time_terms,
    write_terms,
};

}  // namespace reqld::reql
