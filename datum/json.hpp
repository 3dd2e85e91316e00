// JSON text <-> datum, pseudo-types ($reql_type$) included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "datum/datum.hpp"
#include "datum/writer.hpp"

namespace reqld {

/// Appends `d` as compact JSON, as it goes over the wire: times, binaries and geometries as their $reql_type$
/// objects, a blob's bytes read from its source in pieces. Throws DatumError("Cannot convert `r.minval` to
/// JSON.") for minval and maxval.
void append_json(const Datum& d, std::string& out);
std::string to_json(const Datum& d);

/// The layout that error messages show: fields on lines of their own, indented by tabs: {\n\t"a":\t1\n}. A
/// binary that is not inside something else stays on one line.
std::string to_pretty_json(const Datum& d);
/// The same for an error message: at most about kShownJsonBytes, then "..."; blobs are not read further than
/// that.
std::string to_shown_json(const Datum& d);
inline constexpr std::size_t kShownJsonBytes = 64 * 1024;

/// Appends a number in RethinkDB's layout: shortest text that reads back as the same double; whole numbers up
/// to 2^53 without fraction, above that and up to 21 digits with ".0". See the conformance README ("numbers
/// as text").
void append_json_number(double d, std::string& out);
/// Appends a quoted, escaped string. Invalid UTF-8 passes through raw.
void append_json_string(std::string_view s, std::string& out);

/// Parses JSON text. `text` may be anything; pseudo-types become the values they stand for. Depth-limited.
/// Throws DatumError(kLogic): `Duplicate key "a" in JSON.`, the errors of from_pseudo_object and utf8::check,
/// or JsonSyntaxError when it is not JSON at all.
Datum parse_json(std::string_view text);
/// The same on a copy that the caller owns already, which it uses as scratch space. Saves a copy of long
/// texts.
Datum parse_json_in_place(std::string& text);

/// Text that is not JSON. `what()` is the reason alone: "Missing a comma or ']' after an array element.".
class JsonSyntaxError : public DatumError {
 public:
  JsonSyntaxError(const char* reason, std::size_t offset_in)
      : DatumError(DatumErrorKind::kLogic, reason), offset(offset_in) {}
  std::size_t offset;  ///< where in the text
};

/// What becomes of objects that look like what r.literal makes.
enum class JsonLiterals : std::uint8_t {
  kRefuse,  ///< "Stray literal keyword found: …"
  kKeep,    ///< they are literals, as merge() knows them
};

/// parse_json as `r.json` has it: syntax errors read `Failed to parse "…" as JSON: …`.
Datum parse_json_term(std::string_view text, JsonLiterals literals = JsonLiterals::kRefuse);

/// The double nearest to `text`, a well-formed JSON number; nullopt when it is too large. For every use of
/// RapidJSON, with kParseNumbersAsStringsFlag: its own conversion turns zeros with exponents (0e-110) into
/// other numbers and 1.8e308 into NaN.
std::optional<double> parse_json_number(std::string_view text);

/// How deep arrays and objects may nest in a text.
inline constexpr std::size_t kMaxJsonDepth = 2000;

/// Turns an object that has a `$reql_type$` field into the value it stands for (TIME, BINARY, GEOMETRY …).
/// Throws DatumError with the recorded text when it is malformed. `object` without the field comes back as it
/// is. LITERAL is not a value ("Stray literal keyword found: …"), nor is GROUPED_DATA ("Unknown $reql_type$
/// …").
Datum from_pseudo_object(const Datum& object);
/// The same for the object that `writer` has just ended (ObjectEnd::reql_type). A binary's text is decoded
/// where it is.
void replace_pseudo_object(DatumWriter& writer);
/// The wire object of a pseudo-type value ({"$reql_type$": "TIME", …}); other values come back as they are.
Datum to_pseudo_object(const Datum& d);

/// Checks a GeoJSON object that is to become a geometry; throws DatumError. The library of the geo terms sets
/// it, once, before the first query; without one only the fields `type` and `coordinates` are asked for.
using GeometryCheck = void (*)(const Datum& geojson);
void set_geometry_check(GeometryCheck check);

}  // namespace reqld
