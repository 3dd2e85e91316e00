// Secondary index definitions: what is stored in the catalog, and the function storage calls.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"
#include "reql/function.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// A definition as the catalog holds it: {source: JSON of the FUNC term, captures?: true, multi: bool, geo: bool}.
Datum make_index_definition(const Function::Source& source, bool multi, bool geo);

/// What index_status answers as `function`, and index_create takes back.
std::string index_function_binary(const Datum& definition);
/// The reverse; throws when `bytes` come from elsewhere.
Datum parse_index_function(std::string_view bytes);

/// The geometries that a function of index_function_factory makes of `row`: none when it fails.
std::vector<Datum> index_geometries(const storage::IndexFunction& function, const Datum& row);

/// For storage::DatabaseOptions: evaluates definitions with ReQL.
storage::IndexFunctionFactory index_function_factory();

}  // namespace reqld::reql
