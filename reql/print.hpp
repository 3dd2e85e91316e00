// Functions as text for people: what index_status and get_write_hook show as `query`.
#pragma once

#include <string>

#include "datum/datum.hpp"
#include "reql/function.hpp"
#include "reql/program.hpp"

namespace reqld::reql {

/// The JavaScript text of a FUNC node: function(var1) { return var1("a").add(1); }
std::string print_function(const Node& func);

/// A whole query as JavaScript: r.table("t").filter({"a": 1})
std::string print_query(const Node& root);

/// What info() shows of a function: "function (captures = [(no implicit)]) (args = [var1]) …".
std::string print_function_source(const Node& func);

/// indexCreate('name', function(…) { … }, {multi: true})
std::string print_index_create(const std::string& name, const Datum& definition);

/// {function: BINARY, query: "setWriteHook(function(…) { … })"}; null when there is no hook.
Datum describe_write_hook(const Datum& hook);
/// The hook that `function` of describe_write_hook stands for; throws the recorded error when `bytes` come from elsewhere.
Datum parse_write_hook(std::string_view bytes);
/// {source, captures?: true} as the catalog holds it.
Datum make_write_hook(const Function::Source& source);

}  // namespace reqld::reql
