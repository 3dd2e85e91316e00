// Data, variables and functions.

#include <vector>

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// Literals never come here: see eval().
Value datum(Args& args) { return Value(args.node().literal); }

Value make_array(Args& args) {
  check_array_size(args.cx(), args.size());
  ArrayBuilder builder;
  for (std::size_t i = 0; i < args.size(); ++i) builder.add(args.datum(i));
  return Value(builder.finish());
}

Value make_object(Args& args) {
  ObjectBuilder builder;
  for (const OptArg& o : args.node().optargs) builder.set(o.name, *args.datum_optarg(o.name));
  return Value(from_pseudo_object(builder.finish()));
}

const Scope& scope_at(Args& args) {
  const Scope* scope = args.env().scope;
  for (std::uint32_t i = args.node().scope_depth; i > 0; --i) scope = scope->parent();
  return *scope;
}

Value variable(Args& args) { return Value(scope_at(args).var(args.node().slot)); }

Value implicit_variable(Args& args) { return Value(scope_at(args).var(0)); }

Value function(Args& args) {
  return Value(ValueKind::kFunction, make_function(*args.cx().program, args.node(), args.env().scope));
}

Value funcall(Args& args) {
  std::vector<Datum> values;
  const Ref<Function> f = args.function(0, Shorthand::kConstant);
  Value first;
  if (args.has(1)) first = args.value(1);
  const bool grouped = first.is(ValueKind::kGroupedData);
  if (args.has(1)) values.push_back(grouped ? Datum() : Args::blaming(args.node_of(1), [&] { return to_datum(args.cx(), first); }));
  for (std::size_t i = 2; i < args.size(); ++i) values.push_back(args.datum(i));
  if (!grouped) return f->call(args.cx(), values);
  // The function is called for each group.
  GroupedData::Groups results;
  for (const auto& [group, value] : first.object<GroupedData>().groups(args.cx())) {
    values[0] = to_datum(args.cx(), value);
    results.emplace_back(group, Value(f->call_datum(args.cx(), values)));
  }
  return Value(ValueKind::kGroupedData, make_ref<GroupedData>(std::move(results)));
}

/// Not as an argument: those are spliced by Args.
Value spliced(Args& args) {
  if (args.node().parent != nullptr) throw_logic("R.ARGS may only be used as an argument to another term.");
  Datum array = args.datum(0);
  if (!array.is(Type::kArray)) Args::blaming(args.node_of(0), [&] { throw_type_error("ARRAY", array.type()); });
  return Value(std::move(array));
}

constexpr Example kDatumExamples[] = {
    {"r.expr({'a': [1, None, True]})", R"({"a":[2,[1,null,true]]})", R"({"a":[1,null,true]})"},
};
constexpr Example kMakeArrayExamples[] = {
    {"r.expr([r.add(1, 2), 'x'])", R"([2,[[24,[1,2]],"x"]])", R"([3,"x"])"},
};
constexpr Example kMakeObjExamples[] = {
    {"r.expr({'sum': r.add(1, 2)})", R"({"sum":[24,[1,2]]})", R"({"sum":3})"},
};
constexpr Example kVarExamples[] = {
    {"r.expr([1, 2]).map(lambda x: x)", "[38,[[2,[1,2]],[69,[[2,[1]],[10,[1]]]]]]", "[1,2]"},
};
constexpr Example kRowExamples[] = {
    {"r.expr([{'n': 1}, {'n': 2}]).map(r.row['n'])",
     R"([38,[[2,[{"n":1},{"n":2}]],[69,[[2,[1]],[170,[[13,[]],"n"]]]]]])",
     "[1,2]"},
    {"r.row['n']", R"([170,[[13,[]],"n"]])", "r.row is not defined in this context."},
};
constexpr Example kFuncExamples[] = {
    {"r.expr([1, 2]).map(lambda x: x + 10)", "[38,[[2,[1,2]],[69,[[2,[1]],[24,[[10,[1]],10]]]]]]", "[11,12]"},
};
constexpr Example kDoExamples[] = {
    {"r.do(2, 3, lambda a, b: a * b)", "[64,[[69,[[2,[1,2]],[26,[[10,[1]],[10,[2]]]]]],2,3]]", "6"},
    {"r.expr({'a': 1}).do(lambda x: x['a'])", R"([64,[[69,[[2,[1]],[170,[[10,[1]],"a"]]]],{"a":1}]])", "1"},
};
constexpr Example kArgsExamples[] = {
    {"r.add(1, r.args([2, 3]))", "[24,[1,[154,[[2,[2,3]]]]]]", "6"},
    {"r.table('players').get_all(r.args([1, 2])).count()",
     R"([43,[[78,[[15,["players"]],[154,[[2,[1,2]]]]]]]])",
     "2"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kDatum, .name = "datum", .arity = at_least(0), .eval = datum,
     .signature = "r.expr(value) → value",
     .doc = "A literal value.",
     .examples = kDatumExamples},
    {.type = TermType::kMakeArray, .name = "make_array", .arity = at_least(0), .eval = make_array,
     .signature = "r.expr([value, …]) → array",
     .doc = "An array of the arguments.",
     .examples = kMakeArrayExamples},
    {.type = TermType::kMakeObj, .name = "make_obj", .arity = exactly(0), .eval = make_object,
     .signature = "r.expr({name: value, …}) → object",
     .doc = "An object of the optional arguments.",
     .examples = kMakeObjExamples, .any_optargs = true},
    {.type = TermType::kVar, .name = "var", .arity = exactly(1), .eval = variable,
     .signature = "a parameter of a function → value",
     .doc = "A variable of an enclosing function.",
     .examples = kVarExamples},
    {.type = TermType::kImplicitVar, .name = "row", .arity = exactly(0), .eval = implicit_variable,
     .signature = "r.row → value",
     .doc = "The argument of the enclosing function.",
     .examples = kRowExamples},
    {.type = TermType::kFunc, .name = "func", .arity = exactly(2), .eval = function,
     .signature = "function (value, …) → value",
     .doc = "A function.",
     .examples = kFuncExamples},
    {.type = TermType::kFuncall, .name = "do", .arity = at_least(1), .eval = funcall,
     .signature = "r.do(value, …, function) → value",
     .doc = "Calls the function (first argument) with the others.",
     .examples = kDoExamples},
    {.type = TermType::kArgs, .name = "args", .arity = exactly(1), .eval = spliced,
     .signature = "r.args(array) → arguments",
     .doc = "The elements of an array, as arguments of the term around.",
     .examples = kArgsExamples},
};

}  // namespace

std::span<const TermDef> core_terms() { return kTerms; }

}  // namespace reqld::reql
