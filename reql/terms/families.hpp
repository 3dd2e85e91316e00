// The families of terms, one file each. A new family is added to this list.
#pragma once

#include <span>

#include "reql/term_def.hpp"

namespace reqld::reql {

std::span<const TermDef> admin_terms();         // admin.cpp: databases, tables, indexes, write hooks
std::span<const TermDef> aggregate_terms();     // aggregate.cpp: count, sum, avg, min, max, reduce, fold
std::span<const TermDef> array_terms();         // array.cpp: elements and sets
std::span<const TermDef> change_terms();    // changes.cpp: changefeeds
std::span<const TermDef> control_terms();       // control.cpp: branch, default, error, uuid
std::span<const TermDef> convert_terms();       // convert.cpp: coerce_to, type_of, JSON, binary, minval, maxval, literal
std::span<const TermDef> core_terms();          // core.cpp: data, variables, functions
std::span<const TermDef> document_terms();      // document.cpp: fields, paths, merge
std::span<const TermDef> geo_terms();           // geo.cpp: geometries and geospatial indexes
std::span<const TermDef> group_terms();         // group.cpp: group, ungroup
std::span<const TermDef> grant_terms();     // grant.cpp: permissions
std::span<const TermDef> http_terms();          // http.cpp: r.http
std::span<const TermDef> info_terms();          // info.cpp: what a value is
std::span<const TermDef> join_terms();          // joins.cpp: joins, zip
std::span<const TermDef> javascript_terms();  // javascript.cpp: r.js
std::span<const TermDef> logic_terms();         // logic.cpp: comparisons, and, or, not
std::span<const TermDef> math_terms();          // math.cpp: arithmetic, rounding, bits, random
std::span<const TermDef> meta_terms();          // meta.cpp: config, status, wait, reconfigure, rebalance
std::span<const TermDef> order_by_terms();      // order_by.cpp: order_by, distinct, sample
std::span<const TermDef> position_terms();      // position.cpp: slice, skip, limit, nth
std::span<const TermDef> sequence_terms();      // sequence.cpp: map, filter, concat_map, union, range, contains
std::span<const TermDef> string_terms();        // string.cpp: match, split, upcase, downcase, format
std::span<const TermDef> table_terms();         // tables.cpp: db, table, get, get_all, between
std::span<const TermDef> time_terms();          // time.cpp: everything with times
std::span<const TermDef> write_terms();         // writes.cpp: insert, update, replace, delete, for_each, sync

using Family = std::span<const TermDef> (*)();
inline constexpr Family kFamilies[] = {
    admin_terms,
    aggregate_terms,
    array_terms,
    change_terms,
    control_terms,
    convert_terms,
    core_terms,
    document_terms,
    geo_terms,
    group_terms,
    grant_terms,
    http_terms,
    info_terms,
    join_terms,
    javascript_terms,
    logic_terms,
    math_terms,
    meta_terms,
    order_by_terms,
    position_terms,
    sequence_terms,
    string_terms,
    table_terms,
    time_terms,
    write_terms,
};

}  // namespace reqld::reql
