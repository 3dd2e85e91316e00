// Text: regular expressions, splitting, case, templates.

#include <re2/re2.h>

#include <algorithm>
#include <list>

#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// --- match

// The expressions that this thread used last. Compiling one costs some microseconds, and a query asks for the same one for every row.
class CompiledExpressions {
 public:
  /// Throws when `pattern` is no regular expression. Valid until the next call.
  const RE2& get(const std::string& pattern) {
    const auto known = std::find_if(latest_.begin(), latest_.end(), [&](const RE2& e) { return e.pattern() == pattern; });
    if (known != latest_.end()) {
      latest_.splice(latest_.begin(), latest_, known);
      return latest_.front();
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMemory);
    latest_.emplace_front(pattern, options);
    if (!latest_.front().ok()) {
      const std::string portion = latest_.front().error_arg();
      const std::string error = latest_.front().error();
      latest_.pop_front();
      throw_logic("Error in regexp `" + pattern + "` (portion `" + portion + "`): " + error);
    }
    if (latest_.size() > kKept) latest_.pop_back();
    return latest_.front();
  }

 private:
  static constexpr std::size_t kKept = 16;
  static constexpr std::int64_t kMemory = 8 << 20;
  std::list<RE2> latest_;
};

Datum describe_group(const std::string& text, re2::StringPiece group) {
  if (group.data() == nullptr) return Datum();
  const auto start = group.data() - text.data();
  ObjectBuilder found;
  found.set("str", Datum::string({group.data(), group.size()}));
  found.set("start", Datum::integer(start));
  found.set("end", Datum::integer(start + static_cast<std::int64_t>(group.size())));
  return found.finish();
}

Value match(Args& args) {
  const std::string text = args.string(0);
  const std::string pattern = args.string(1);
  // No waiting from here on: this belongs to the thread.
  thread_local CompiledExpressions expressions;
  const RE2& expression = expressions.get(pattern);
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(expression.NumberOfCapturingGroups()) + 1);
  if (!expression.Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) return Value();
  ObjectBuilder found(describe_group(text, groups[0]));
  ArrayBuilder captured;
  for (std::size_t i = 1; i < groups.size(); ++i) captured.add(describe_group(text, groups[i]));
  found.set("groups", captured.finish());
  return Value(found.finish());
}

// --- split

Value split(Args& args) {
  const std::string text = args.string(0);
  // A separator of another type is blamed on the term, as recorded.
  std::optional<std::string> separator;
  if (args.has(1)) {
    const Datum d = args.datum(1);
    if (!d.is_null()) separator = d.as_string();
  }
  const std::int64_t max_splits = args.has(2) ? args.integer(2) : -1;
  const auto pieces = !separator            ? utf8::split_at_spaces(text, max_splits)
                      : separator->empty() ? utf8::split_characters(text, max_splits)
                                           : utf8::split_at(text, *separator, max_splits);
  check_array_size(args.cx(), pieces.size());
  ArrayBuilder array;
  array.reserve(pieces.size());
  for (const std::string_view piece : pieces) array.add(Datum::string(piece));
  return Value(array.finish());
}

Value upcase(Args& args) { return Value(Datum::string(utf8::to_upper(args.string(0)))); }
Value downcase(Args& args) { return Value(Datum::string(utf8::to_lower(args.string(0)))); }

// --- format

// As later servers than 2.4.4 have it: there is no way to write a brace that is none of a parameter.
std::string format_template(std::string_view text, const Datum& fields) {
  std::string out;
  while (!text.empty()) {
    const std::size_t brace = text.find_first_of("{}");
    out += text.substr(0, brace);
    if (brace == std::string_view::npos) break;
    if (text[brace] == '}') throw_logic("No parameter tags to close");
    text.remove_prefix(brace + 1);
    const std::size_t end = text.find_first_of("{},\\");
    if (end == std::string_view::npos) throw_logic("Parameter tag must be closed");
    if (text[end] == '{') throw_logic("Nested template parameters are not allowed");
    if (text[end] == ',') throw_logic("Formatting separator `,` is not allowed in parameter name");
    if (text[end] == '\\') throw_logic("Reserved escape character `\\` is not allowed in parameter name");
    const std::string_view name = text.substr(0, end);
    const auto value = fields.get(name);
    if (!value) throw_non_existence("No attribute `" + std::string(name) + "` in object:\n" + to_pretty_json(fields));
    if (value->is(Type::kString)) {
      out += value->as_string();
    } else {
      append_json(*value, out);
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

Value format(Args& args) {
  const std::string text = args.string(0);
  const Datum fields = args.datum(1);
  Args::blaming(args.node_of(1), [&] { (void)fields.object_size(); });
  return Value(Datum::string(format_template(text, fields)));
}

constexpr Example kMatchExamples[] = {
    {R"(r.expr('name: Ann').match('name: (\\w+)')['groups'][0]['str'])",
     "[170,[[170,[[170,[[97,[\"name: Ann\",\"name: (\\\\w+)\"]],\"groups\"]],0]],\"str\"]]",
     R"("Ann")"},
    {"r.expr('abc').match('x')", R"([97,["abc","x"]])", "null"},
    {"r.expr('abc').match('(')", R"([97,["abc","("]])", "Error in regexp `(` (portion `(`): missing ): ("},
};
constexpr Example kSplitExamples[] = {
    {"r.expr(' a  b ').split()", R"([149,[" a  b "]])", R"(["a","b"])"},
    {"r.expr('a,b,c').split(',', 1)", R"([149,["a,b,c",",",1]])", R"(["a","b,c"])"},
    {"r.expr('abc').split('')", R"([149,["abc",""]])", R"(["a","b","c"])"},
};
constexpr Example kUpcaseExamples[] = {
    {"r.expr('abc').upcase()", R"([141,["abc"]])", R"("ABC")"},
};
constexpr Example kDowncaseExamples[] = {
    {"r.expr('ABC').downcase()", R"([142,["ABC"]])", R"("abc")"},
};
constexpr Example kFormatExamples[] = {
    {"r.format('{name} has {n}', {'name': 'Ann', 'n': 3})",
     R"([197,["{name} has {n}",{"name":"Ann","n":3}]])",
     R"("Ann has 3")"},
    {"r.format('{x}', {})", R"([197,["{x}",{}]])", "No attribute `x` in object:\n{}"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kMatch, .name = "match", .arity = exactly(2), .eval = match,
     .signature = "string.match(expression) → object or null",
     .doc = "Where a regular expression (RE2 syntax) first matches, with its groups; null when it does not. Positions are in bytes.",
     .examples = kMatchExamples},
    {.type = TermType::kSplit, .name = "split", .arity = between(1, 3), .eval = split,
     .signature = "string.split([separator[, most]]) → array",
     .doc = "The pieces of a string between white space or separators; into characters when the separator is empty. "
            "At most so many splits.",
     .examples = kSplitExamples},
    {.type = TermType::kUpcase, .name = "upcase", .arity = exactly(1), .eval = upcase,
     .signature = "string.upcase() → string",
     .doc = "The string with the letters a to z in upper case.",
     .examples = kUpcaseExamples},
    {.type = TermType::kDowncase, .name = "downcase", .arity = exactly(1), .eval = downcase,
     .signature = "string.downcase() → string",
     .doc = "The string with the letters A to Z in lower case.",
     .examples = kDowncaseExamples},
    {.type = TermType::kFormat, .name = "format", .arity = exactly(2), .eval = format,
     .signature = "r.format(text, object) → string",
     .doc = "The string with each {name} replaced by that field of an object. There is no way to write a brace that is none of a parameter.",
     .examples = kFormatExamples},
};

}  // namespace

std::span<const TermDef> string_terms() { return kTerms; }

}  // namespace reqld::reql
