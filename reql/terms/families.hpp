// The families of terms, one file each. A new family is added to this list.
#pragma once

#include <span>

#include "reql/term_def.hpp"

namespace reqld::reql {

std::span<const TermDef> admin_terms();    // admin.cpp: databases, tables, indexes, write hooks
std::span<const TermDef> core_terms();     // core.cpp: data, variables, functions
std::span<const TermDef> table_terms();    // tables.cpp: db, table, get, get_all, between
std::span<const TermDef> write_terms();    // writes.cpp: insert, update, replace, delete, for_each, sync

using Family = std::span<const TermDef> (*)();
inline constexpr Family kFamilies[] = {
    admin_terms,
    core_terms,
    table_terms,
    write_terms,
};

}  // namespace reqld::reql
