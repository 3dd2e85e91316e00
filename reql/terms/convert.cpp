// Between types: coerce_to, type_of, JSON, binaries; the bounds of all values; literals for merge and update.

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "reql/eval.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// --- coerce_to

// Everything that type_of may answer, and the types above them.
constexpr std::string_view kTypeNames[] = {
    "ARRAY",          "BINARY",           "BOOL",   "DATUM",  "DB",       "FUNCTION", "GROUPED_DATA",
    "GROUPED_STREAM", "MAXVAL",           "MINVAL", "NULL",   "NUMBER",   "OBJECT",   "SELECTION<ARRAY>",
    "SELECTION<OBJECT>", "SELECTION<STREAM>", "SEQUENCE", "STREAM", "STRING", "TABLE", "TABLE_SLICE",
};

// In messages, a time or geometry is the object that it looks like.
std::string source_name(Context& cx, const Value& v) {
  if (!v.is_datum()) return type_of(cx, v);
  switch (v.raw_datum().type()) {
    case Type::kBinary: return "BINARY";
    case Type::kTime:
    case Type::kGeometry: return "OBJECT";
    default: return std::string(type_name(v.raw_datum().type()));
  }
}

Datum to_string(const Datum& d) {
  if (d.is(Type::kString)) return d;
  if (!d.is(Type::kBinary)) return Datum::string(to_json(d));
  const std::string bytes = d.binary_bytes();
  utf8::check(bytes);
  return Datum::string(bytes);
}

Datum to_number(const Datum& text) {
  const std::string copy(text.as_string());
  char* end = nullptr;
  const double d = std::strtod(copy.c_str(), &end);
  if (copy.empty() || end != copy.c_str() + copy.size()) throw_logic("Could not coerce `" + copy + "` to NUMBER.");
  return Datum::number(d);  // refuses what is not finite
}

Datum to_pairs(const Datum& value) {
  const Datum object = to_pseudo_object(value);
  ArrayBuilder pairs;
  for (std::size_t i = 0; i < object.object_size(); ++i) {
    pairs.add(Datum::array({Datum::string(object.name_at(i)), object.value_at(i)}));
  }
  return pairs.finish();
}

Datum from_pairs(Context& cx, Stream& stream) {
  ObjectBuilder object;
  for_each_row(cx, stream, [&](Datum& pair) {
    if (const std::size_t size = pair.array_size(); size != 2) {
      throw_logic("Expected array of size 2, but got size " + std::to_string(size) + ".");
    }
    const Datum key = pair.at(0);
    const std::string_view name = key.as_string();
    Datum value = pair.at(1);
    if (const Datum* present = object.find(name)) {
      throw_logic("Duplicate key " + to_json(key) + " in coerced object.  (got " + to_json(*present) + " and " +
                  to_json(value) + " as values)");
    }
    object.set(name, std::move(value));
    return true;
  });
  return from_pseudo_object(object.finish());
}

// Nullopt: there is no way from this type to that one.
std::optional<Datum> coerce_datum(Context& cx, const Datum& d, std::string_view to) {
  if (to == "DATUM") return d;
  if (to == "STRING") return to_string(d);
  switch (d.type()) {
    case Type::kString:
      if (to == "NUMBER") return to_number(d);
      if (to == "BINARY") return Datum::binary(d.as_string());
      break;
    case Type::kObject:
    case Type::kTime:
    case Type::kGeometry:
      if (to == "ARRAY") return to_pairs(d);
      if (to == "OBJECT") return d;
      break;
    case Type::kArray:
      if (to == "OBJECT") return from_pairs(cx, *stream_of_array(d));
      break;
    default: break;
  }
  return std::nullopt;
}

Ref<Stream> as_stream(const Datum& array) {
  std::vector<Datum> rows;
  for (std::size_t i = 0; i < array.array_size(); ++i) rows.push_back(array.at(i));
  return stream_of_rows(std::move(rows), false);
}

bool is_sequence(const Value& v) {
  return v.is(ValueKind::kSequence) || v.is(ValueKind::kSelection) || v.is(ValueKind::kTable) || v.is(ValueKind::kTableSlice);
}

std::optional<Value> coerce_sequence(Args& args, const Value& v, std::string_view to) {
  Context& cx = args.cx();
  if (to == "SEQUENCE") return v;
  if (to == "STREAM") return Value(to_stream(cx, v));
  if (to != "ARRAY" && to != "OBJECT" && to != "STRING") return std::nullopt;
  const Ref<Stream> stream = to_stream(cx, v);
  Args::blaming(args.node_of(0), [&] { refuse_infinite(*stream); });
  if (to == "OBJECT") return Value(from_pairs(cx, *stream));
  const Datum array = to_array(cx, *stream);
  return Value(to == "ARRAY" ? array : to_string(array));
}

std::optional<Value> coerce_value(Args& args, const Value& v, std::string_view to) {
  Context& cx = args.cx();
  if (to == "BOOL") {
    const Datum d = Args::blaming(args.node_of(0), [&] { return to_datum(cx, v); });
    return Value(Datum::boolean(!d.is_null() && (!d.is(Type::kBool) || d.as_bool())));
  }
  if (is_sequence(v)) return coerce_sequence(args, v, to);
  if (!v.is_datum() && !v.is(ValueKind::kSingleSelection)) return std::nullopt;
  const Datum d = to_datum(cx, v);
  if (source_name(cx, Value(d)) == to) return Value(d);
  if (auto coerced = coerce_datum(cx, d, to)) return Value(std::move(*coerced));
  if (d.is(Type::kArray) && to == "STREAM") return Value(as_stream(d));
  return std::nullopt;
}

Value coerce_to(Args& args) {
  const Value v = args.value(0);
  const std::string to = utf8::to_upper(args.string(1));
  if (std::find(std::begin(kTypeNames), std::end(kTypeNames), to) == std::end(kTypeNames)) {
    throw_logic("Unknown Type: " + to);
  }
  const std::string from = source_name(args.cx(), v);
  if (from == to) return v;
  if (auto result = coerce_value(args, v, to)) return std::move(*result);
  throw EvalError(ErrorCode::kQueryLogic, "Cannot coerce " + from + " to " + to + ".", args.node_of(0));
}

Value type_of_term(Args& args) {
  const Value v = args.value(0);
  return Value(Datum::string(type_of(args.cx(), v)));
}

// --- JSON

Value to_json_string(Args& args) { return Value(Datum::string(to_json(args.datum(0)))); }

// Literals are known to merge and update alone, inside objects and arrays written out there; branch, default or object() do
// not hand them on (rethinkdb issue 4428).
bool may_be_literal(const Node& node) {
  for (const Node* n = &node; n->parent; n = n->parent) {
    switch (n->parent->def->type) {
      case TermType::kMakeObj:
      case TermType::kMakeArray:
      case TermType::kArgs:
      case TermType::kFunc: break;
      case TermType::kFilter:
      case TermType::kMerge:
      case TermType::kUpdate: return n->position > 0;  // not the thing itself
      default: return false;
    }
  }
  return false;
}

Value json(Args& args) {
  const JsonLiterals literals = may_be_literal(args.node()) ? JsonLiterals::kKeep : JsonLiterals::kRefuse;
  Datum d = parse_json_term(args.string(0), literals);
  check_array_sizes(args.cx(), d);
  return Value(std::move(d));
}

// --- others

Value binary(Args& args) {
  Datum d = args.datum(0);
  if (d.is(Type::kBinary)) return Value(std::move(d));
  return Value(Datum::binary(d.as_string()));
}

Value minval(Args&) { return Value(Datum::minval()); }
Value maxval(Args&) { return Value(Datum::maxval()); }

// See is_literal() in reql/merge.hpp.
Value literal(Args& args) {
  if (!may_be_literal(args.node())) {
    throw_logic(
        "Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest "
        "inside other literals.");
  }
  ObjectBuilder marker;
  marker.set(encoding::kReqlType, Datum::string(encoding::kLiteralType));
  if (args.has(0)) marker.set("value", args.datum(0));
  return Value(marker.finish());
}

constexpr Example kCoerceToExamples[] = {
    {"r.expr('12.5').coerce_to('number')", R"([51,["12.5","number"]])", "12.5"},
    {"r.expr({'a': 1}).coerce_to('array')", R"([51,[{"a":1},"array"]])", R"([["a",1]])"},
    {"r.expr('x').coerce_to('number')", R"([51,["x","number"]])", "Could not coerce `x` to NUMBER."},
};
constexpr Example kTypeOfExamples[] = {
    {"r.now().type_of()", "[52,[[103,[]]]]", R"("PTYPE<TIME>")"},
    {"r.table('players').type_of()", R"([52,[[15,["players"]]]])", R"("TABLE")"},
};
constexpr Example kJsonExamples[] = {
    {R"(r.json('{"a": [1, 2]}'))", R"([98,["{\"a\": [1, 2]}"]])", R"({"a":[1,2]})"},
    {"r.json('[1,')", R"([98,["[1,"]])", R"(Failed to parse "[1," as JSON: Invalid value.)"},
};
constexpr Example kToJsonStringExamples[] = {
    {"r.expr({'b': 1, 'a': None}).to_json_string()",
     R"([172,[{"b":1,"a":null}]])",
     R"("{\"a\":null,\"b\":1}")"},
};
constexpr Example kBinaryExamples[] = {
    {"r.binary(r.expr('abc')).count()", R"([43,[[155,["abc"]]]])", "3"},
    {"r.binary(r.expr('abc')).slice(1, 2).coerce_to('string')", R"([51,[[30,[[155,["abc"]],1,2]],"string"]])", R"("b")"},
};
constexpr Example kMinvalExamples[] = {
    {"r.table('players').between(r.minval, 2).count()", R"([43,[[182,[[15,["players"]],[180,[]],2]]]])", "1"},
    {"r.minval", "[180,[]]", "Cannot convert `r.minval` to JSON."},
};
constexpr Example kMaxvalExamples[] = {
    {"r.table('players').between(2, r.maxval).count()", R"([43,[[182,[[15,["players"]],2,[181,[]]]]]])", "2"},
};
constexpr Example kLiteralExamples[] = {
    {"r.expr({'a': {'b': 1}}).merge({'a': r.literal({'c': 2})})",
     R"([35,[{"a":{"b":1}},{"a":[137,[{"c":2}]]}]])",
     R"({"a":{"c":2}})"},
    {"r.expr({'a': 1, 'b': 2}).merge({'a': r.literal()})",
     R"([35,[{"a":1,"b":2},{"a":[137,[]]}]])",
     R"({"b":2})"},
    {"r.literal(1)",
     "[137,[1]]",
     "Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest inside other literals."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kCoerceTo, .name = "coerce_to", .arity = exactly(2), .eval = coerce_to,
     .signature = "value.coerce_to(type) → value",
     .doc = "The value as another type.",
     .examples = kCoerceToExamples},
    {.type = TermType::kTypeOf, .name = "type_of", .arity = exactly(1), .flags = kGroupAware, .eval = type_of_term,
     .signature = "value.type_of() → string",
     .doc = "The name of the value's type.",
     .examples = kTypeOfExamples},
    {.type = TermType::kJson, .name = "json", .arity = exactly(1), .eval = json,
     .signature = "r.json(text) → value",
     .doc = "The value that a JSON text stands for.",
     .examples = kJsonExamples},
    {.type = TermType::kToJsonString, .name = "to_json_string", .arity = exactly(1), .eval = to_json_string,
     .signature = "value.to_json_string() → string",
     .doc = "The value as JSON text.",
     .examples = kToJsonStringExamples},
    {.type = TermType::kBinary, .name = "binary", .arity = exactly(1), .eval = binary,
     .signature = "r.binary(string) → binary",
     .doc = "The bytes of a string.",
     .examples = kBinaryExamples},
    {.type = TermType::kMinval, .name = "minval", .arity = exactly(0), .eval = minval,
     .signature = "r.minval → bound",
     .doc = "Less than every other value.",
     .examples = kMinvalExamples},
    {.type = TermType::kMaxval, .name = "maxval", .arity = exactly(0), .eval = maxval,
     .signature = "r.maxval → bound",
     .doc = "Greater than every other value.",
     .examples = kMaxvalExamples},
    {.type = TermType::kLiteral, .name = "literal", .arity = between(0, 1), .eval = literal,
     .signature = "r.literal([value]) → value",
     .doc = "In merge and update: a value that replaces instead of being merged; without one, the field is removed.",
     .examples = kLiteralExamples},
};

}  // namespace

std::span<const TermDef> convert_terms() { return kTerms; }

}  // namespace reqld::reql
