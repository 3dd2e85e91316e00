#include "reql/print.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/term_def.hpp"

namespace reqld::reql {

namespace {

// snake_case names of terms as the JavaScript driver spells them.
std::string camel_case(std::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
    } else {
      out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      upper = false;
    }
  }
  return out;
}

// Terms that are called on r, and whose nesting shows as plain calls.
bool is_operator(TermType type) {
  using enum TermType;
  constexpr std::array kOperators = {kAdd, kSub, kMul, kDiv, kMod, kEq,  kNe,
                                     kLt,  kLe,  kGt,  kGe,  kNot, kAnd, kOr};
  return std::find(kOperators.begin(), kOperators.end(), type) != kOperators.end();
}

bool starts_on_r(TermType type) {
  using enum TermType;
  constexpr std::array kOnR = {kPoint, kLine,    kPolygon,   kCircle,  kGeojson, kBranch,     kObject,
                               kJson,  kTime,    kEpochTime, kIso8601, kRange,   kRandom,     kUuid,
                               kError, kLiteral, kArgs,      kDb,      kTable,   kJavascript, kHttp};
  return is_operator(type) || std::find(kOnR.begin(), kOnR.end(), type) != kOnR.end();
}

class Printer {
 public:
  std::string text;

  // Names of variables: those that a driver numbered are var1, var2 …; those the server made are _var1 ….
  void function(const Node& func) {
    text += "function(";
    const Datum& vars = func.args[0]->literal;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < vars.array_size(); ++i) {
      const std::int64_t id = vars.at(i).as_integer();
      names.push_back(id < 0 ? "_var" + std::to_string(-id) : "var" + std::to_string(id));
      if (i) text += ", ";
      text += names.back();
    }
    scopes_.push_back(std::move(names));
    text += ") { return ";
    term(*func.args[1], true);
    text += "; }";
    scopes_.pop_back();
  }

  void expression(const Node& node) { term(node, true); }

 private:
  // A deeper one is not for reading.
  static constexpr int kMaxDepth = 120;

  void literal(const Datum& d, bool outermost) {
    if (depth_ >= kMaxDepth) {
      text += "...";
      return;
    }
    ++depth_;
    shallow_literal(d, outermost);
    --depth_;
  }

  void term(const Node& node, bool outermost) {
    if (depth_ >= kMaxDepth) {
      text += "...";
      return;
    }
    ++depth_;
    shallow_term(node, outermost);
    --depth_;
  }

  void shallow_literal(const Datum& d, bool outermost) {
    if (d.is(Type::kArray)) {
      if (outermost) text += "r.expr(";
      text += '[';
      for (std::size_t i = 0; i < d.array_size(); ++i) {
        if (i) text += ", ";
        literal(d.at(i), false);
      }
      text += ']';
      if (outermost) text += ')';
    } else if (d.is(Type::kObject)) {
      text += '{';
      for (std::size_t i = 0; i < d.object_size(); ++i) {
        if (i) text += ", ";
        append_json_string(d.name_at(i), text);
        text += ": ";
        literal(d.value_at(i), false);
      }
      text += '}';
    } else {
      append_json(d, text);
    }
  }

  void arguments(const Node& node, std::size_t from) {
    text += '(';
    bool first = true;
    for (std::size_t i = from; i < node.args.size(); ++i) {
      if (!first) text += ", ";
      first = false;
      term(*node.args[i], false);
    }
    if (!node.optargs.empty()) {
      if (!first) text += ", ";
      text += '{';
      for (std::size_t i = 0; i < node.optargs.size(); ++i) {
        if (i) text += ", ";
        text += '"' + camel_case(node.optargs[i].name) + "\": ";
        term(*node.optargs[i].value, false);
      }
      text += '}';
    }
    text += ')';
  }

  void shallow_term(const Node& node, bool outermost) {
    using enum TermType;
    if (node.is_literal) return literal(node.literal, outermost);
    switch (node.def->type) {
      case kVar:
        if (node.scope_depth < scopes_.size())
          text += scopes_[scopes_.size() - 1 - node.scope_depth][node.slot];
        return;
      case kImplicitVar:
        text += "r.row";
        return;
      case kFunc:
        return function(node);
      case kMinval:
        text += "r.minval";
        return;
      case kMaxval:
        text += "r.maxval";
        return;
      case kMakeArray:
        if (outermost) text += "r.expr(";
        text += '[';
        for (std::size_t i = 0; i < node.args.size(); ++i) {
          if (i) text += ", ";
          term(*node.args[i], false);
        }
        text += ']';
        if (outermost) text += ')';
        return;
      case kMakeObj:
        text += '{';
        for (std::size_t i = 0; i < node.optargs.size(); ++i) {
          if (i) text += ", ";
          append_json_string(node.optargs[i].name, text);
          text += ": ";
          term(*node.optargs[i].value, false);
        }
        text += '}';
        return;
      case kBracket:
        term(*node.args[0], false);
        return arguments(node, 1);
      default:
        break;
    }
    const std::string name = camel_case(node.def->name);
    const bool method = node.def->type == TermType::kTable && node.args.size() == 2;
    if (node.args.empty() || (starts_on_r(node.def->type) && !method)) {
      // An operator inside an operator stands without the prefix.
      if (!(inside_operator_ && is_operator(node.def->type))) text += "r.";
      const bool outer = std::exchange(inside_operator_, is_operator(node.def->type));
      text += name;
      arguments(node, 0);
      inside_operator_ = outer;
      return;
    }
    term(*node.args[0], outermost);
    text += '.' + name;
    arguments(node, 1);
  }

  std::vector<std::vector<std::string>> scopes_;
  bool inside_operator_ = false;
  int depth_ = 0;
};

constexpr std::string_view kHookPrefix = "$reql_write_hook_function$";

std::string source_of(const Datum& definition) {
  const Datum source = *definition.get("source");
  return std::string(source.as_string());
}

// A stored function with captured values in it shows only that it has them.
std::string print_source(const Datum& definition) {
  if (definition.get("captures")) return "non-printable function (captured scope not empty)";
  const Ref<const Program> program = parse_term(source_of(definition));
  return print_function(*program->root());
}

}  // namespace

std::string print_function(const Node& func) {
  Printer printer;
  printer.function(func);
  return std::move(printer.text);
}

std::string print_query(const Node& root) {
  Printer printer;
  printer.expression(root);
  return std::move(printer.text);
}

std::string print_function_source(const Node& func) {
  const std::string text = print_function(func);
  // The same names and body in another frame.
  const std::size_t open = text.find('('), close = text.find(')');
  const std::size_t body = text.find("{ return ") + 9;
  return "function (captures = [(no implicit)]) (args = [" + text.substr(open + 1, close - open - 1) + "]) " +
         text.substr(body, text.size() - body - 3);
}

std::string print_index_create(const std::string& name, const Datum& definition) {
  std::string text = "indexCreate('" + name + "', " + print_source(definition);
  const bool multi = definition.get("multi")->as_bool();
  const bool geo = definition.get("geo")->as_bool();
  if (multi || geo) {
    text += ", {";
    if (multi) text += "multi: true";
    if (multi && geo) text += ", ";
    if (geo) text += "geo: true";
    text += '}';
  }
  return text + ')';
}

Datum make_write_hook(const Function::Source& source) {
  ObjectBuilder out;
  out.set("source", Datum::string(source.json));
  if (source.captures) out.set("captures", Datum::boolean(true));
  return out.finish();
}

Datum describe_write_hook(const Datum& hook) {
  if (hook.is_null()) return Datum();
  ObjectBuilder out;
  out.set("function", Datum::binary(std::string(kHookPrefix) + to_json(hook)));
  out.set("query", Datum::string("setWriteHook(" + print_source(hook) + ")"));
  return out.finish();
}

Datum parse_write_hook(std::string_view bytes) {
  if (bytes.starts_with(kHookPrefix)) {
    try {
      Datum hook = parse_json(bytes.substr(kHookPrefix.size()));
      if (hook.is(Type::kObject) && hook.get("source")) return hook;
    } catch (const DatumError&) {
      // The same answer as for any other bytes.
    }
  }
  throw_logic(
      "Cannot create a write hook except from a reql_write_hook_function returned from `get_write_hook`.");
}

}  // namespace reqld::reql
