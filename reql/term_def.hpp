// One row per term: everything the language knows about it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "reql/term_type.hpp"

namespace reqld::reql {

class Args;
class Value;
struct Node;

/// How many positional arguments a term takes; max < 0: any number.
struct Arity {
  int min;
  int max;
};
constexpr Arity exactly(int n) { return {n, n}; }
constexpr Arity at_least(int n) { return {n, -1}; }
constexpr Arity between(int min, int max) { return {min, max}; }

using TermFlags = std::uint32_t;
/// May answer differently when asked again (random, uuid, http, js …).
inline constexpr TermFlags kNonDeterministic = 1u << 0;
/// Reads a table: not allowed where only the row at hand may be looked at.
inline constexpr TermFlags kReadsTable = 1u << 1;
/// Writes, or changes what exists ("writes or meta ops").
inline constexpr TermFlags kWrites = 1u << 2;
/// No write or meta operation may stand inside its arguments.
inline constexpr TermFlags kForbidsWrites = 1u << 3;
/// Takes grouped data as it is; any other term is applied to each group.
inline constexpr TermFlags kGroupAware = 1u << 4;
/// Works on a grouped stream row by row, group by group at once (count, map …): see GroupedData::is_stream. Groups that are there
/// already are done one by one, as with any other term.
inline constexpr TermFlags kFusesGroups = 1u << 8;
/// r.http: evaluated once before a write of a single row (docs/architecture.md).
inline constexpr TermFlags kFetches = 1u << 5;

/// Constant within a query but not beyond (now): fine in an update, not in an index or a write hook.
inline constexpr TermFlags kConstantInQuery = 1u << 6;

/// kNonDeterministic when called without arguments (or with r.args, that may be none): uuid.
inline constexpr TermFlags kNonDeterministicWithoutArguments = 1u << 7;

/// Whether a subtree with these flags answers the same whenever it is asked within one query.
constexpr bool deterministic(TermFlags subtree_flags) {
  return (subtree_flags & (kNonDeterministic | kReadsTable | kWrites | kFetches)) == 0;
}

using EvalFn = Value (*)(Args& args);
/// A static check, run once when the query is compiled. Throws QueryError.
using CheckFn = void (*)(const Node& node);

/// An optional argument that a term accepts.
struct Optarg {
  std::string_view name;
  std::string_view doc;  ///< what it means, its default in brackets
};

/// Run by the tests, on the tables of tests/reql/support/example_data.hpp, and shown in docs/reql_reference.md.
struct Example {
  std::string_view text;   ///< as the Python driver writes it
  std::string_view query;  ///< the same as on the wire
  std::string_view reply;  ///< the value as JSON, of a stream the array of its rows; or the text of the error
};

struct TermDef {
  TermType type;
  std::string_view name;  ///< as drivers call it
  Arity arity;
  TermFlags flags = 0;
  EvalFn eval = nullptr;
  std::span<const Optarg> optargs = {};
  std::string_view signature = {};  ///< one line for each form
  std::string_view doc = {};
  std::span<const Example> examples = {};
  CheckFn check = nullptr;
  bool any_optargs = false;  ///< names are data (object literals)
};

/// The definition of a term; null when the number is unknown.
const TermDef* find_term(int type);
/// All of them, by number.
std::span<const TermDef* const> all_terms();

}  // namespace reqld::reql
