// JSON text <-> datum, pseudo-types ($reql_type$) included.
#pragma once

#include <string>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld {

/// Appends `d` as compact JSON, as it goes over the wire: times, binaries and geometries as their $reql_type$ objects,
/// a blob's bytes read from its source in pieces. Throws DatumError("Cannot convert `r.minval` to JSON.") for minval and maxval.
void append_json(const Datum& d, std::string& out);
std::string to_json(const Datum& d);

/// The layout that error messages show: fields on lines of their own, indented by tabs: {\n\t"a":\t1\n}.
std::string to_pretty_json(const Datum& d);

/// Appends a number in RethinkDB's layout: shortest text that reads back as the same double; whole numbers below 2^53-ish
/// without fraction. See the conformance README ("numbers as text").
void append_json_number(double d, std::string& out);
/// Appends a quoted, escaped string. Invalid UTF-8 passes through raw.
void append_json_string(std::string_view s, std::string& out);

/// Parses JSON text (r.json). `text` may be anything. Depth-limited. Throws DatumError with the recorded texts
/// (`Failed to parse "…" as JSON: …`, duplicate keys, non-finite numbers, null bytes …).
Datum parse_json(std::string_view text);

/// Turns an object that has a `$reql_type$` field into the value it stands for (TIME, BINARY, GEOMETRY …).
/// Throws DatumError with the recorded text when it is malformed. `object` without the field comes back as it is.
/// LITERAL and GROUPED_DATA are not values: see the recordings for what they answer.
Datum from_pseudo_object(const Datum& object);
/// The wire object of a pseudo-type value ({"$reql_type$": "TIME", …}); other values come back as they are.
Datum to_pseudo_object(const Datum& d);

}  // namespace reqld
