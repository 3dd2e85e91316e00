// Branching, defaults, errors, UUIDs.

#include <optional>

#include "reql/eval.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"
#include "reql/uuid.hpp"

namespace reqld::reql {

namespace {

Value branch(Args& args) {
  if (args.size() % 2 == 0) throw_logic("Cannot call `branch` term with an even number of arguments.");
  const std::size_t last = args.size() - 1;
  for (std::size_t i = 0; i < last; i += 2) {
    if (args.boolean(i)) return args.value(i + 1);
  }
  return args.value(last);
}

// --- default

// A field that is looked up may well be missing where `default` follows, and an error costs far more than a look. So a chain
// of lookups, row('a')('b'), is followed here as long as it runs through plain objects.
class FieldChain {
 public:
  explicit FieldChain(Env& env) : env_(env) {}

  /// The value of `node`; nullopt when a field of the chain is missing.
  std::optional<Value> evaluate(const Node& node) {
    if (!is_lookup(node)) return eval(node, env_);
    std::optional<Value> object = evaluate(*node.args[0]);
    if (!object) return std::nullopt;
    if (!object->is_datum() || !object->raw_datum().is(Type::kObject)) return look_up(node, *object);
    if (auto field = object->raw_datum().get(node.args[1]->literal.as_string())) return Value(std::move(*field));
    missing_in_ = &node;
    object_ = std::move(*object);
    return std::nullopt;
  }

  /// The error of the missing field; only after `evaluate` found none.
  EvalError error() {
    try {
      look_up(*missing_in_, object_);
    } catch (const EvalError& e) {
      return e;
    }
    return EvalError(ErrorCode::kInternal, "A missing field is there after all.", missing_in_);
  }

 private:
  static bool is_lookup(const Node& node) {
    return (node.def->type == TermType::kBracket || node.def->type == TermType::kGetField) && !node.contains_group &&
           !node.has_args_term && node.args[1]->is_literal && node.args[1]->literal.is(Type::kString);
  }

  Value look_up(const Node& node, const Value& object) {
    return Args::blaming(&node, [&] {
      Args args(node, env_);
      args.preset(0, object);
      return node.def->eval(args);
    });
  }

  Env& env_;
  const Node* missing_in_ = nullptr;
  Value object_;
};

bool is_null(Context& cx, const Value& v) {
  if (v.is_datum()) return v.raw_datum().is_null();
  return v.is(ValueKind::kSingleSelection) && v.object<SingleSelection>().row(cx).is_null();
}

Value default_(Args& args) {
  FieldChain chain(args.env());
  std::optional<Value> found;
  std::optional<EvalError> error;
  try {
    const bool plain = !args.node().has_args_term && !args.node().contains_group;
    found = plain ? chain.evaluate(*args.node().args[0]) : args.value(0);
    if (found && !is_null(args.cx(), *found)) return std::move(*found);
  } catch (const EvalError& e) {
    if (e.code() != ErrorCode::kNonExistence) throw;
    error = e;
  }
  // Only now, and not within the catch block: what follows may wait.
  const bool field_missing = !found && !error;
  try {
    Value substitute = args.value(1);
    if (!substitute.is(ValueKind::kFunction)) return substitute;
    if (field_missing) error = chain.error();
    const Datum reason = error ? Datum::string(error->message()) : Datum();
    return substitute.object<Function>().call(args.cx(), std::span<const Datum>(&reason, 1));
  } catch (const EvalError& e) {
    if (!e.is_empty_error()) throw;
  }
  if (field_missing) error = chain.error();
  if (error) throw *error;
  return Value();
}

Value error(Args& args) {
  if (!args.has(0)) throw_empty_error();
  throw EvalError(ErrorCode::kUser, args.string(0));
}

Value uuid(Args& args) {
  return Value(Datum::string(args.has(0) ? named_uuid(args.string(0)) : random_uuid()));
}

constexpr Example kBranchExamples[] = {
    {"r.branch(r.expr(3) > 2, 'more', 'not more')", R"([65,[[21,[3,2]],"more","not more"]])", R"("more")"},
    {"r.branch(False, 1, None, 2, 3)", "[65,[false,1,null,2,3]]", "3"},
};
constexpr Example kDefaultExamples[] = {
    {"r.expr({'a': 1})['b'].default(0)", R"([92,[[170,[{"a":1},"b"]],0]])", "0"},
    {R"(r.expr({'a': 1})['b'].default(lambda text: text.split('\n')[0]))",
     R"([92,[[170,[{"a":1},"b"]],[69,[[2,[1]],[170,[[149,[[10,[1]],"\n"]],0]]]]]])",
     R"("No attribute `b` in object:")"},
    {"r.expr(None).default('here')", R"([92,[null,"here"]])", R"("here")"},
};
constexpr Example kErrorExamples[] = {
    {"r.error('mine')", R"([12,["mine"]])", "mine"},
    {"r.error().default(1)", "[92,[[12,[]],1]]", "Empty ERROR term outside a default block."},
};
constexpr Example kUuidExamples[] = {
    {"r.uuid('reqld')", R"([169,["reqld"]])", R"("f630d669-e889-5b35-8901-0c6e0c6ad257")"},
    {"r.uuid().count()", "[43,[[169,[]]]]", "36"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kBranch, .name = "branch", .arity = at_least(3), .eval = branch,
     .signature = "r.branch(test, value[, test, value, …], else) → value",
     .doc = "Pairs of a condition and a value, then a value: the first value whose condition is true, or the last.",
     .examples = kBranchExamples},
    {.type = TermType::kDefault, .name = "default", .arity = exactly(2), .eval = default_,
     .signature = "value.default(value or function) → value",
     .doc = "The first value; the second where that is null or missing. A function is called with the error's text.",
     .examples = kDefaultExamples},
    {.type = TermType::kError, .name = "error", .arity = between(0, 1), .eval = error,
     .signature = "r.error([text]) → error",
     .doc = "Ends the query with this text. Without one, inside `default`: with the error that is being replaced.",
     .examples = kErrorExamples},
    {.type = TermType::kUuid, .name = "uuid", .arity = between(0, 1), .flags = kNonDeterministicWithoutArguments,
     .eval = uuid,
     .signature = "r.uuid([name]) → string",
     .doc = "A random UUID, or that of a name.",
     .examples = kUuidExamples},
};

}  // namespace

std::span<const TermDef> control_terms() { return kTerms; }

}  // namespace reqld::reql
