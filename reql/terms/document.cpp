// Documents: fields, paths, merging. Most of these terms take a document or a sequence of them.

#include "datum/json.hpp"
#include "reql/document.hpp"
#include "reql/eval.hpp"
#include "reql/grouping.hpp"
#include "reql/merge.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/step.hpp"
#include "reql/terms/families.hpp"
#include "reql/terms/nth.hpp"
#include "reql/terms/path_pattern.hpp"

namespace reqld::reql {

namespace {

/// What a term does to one document; the documents of a sequence are done one by one.
class DocumentStep : public RowStep {
 public:
  /// nullopt: a sequence loses this row.
  virtual std::optional<Datum> apply(Context& cx, const Datum& document) = 0;

  std::string_view name() const { return name_; }

  void run(Context& cx, Batch& rows, std::size_t from) override {
    Args::blaming(node_, [&] {
      std::size_t to = from;
      for (std::size_t i = from; i < rows.size(); ++i) {
        if (!rows[i].is(Type::kObject)) throw_not_a_document_in_sequence(name_, rows[i]);
        if (auto changed = apply(cx, rows[i])) rows[to++] = std::move(*changed);
      }
      rows.resize(to);
    });
  }

 protected:
  DocumentStep(std::string_view name, const Node* node) : name_(name), node_(node) {}

 private:
  const std::string_view name_;
  const Node* const node_;  // of the term
};

/// Whether rows that come out of a step are still those of the table.
enum class Rows : std::uint8_t { kChanged, kSelected };

/// The sequence `v` with `step` done to it; null when `v` is a single value.
std::optional<Value> over_sequence(Args& args, const Value& v, Ref<DocumentStep> step, Rows rows) {
  switch (v.kind()) {
    case ValueKind::kGroupedData:
      return Value(ValueKind::kGroupedData, v.object<GroupedData>().with(std::move(step)));
    case ValueKind::kDatum:
      if (!v.raw_datum().is(Type::kArray)) return std::nullopt;
      break;
    case ValueKind::kSingleSelection: return std::nullopt;
    case ValueKind::kDatabase:
    case ValueKind::kFunction:
      throw EvalError(ErrorCode::kQueryLogic,
                      "Cannot perform " + std::string(step->name()) + " on a non-object non-sequence `" +
                          print_value(args.cx(), v) + "`.",
                      args.node_of(0));
    default: break;
  }
  const Sequence sequence = to_sequence(args, v, 0);
  Ref<Stream> stream = step_stream(sequence.stream, std::move(step));
  return rows == Rows::kSelected ? sequence.with(std::move(stream)) : Value(std::move(stream));
}

/// The document that argument 0, not a sequence, must be.
Datum single_document(Args& args, const Value& v, std::string_view name) {
  Datum d = to_datum(args.cx(), v);
  if (!d.is(Type::kObject)) Args::blaming(args.node_of(0), [&] { throw_not_a_document(name, d); });
  return d;
}

Value apply_to(Args& args, const Ref<DocumentStep>& step) {
  const Value v = args.value(0);
  if (auto mapped = over_sequence(args, v, step, Rows::kChanged)) return std::move(*mapped);
  return Value(*step->apply(args.cx(), single_document(args, v, step->name())));
}

// Paths.

class PathStep : public DocumentStep {
 protected:
  PathStep(Args& args, std::string_view name) : DocumentStep(name, &args.node()) {
    for (std::size_t i = 1; i < args.size(); ++i) patterns_.push_back(args.datum(i));
  }
  /// Compiled at the first document, as without one nothing is wrong with it.
  const PathPattern& pattern(const Context& cx) {
    if (!pattern_) pattern_.emplace(cx, patterns_);
    return *pattern_;
  }

 private:
  std::vector<Datum> patterns_;
  std::optional<PathPattern> pattern_;
};

class PluckStep : public PathStep {
 public:
  explicit PluckStep(Args& args) : PathStep(args, "pluck") {}
  std::optional<Datum> apply(Context& cx, const Datum& document) override { return pattern(cx).pluck(cx, document); }
  bool is_one_to_one() const override { return true; }
  Ref<RowStep> copy() const override { return make_ref<PluckStep>(*this); }
};

class WithoutStep : public PathStep {
 public:
  explicit WithoutStep(Args& args) : PathStep(args, "without") {}
  std::optional<Datum> apply(Context& cx, const Datum& document) override { return pattern(cx).without(cx, document); }
  bool is_one_to_one() const override { return true; }
  Ref<RowStep> copy() const override { return make_ref<WithoutStep>(*this); }
};

class HasFieldsStep : public PathStep {
 public:
  explicit HasFieldsStep(Args& args) : PathStep(args, "has_fields") {}
  std::optional<Datum> apply(Context& cx, const Datum& document) override {
    return pattern(cx).found_in(cx, document) ? std::optional(document) : std::nullopt;
  }
  Ref<RowStep> copy() const override { return make_ref<HasFieldsStep>(*this); }
};

class WithFieldsStep : public PathStep {
 public:
  explicit WithFieldsStep(Args& args) : PathStep(args, "has_fields") {}
  std::optional<Datum> apply(Context& cx, const Datum& document) override {
    return pattern(cx).found_in(cx, document) ? std::optional(pattern(cx).pluck(cx, document)) : std::nullopt;
  }
  Ref<RowStep> copy() const override { return make_ref<WithFieldsStep>(*this); }
};

Value pluck(Args& args) { return apply_to(args, make_ref<PluckStep>(args)); }

Value without(Args& args) { return apply_to(args, make_ref<WithoutStep>(args)); }

Value has_fields(Args& args) {
  const Value v = args.value(0);
  const Ref<HasFieldsStep> step = make_ref<HasFieldsStep>(args);
  if (auto filtered = over_sequence(args, v, step, Rows::kSelected)) return std::move(*filtered);
  return Value(Datum::boolean(step->apply(args.cx(), single_document(args, v, "has_fields")).has_value()));
}

Value with_fields(Args& args) {
  const Value v = args.value(0);
  const Ref<WithFieldsStep> step = make_ref<WithFieldsStep>(args);
  if (auto filtered = over_sequence(args, v, step, Rows::kChanged)) return std::move(*filtered);
  // It is defined as has_fields and then pluck: what that makes of a single document is no use, but recorded.
  const bool found = step->apply(args.cx(), single_document(args, v, "has_fields")).has_value();
  throw_not_a_document("pluck", Datum::boolean(found));
}

// Fields.

class FieldStep : public DocumentStep {
 public:
  FieldStep(Args& args, std::string_view name, std::string field) : DocumentStep(name, &args.node()), field_(std::move(field)) {}
  std::optional<Datum> apply(Context&, const Datum& document) override { return document.get(field_); }
  Ref<RowStep> copy() const override { return make_ref<FieldStep>(*this); }

 private:
  const std::string field_;
};

Value field_of(Args& args, const Value& v, std::string_view name, const Datum& key) {
  const std::string field = Args::blaming(args.node_of(1), [&] { return std::string(key.as_string()); });
  if (v.is_datum() && v.raw_datum().is(Type::kObject)) return Value(get_field(v.raw_datum(), field, name));
  if (auto mapped = over_sequence(args, v, make_ref<FieldStep>(args, name, field), Rows::kChanged)) return std::move(*mapped);
  return Value(get_field(single_document(args, v, name), field, name));
}

Value get_field_term(Args& args) {
  const Value v = args.value(0);
  return field_of(args, v, "get_field", args.datum(1));
}

Value bracket(Args& args) {
  Value v = args.value(0);
  const Datum key = args.datum(1);
  switch (key.type()) {
    case Type::kString: return field_of(args, v, "bracket", key);
    case Type::kNumber:
      if (v.is(ValueKind::kGroupedData)) return eval_over_groups(args.node(), args.env(), v);
      return nth_of(args, v, Args::blaming(args.node_of(1), [&] { return key.as_integer(); }));
    default: break;
  }
  const std::string message =
      "Expected NUMBER or STRING as second argument to `bracket` but found " + std::string(type_name(key.type())) + ".";
  if (key.is_null()) throw_non_existence(message);
  throw_logic(message);
}

// Merging.

/// The arguments of one merge, evaluated anew for each document where they need it.
class MergeStep : public DocumentStep {
 public:
  explicit MergeStep(Args& args) : DocumentStep("merge", &args.node()) {
    for (std::size_t i = 1; i < args.size(); ++i) {
      const Node* node = args.node_of(i);
      Part part{node, {}, {}};
      const Value v = args.value(i);
      if (v.is(ValueKind::kFunction)) {
        part.function = v.ref<Function>();
      } else {
        part.value = Args::blaming(node, [&] { return to_datum(args.cx(), v); });
      }
      parts_.push_back(std::move(part));
    }
  }
  std::optional<Datum> apply(Context& cx, const Datum& document) override {
    Datum result = document;
    for (const Part& p : parts_) {
      const Datum right = p.function ? p.function->call1(cx, result) : p.value;
      if (right.is(Type::kTime) || right.is(Type::kGeometry)) {
        throw EvalError(ErrorCode::kQueryLogic, "Cannot merge objects of type `" + std::string(type_name(right.type())) + "`.",
                        p.node);
      }
      if (is_literal(right)) refuse_literals(right);
      result = merge(cx, result, right);
    }
    return result;
  }
  bool is_one_to_one() const override { return true; }

 private:
  struct Part {
    const Node* node;
    Ref<Function> function;
    Datum value;
  };
  std::vector<Part> parts_;
};

Value merge_term(Args& args) { return apply_to(args, make_ref<MergeStep>(args)); }

// Objects as lists of fields.

Datum plain_object(Args& args, std::string_view name) {
  Datum d = args.datum(0);
  if (!d.is(Type::kObject)) {
    throw EvalError(ErrorCode::kQueryLogic,
                    "Cannot call `" + std::string(name) + "` on objects of type `" + std::string(type_name(d.type())) + "`.",
                    args.node_of(0));
  }
  check_array_size(args.cx(), d.object_size());
  return d;
}

Value keys(Args& args) {
  const Datum d = plain_object(args, "keys");
  ArrayBuilder names;
  for (std::size_t i = 0; i < d.object_size(); ++i) names.add(Datum::string(d.name_at(i)));
  return Value(names.finish());
}

Value values(Args& args) {
  const Datum d = plain_object(args, "values");
  ArrayBuilder all;
  for (std::size_t i = 0; i < d.object_size(); ++i) all.add(d.value_at(i));
  return Value(all.finish());
}

Value object(Args& args) {
  if (args.size() % 2 != 0) {
    throw_logic("OBJECT expects an even number of arguments (but found " + std::to_string(args.size()) + ").");
  }
  ObjectBuilder builder;
  for (std::size_t i = 0; i < args.size(); i += 2) {
    const std::string name = args.string(i);
    const Datum value = args.datum(i + 1);
    if (const Datum* present = builder.find(name)) {
      throw_logic("Duplicate key " + to_json(Datum::string(name)) + " in object.  (got " + to_pretty_json(*present) + " and " +
                  to_pretty_json(value) + " as values)");
    }
    builder.set(name, value);
  }
  return Value(from_pseudo_object(builder.finish()));
}

constexpr TermFlags kRowByRow = kFusesGroups | kForbidsWrites;

constexpr Example kGetFieldExamples[] = {
    {"r.expr({'a': 1}).get_field('a')", R"([31,[{"a":1},"a"]])", "1"},
    {"r.expr([{'a': 1}, {'b': 2}]).get_field('a')", R"([31,[[2,[{"a":1},{"b":2}]],"a"]])", "[1]"},
    {"r.expr({'a': 1}).get_field('b')",
     R"([31,[{"a":1},"b"]])",
     "No attribute `b` in object:\n{\n\t\"a\":\t1\n}"},
};
constexpr Example kBracketExamples[] = {
    {"r.expr({'a': 1})['a']", R"([170,[{"a":1},"a"]])", "1"},
    {"r.expr([10, 20, 30])[-1]", "[170,[[2,[10,20,30]],-1]]", "30"},
};
constexpr Example kHasFieldsExamples[] = {
    {"r.expr({'a': {'b': 1}}).has_fields({'a': {'b': True}})",
     R"([32,[{"a":{"b":1}},{"a":{"b":true}}]])",
     "true"},
    {"r.expr([{'a': 1}, {'a': None}]).has_fields('a')",
     R"([32,[[2,[{"a":1},{"a":null}]],"a"]])",
     R"([{"a":1}])"},
};
constexpr Example kWithFieldsExamples[] = {
    {"r.expr([{'a': 1, 'b': 2}, {'b': 3}]).with_fields('a')",
     R"([96,[[2,[{"a":1,"b":2},{"b":3}]],"a"]])",
     R"([{"a":1}])"},
};
constexpr Example kPluckExamples[] = {
    {"r.expr({'a': 1, 'b': {'c': 2, 'd': 3}}).pluck('a', {'b': ['c']})",
     R"([33,[{"a":1,"b":{"c":2,"d":3}},"a",{"b":[2,["c"]]}]])",
     R"({"a":1,"b":{"c":2}})"},
};
constexpr Example kWithoutExamples[] = {
    {"r.expr({'a': 1, 'b': {'c': 2, 'd': 3}}).without('a', {'b': {'c': True}})",
     R"([34,[{"a":1,"b":{"c":2,"d":3}},"a",{"b":{"c":true}}]])",
     R"({"b":{"d":3}})"},
};
constexpr Example kMergeExamples[] = {
    {"r.expr({'a': {'b': 1}}).merge({'a': {'c': 2}})",
     R"([35,[{"a":{"b":1}},{"a":{"c":2}}]])",
     R"({"a":{"b":1,"c":2}})"},
    {"r.expr([{'n': 1}]).merge(lambda x: {'twice': x['n'] * 2})",
     R"([35,[[2,[{"n":1}]],[69,[[2,[1]],{"twice":[26,[[170,[[10,[1]],"n"]],2]]}]]]])",
     R"([{"n":1,"twice":2}])"},
};
constexpr Example kKeysExamples[] = {
    {"r.expr({'b': 1, 'a': 2}).keys()", R"([94,[{"b":1,"a":2}]])", R"(["a","b"])"},
};
constexpr Example kValuesExamples[] = {
    {"r.expr({'b': 1, 'a': 2}).values()", R"([186,[{"b":1,"a":2}]])", "[2,1]"},
};
constexpr Example kObjectExamples[] = {
    {"r.object('a', 1, 'b', 2)", R"([143,["a",1,"b",2]])", R"({"a":1,"b":2})"},
    {"r.object('a')", R"([143,["a"]])", "OBJECT expects an even number of arguments (but found 1)."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kGetField, .name = "get_field", .arity = exactly(2), .flags = kFusesGroups, .eval = get_field_term,
     .signature = "object.get_field(name) → value\nsequence.get_field(name) → sequence",
     .doc = "A field of a document; of a sequence, that of each document which has it.",
     .examples = kGetFieldExamples},
    {.type = TermType::kBracket, .name = "bracket", .arity = exactly(2), .flags = kFusesGroups, .eval = bracket,
     .signature = "object[name] → value\nsequence[name] → sequence\nsequence[number] → value",
     .doc = "get_field with a name, nth with a number.",
     .examples = kBracketExamples},
    {.type = TermType::kHasFields, .name = "has_fields", .arity = at_least(1), .flags = kFusesGroups, .eval = has_fields,
     .signature = "object.has_fields(path, …) → bool\nsequence.has_fields(path, …) → sequence",
     .doc = "Whether a document has all these paths, not null; of a sequence, the documents that do.",
     .examples = kHasFieldsExamples},
    {.type = TermType::kWithFields, .name = "with_fields", .arity = at_least(1), .flags = kFusesGroups, .eval = with_fields,
     .signature = "sequence.with_fields(path, …) → sequence",
     .doc = "has_fields and then pluck.",
     .examples = kWithFieldsExamples},
    {.type = TermType::kPluck, .name = "pluck", .arity = at_least(1), .flags = kFusesGroups, .eval = pluck,
     .signature = "object.pluck(path, …) → object\nsequence.pluck(path, …) → sequence",
     .doc = "Only these paths of a document, or of each in a sequence.",
     .examples = kPluckExamples},
    {.type = TermType::kWithout, .name = "without", .arity = at_least(1), .flags = kFusesGroups, .eval = without,
     .signature = "object.without(path, …) → object\nsequence.without(path, …) → sequence",
     .doc = "All but these paths of a document, or of each in a sequence.",
     .examples = kWithoutExamples},
    {.type = TermType::kMerge, .name = "merge", .arity = at_least(1), .flags = kFusesGroups, .eval = merge_term,
     .signature = "object.merge(object or function, …) → object\nsequence.merge(object or function, …) → sequence",
     .doc = "Documents laid over each other, fields of objects merged deeply.",
     .examples = kMergeExamples},
    {.type = TermType::kKeys, .name = "keys", .arity = exactly(1), .eval = keys,
     .signature = "object.keys() → array",
     .doc = "The names of an object's fields.",
     .examples = kKeysExamples},
    {.type = TermType::kValues, .name = "values", .arity = exactly(1), .eval = values,
     .signature = "object.values() → array",
     .doc = "The values of an object's fields.",
     .examples = kValuesExamples},
    {.type = TermType::kObject, .name = "object", .arity = at_least(0), .eval = object,
     .signature = "r.object(name, value, …) → object",
     .doc = "An object of alternating names and values.",
     .examples = kObjectExamples},
};

}  // namespace

std::span<const TermDef> document_terms() { return kTerms; }

}  // namespace reqld::reql
