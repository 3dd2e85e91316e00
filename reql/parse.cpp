#include <algorithm>
#include <new>
#include <optional>
#include <unordered_set>

#include "datum/base64.hpp"
#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/utf8.hpp"
#include "reql/error.hpp"
#include "reql/program.hpp"
#include "reql/query_document.hpp"
#include "reql/row_expression.hpp"

namespace reqld::reql {

namespace {

// What the recorded server makes of a number where it wants a small whole one.
int json_integer(const Json& v) {
  return v.IsInt() ? v.GetInt() : 0;
}

}  // namespace

Program::~Program() {
  while (newest_ != nullptr) {
    OwnedNode* const older = newest_->older;
    newest_->~OwnedNode();
    newest_ = older;
  }
}

Node* Program::add_node() {
  newest_ = new (memory_.allocate(sizeof(OwnedNode), alignof(OwnedNode))) OwnedNode{{}, newest_};
  return &newest_->node;
}

void Program::reserve_args(Node& node, std::size_t count) {
  node.args = {static_cast<Node**>(memory_.allocate(count * sizeof(Node*), alignof(Node*))), 0};
}

const Node* find_optarg(std::span<const OptArg> optargs, std::string_view name) {
  const auto found = std::ranges::find(optargs, name, &OptArg::name);
  return found == optargs.end() ? nullptr : found->value;
}

/// Builds the nodes of one program from a JSON document.
class Parser {
 public:
  Parser(Program& program, const QueryDocument& document) : program_(program), document_(document) {}

  void query() {
    const Json& json = document_.root();
    if (!json.IsArray()) {
      fail(ReplyType::kClientError,
           "Server could not parse query: Expected a query to be an array, but found " + type_name(json) + ".");
    }
    if (json.Empty() || json.Size() > 3) {
      fail(ReplyType::kClientError,
           "Server could not parse query: Expected 1 to 3 elements in the top-level query, but found " +
               std::to_string(json.Size()) + ".");
    }
    if (json.Size() == 3 && !json[2].IsObject()) {
      fail(ReplyType::kClientError,
           "Server could not parse query: Expected global optargs as an object, but found " + type_name(json[2]) + ".");
    }
    if (json.Size() < 2) {
      fail(ReplyType::kClientError, "Server could not parse query: Expected a term in a START query.");
    }
    // Global options come first: whether a query wants a reply must be known even when its term is bad.
    if (json.Size() == 3) global_optargs(json[2]);
    program_.root_ = root(json[1]);
  }

  void term() { program_.root_ = root(document_.root()); }

 private:
  // A literal that needs no node of its own (yet), or a node.
  struct Built {
    Datum literal;
    Node* node = nullptr;
    std::uint32_t array_size = 0;
  };
  // Where a term stands, for backtraces of errors found before its node exists.
  struct Place {
    const Place* parent;
    std::int32_t position;
    std::string_view optarg;
  };
  struct FunctionScope {
    std::vector<std::int64_t> vars;
    Node* node;
  };

  [[noreturn]] static void fail(ReplyType type, std::string message) {
    throw QueryError(type, std::move(message));
  }
  [[noreturn]] static void fail(const Place* place, std::string message) {
    Backtrace backtrace;
    for (const Place* p = place; p && p->parent; p = p->parent) {
      if (p->position >= 0) {
        backtrace.emplace_back(p->position);
      } else {
        backtrace.emplace_back(std::string(p->optarg));
      }
    }
    std::reverse(backtrace.begin(), backtrace.end());
    throw QueryError(ReplyType::kCompileError, std::move(message), std::move(backtrace));
  }

  std::string type_name(const Json& json) const { return std::string(document_.type_name(json)); }

  Node* root(const Json& json) {
    const Place place{nullptr, -1, {}};
    Node* node = as_node(build(json, place, 0));
    if (has_orders_) check_orders(*node, place, false);
    return node;
  }

  /// Options of the query itself, and those of any term: for the terms that were not given them, see Args.
  static bool is_global_optarg(std::string_view name) {
    static const std::unordered_set<std::string_view> names = [] {
      std::unordered_set<std::string_view> all{
          "array_limit",
          "db",
          "first_batch_scaledown_factor",
          "group_format",
          "max_batch_bytes",
          "max_batch_rows",
          "max_batch_seconds",
          "min_batch_rows",
          "noreply",
          "profile",
          "user",
          "binary_format",
          "time_format",
          "_EVAL_FLAGS_",
          "_NO_RECURSE_",
          "abs",
      };
      for (const TermDef* def : all_terms()) {
        for (const Optarg& o : def->optargs) all.insert(o.name);
      }
      return all;
    }();
    return names.contains(name);
  }

  void global_optargs(const Json& json) {
    for (const auto& member : json.GetObject()) {
      const std::string_view name = view(member.name);
      if (!is_global_optarg(name)) {
        fail(ReplyType::kCompileError, "Unrecognized global optional argument `" + std::string(name) + "`.");
      }
      const Place outer{nullptr, -1, {}};
      Node* const node = as_node(build(member.value, outer, 0));
      // It may be evaluated for each row of a stream.
      blame_write(*node, outer);
      program_.global_optargs_.push_back({std::string(name), node});
    }
  }

  Node* as_node(Built built) {
    if (built.node) return built.node;
    Node* node = program_.add_node();
    node->def = find_term(static_cast<int>(TermType::kDatum));
    node->is_literal = true;
    node->literal = std::move(built.literal);
    node->literal_array_size = built.array_size;
    return node;
  }

  void adopt(Node& parent, Node& child) {
    child.parent = &parent;
    parent.subtree_flags |= child.subtree_flags;
    parent.contains_group |= child.contains_group;
  }

  /// With room reserved for it.
  void adopt_arg(Node& parent, Built built) {
    Node* child = as_node(std::move(built));
    child->is_row_expression = is_row_expression(*child);
    child->position = static_cast<std::int32_t>(parent.args.size());
    adopt(parent, *child);
    // A function's body is evaluated with its variables, when it is called: there it is no argument.
    if (child->def->type == TermType::kArgs && parent.def->type != TermType::kFunc) parent.has_args_term = true;
    parent.args = {parent.args.data(), parent.args.size() + 1};
    parent.args.back() = child;
  }

  void adopt_optarg(Node& parent, std::string_view name, Built built) {
    Node* child = as_node(std::move(built));
    adopt(parent, *child);
    parent.optargs.push_back({std::string(name), child});
  }

  // Not inlined: its locals would lie on the stack once for each level of a query.
  [[gnu::noinline]] static void sort_optargs(Node& node) { std::ranges::sort(node.optargs, {}, &OptArg::name); }

  Built build(const Json& json, const Place& place, int depth) {
    if (depth > kMaxQueryDepth)
      fail(&place, "Query nested too deeply (more than " + std::to_string(kMaxQueryDepth) + " levels).");
    switch (json.GetType()) {
      case rapidjson::kNullType:
        return {Datum::null()};
      case rapidjson::kFalseType:
        return {Datum::boolean(false)};
      case rapidjson::kTrueType:
        return {Datum::boolean(true)};
      case rapidjson::kNumberType:
        if (const auto* literal = document_.literal(json)) return {literal->value, nullptr, literal->longest_array};
        return {Datum::number(json.GetDouble())};
      case rapidjson::kStringType:
        return {string(view(json), place)};
      case rapidjson::kObjectType:
        return object(json, place, depth);
      case rapidjson::kArrayType:
        return term_array(json, place, depth);
    }
    return {};
  }

  static Datum string(std::string_view text, const Place& place) {
    try {
      utf8::check(text);
    } catch (const DatumError& e) {
      fail(&place, e.what());
    }
    return Datum::string(text);
  }

  /// An uploaded file, decoded straight from the text of the query; nullopt when the object is none, or a malformed one.
  std::optional<Datum> large_binary(const Json& object) const {
    if (object.MemberCount() != 2) return std::nullopt;
    const auto type = object.FindMember(encoding::kReqlType.data());
    const auto data = object.FindMember("data");
    if (type == object.MemberEnd() || data == object.MemberEnd()) return std::nullopt;
    if (document_.text(type->value) != "BINARY" || !data->value.IsString()) return std::nullopt;
    try {
      return binary_from_base64(view(data->value));
    } catch (const DatumError&) {
      return std::nullopt;  // a runtime error, for the evaluation to find
    }
  }

  Built object(const Json& json, const Place& place, int depth) {
    if (auto binary = large_binary(json)) return {std::move(*binary)};
    return object_of(json, find_term(static_cast<int>(TermType::kMakeObj)), place, depth);
  }

  Built object_of(const Json& json, const TermDef* def, const Place& place, int depth) {
    std::vector<std::pair<std::string_view, Built>> fields;
    fields.reserve(json.MemberCount());
    bool literal = true;
    for (const auto& member : json.GetObject()) {
      const std::string_view name = view(member.name);
      const Place inner{&place, -1, name};
      fields.emplace_back(name, build(member.value, inner, depth + 1));
      literal &= fields.back().second.node == nullptr;
    }
    // Names are checked once for all: sorting is what the object needs anyway.
    std::vector<std::string_view> names;
    names.reserve(fields.size());
    for (const auto& f : fields) names.push_back(f.first);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail(&place, "Duplicate object key: " + std::string(*twice) + ".");
    for (std::string_view name : names) string(name, place);

    if (literal) {
      ObjectBuilder builder;
      std::uint32_t array_size = 0;
      for (auto& [name, built] : fields) {
        array_size = std::max(array_size, built.array_size);
        builder.set(name, built.literal);
      }
      const Datum plain = builder.finish();
      if (!plain.get(encoding::kReqlType)) return {plain, nullptr, array_size};
      try {
        return {from_pseudo_object(plain), nullptr, array_size};
      } catch (const DatumError&) {
        // Malformed pseudo-types are runtime errors: leave it to the evaluation.
      }
    }
    Node* node = program_.add_node();
    node->def = def;
    node->subtree_flags = def->flags;
    node->optargs.reserve(fields.size());
    for (auto& [name, built] : fields) adopt_optarg(*node, name, std::move(built));
    sort_optargs(*node);
    return {Datum(), node};
  }

  Built term_array(const Json& json, const Place& place, int depth) {
    if (json.Empty() || json.Size() > 3) {
      fail(&place,
           "Expected between 1 and 3 elements in a raw term, but found " + std::to_string(json.Size()) + ".");
    }
    if (!json[0].IsNumber()) {
      fail(&place, "Expected a TermType as a NUMBER but found " + type_name(json[0]) + ".");
    }
    const int number = json_integer(json[0]);
    const TermDef* def = find_term(number);
    if (!def) fail(&place, "Unrecognized TermType: " + std::to_string(number) + ".");

    if (def->type == TermType::kDatum) {
      if (json.Size() > 2) fail(&place, "Third element in a Term is not optional arguments.");
      if (json.Size() < 2) fail(&place, "Expected a value in a DATUM term.");
      return plain_datum(json[1], place, depth + 1);
    }
    const Json* args = nullptr;
    const Json* optargs = nullptr;
    if (json.Size() >= 2) {
      if (json[1].IsArray()) {
        args = &json[1];
      } else if (json[1].IsObject() && json.Size() == 2) {
        optargs = &json[1];
      } else {
        fail(&place, "Second element in a Term is neither arguments nor optional arguments.");
      }
    }
    if (json.Size() == 3) {
      if (!json[2].IsObject()) fail(&place, "Third element in a Term is not optional arguments.");
      optargs = &json[2];
    }
    if (def->type == TermType::kMakeArray && (!optargs || optargs->ObjectEmpty())) return make_array(args, def, place, depth);
    if (def->type == TermType::kMakeObj && optargs && (!args || args->Empty())) {
      return object_of(*optargs, def, place, depth);
    }
    if (def->type == TermType::kFunc) return function(args, optargs, def, place, depth);

    Node* node = program_.add_node();
    start(*node, def);
    if (args) {
      program_.reserve_args(*node, args->Size());
      std::int32_t i = 0;
      for (const Json& arg : args->GetArray()) {
        const Place inner{&place, i++, {}};
        adopt_arg(*node, build(arg, inner, depth + 1));
      }
    }
    add_optargs(*node, optargs, place, depth);
    finish(*node, place);
    return {Datum(), node};
  }

  void start(Node& node, const TermDef* def) {
    node.def = def;
    node.subtree_flags = def->flags;
    node.contains_group = def->type == TermType::kGroup;
  }

  void add_optargs(Node& node, const Json* optargs, const Place& place, int depth) {
    if (!optargs) return;
    node.optargs.reserve(optargs->MemberCount());
    for (const auto& member : optargs->GetObject()) {
      const std::string_view name = view(member.name);
      const Place inner{&place, -1, name};
      // What is wrong inside is told before what is wrong with the name.
      Built built = build(member.value, inner, depth + 1);
      const auto& accepted = node.def->optargs;
      if (!node.def->any_optargs && std::ranges::find(accepted, name, &Optarg::name) == accepted.end()) {
        fail(&inner, "Unrecognized optional argument `" + std::string(name) + "`.");
      }
      if (node.find_optarg(name)) fail(&place, "Duplicate optional argument: " + std::string(name) + ".");
      adopt_optarg(node, name, std::move(built));
    }
    sort_optargs(node);
  }

  // [1, value]: JSON as it is, arrays not being terms.
  Built plain_datum(const Json& json, const Place& place, int depth) {
    if (depth > kMaxQueryDepth)
      fail(&place, "Query nested too deeply (more than " + std::to_string(kMaxQueryDepth) + " levels).");
    if (json.IsArray()) {
      ArrayBuilder builder;
      for (const Json& element : json.GetArray()) builder.add(plain_datum(element, place, depth + 1).literal);
      return {builder.finish(), nullptr, json.Size()};
    }
    if (json.IsObject()) {
      ObjectBuilder builder;
      for (const auto& member : json.GetObject()) {
        const std::string_view name = view(member.name);
        if (builder.has(name)) fail(&place, "Duplicate object key: " + std::string(name) + ".");
        builder.set(name, plain_datum(member.value, place, depth + 1).literal);
      }
      try {
        return {from_pseudo_object(builder.finish())};
      } catch (const DatumError& e) {
        fail(&place, e.what());
      }
    }
    return build(json, place, depth);
  }

  Built make_array(const Json* args, const TermDef* def, const Place& place, int depth) {
    const std::size_t size = args ? args->Size() : 0;
    std::vector<Built> elements;
    elements.reserve(size);
    bool literal = size <= kMaxFoldedArray;
    std::int32_t i = 0;
    if (args) {
      for (const Json& arg : args->GetArray()) {
        const Place inner{&place, i++, {}};
        elements.push_back(build(arg, inner, depth + 1));
        literal &= elements.back().node == nullptr;
      }
    }
    if (literal) {
      ArrayBuilder builder;
      std::uint32_t longest = static_cast<std::uint32_t>(size);
      for (const Built& e : elements) {
        longest = std::max(longest, e.array_size);
        builder.add(e.literal);
      }
      return {builder.finish(), nullptr, longest};
    }
    Node* node = program_.add_node();
    start(*node, def);
    program_.reserve_args(*node, size);
    for (Built& e : elements) adopt_arg(*node, std::move(e));
    return {Datum(), node};
  }

  Built function(const Json* args, const Json* optargs, const TermDef* def, const Place& place, int depth) {
    Node* node = program_.add_node();
    start(*node, def);
    if (!args || args->Size() != 2) {
      fail(&place, "Expected 2 arguments but found " + std::to_string(args ? args->Size() : 0) + ".");
    }
    program_.reserve_args(*node, args->Size());
    const Place vars_place{&place, 0, {}};
    adopt_arg(*node, build((*args)[0], vars_place, depth + 1));
    FunctionScope scope{{}, node};
    const Node& vars = *node->args[0];
    if (!vars.is_literal || !vars.literal.is(Type::kArray)) {
      fail(&vars_place, "CLIENT ERROR: FUNC variables must be a literal *array* of numbers.");
    }
    for (std::size_t i = 0; i < vars.literal.array_size(); ++i) {
      const Datum var = vars.literal.at(i);
      if (!var.is(Type::kNumber)) {
        fail(&vars_place, "CLIENT ERROR: FUNC variables must be a literal array of *numbers*.");
      }
      scope.vars.push_back(variable_number(var, vars_place));
    }
    node->scope_depth = static_cast<std::uint32_t>(scopes_.size());
    for (FunctionScope& outer : scopes_) outer.node->captures = true;
    scopes_.push_back(std::move(scope));
    const Place body_place{&place, 1, {}};
    adopt_arg(*node, build((*args)[1], body_place, depth + 1));
    scopes_.pop_back();
    add_optargs(*node, optargs, place, depth);
    finish(*node, place);
    return {Datum(), node};
  }

  // Drivers number variables from 1; what numbers a client may make up itself is whole.
  static std::int64_t variable_number(const Datum& number, const Place& place) {
    try {
      return number.as_integer();
    } catch (const DatumError& e) {
      fail(&place, e.what());
    }
  }

  static std::string plural(int n) { return std::to_string(n) + (n == 1 ? " argument" : " arguments"); }

  void finish(Node& node, const Place& place) {
    const TermDef& def = *node.def;
    const int count = static_cast<int>(node.args.size());
    if (def.type == TermType::kVar || def.type == TermType::kImplicitVar) {
      variable(node, place);
      return;
    }
    has_orders_ |= is_order(node);
    // With r.args the count is known only when they are evaluated; of asc and desc the place is checked
    // first.
    if (!node.has_args_term && !is_order(node)) {
      if (auto message = arity_error(def, count)) fail(&place, *message);
    }
    if ((def.flags & kNonDeterministicWithoutArguments) && (node.args.empty() || node.has_args_term)) {
      node.subtree_flags |= kNonDeterministic;
    }
    if (def.check) {
      try {
        def.check(node);
      } catch (const QueryError& e) {
        fail(&place, e.what());
      }
    }
    if (def.flags & kForbidsWrites) forbid_writes(node, place);
  }

  // A write below, other than in what is operated on, cannot be part of a stream operation.
  void forbid_writes(const Node& node, const Place& place) {
    for (std::size_t i = 1; i < node.args.size(); ++i) {
      blame_write(*node.args[i], {&place, static_cast<std::int32_t>(i), {}});
    }
    for (const OptArg& o : node.optargs) blame_write(*o.value, {&place, -1, o.name});
  }

  void blame_write(const Node& node, const Place& place) {
    if (!(node.subtree_flags & kWrites)) return;
    if (node.def->flags & kWrites) {
      fail(&place, "Cannot nest writes or meta ops in stream operations.  Use FOR_EACH instead.");
    }
    for (std::size_t i = 0; i < node.args.size(); ++i) {
      blame_write(*node.args[i], {&place, static_cast<std::int32_t>(i), {}});
    }
    for (const OptArg& o : node.optargs) blame_write(*o.value, {&place, -1, o.name});
  }

  static bool is_order(const Node& node) {
    return node.def->type == TermType::kAsc || node.def->type == TermType::kDesc;
  }

  // asc and desc stand where order_by and union look for an order: as an argument, or in an array that is
  // one.
  void check_orders(const Node& node, const Place& place, bool allowed) {
    if (is_order(node)) {
      const std::string name = node.def->type == TermType::kAsc ? "ASC" : "DESC";
      if (!allowed) fail(&place, name + " may only be used as an argument to ORDER_BY or UNION.");
      if (auto message = arity_error(*node.def, static_cast<int>(node.args.size()))) fail(&place, *message);
    }
    const bool takes_order = node.def->type == TermType::kOrderBy || node.def->type == TermType::kUnion ||
                             (node.def->type == TermType::kMakeArray && allowed);
    for (std::size_t i = 0; i < node.args.size(); ++i) {
      check_orders(*node.args[i], {&place, static_cast<std::int32_t>(i), {}}, takes_order);
    }
    for (const OptArg& o : node.optargs) check_orders(*o.value, {&place, -1, o.name}, takes_order);
  }

  void variable(Node& node, const Place& place) {
    if (node.def->type == TermType::kImplicitVar) {
      if (!node.args.empty()) fail(&place, *arity_error(*node.def, static_cast<int>(node.args.size())));
      std::uint32_t found = 0;
      for (std::size_t i = scopes_.size(); i-- > 0;) {
        if (scopes_[i].vars.size() != 1) continue;
        if (++found == 1) node.scope_depth = static_cast<std::uint32_t>(scopes_.size() - 1 - i);
      }
      if (found == 0) fail(&place, "r.row is not defined in this context.");
      if (found > 1) fail(&place, "Cannot use r.row in nested queries.  Use functions instead.");
      node.enclosing = static_cast<std::uint32_t>(scopes_.size());
      return;
    }
    if (node.args.size() != 1) fail(&place, "A variable term has the wrong number of arguments.");
    const Node& id = *node.args[0];
    if (!id.is_literal || !id.literal.is(Type::kNumber)) {
      fail(&place, "Expected a variable to be a literal number.");
    }
    const std::int64_t wanted = variable_number(id.literal, place);
    for (std::size_t i = scopes_.size(); i-- > 0;) {
      const auto& vars = scopes_[i].vars;
      const auto at = std::find(vars.begin(), vars.end(), wanted);
      if (at == vars.end()) continue;
      node.scope_depth = static_cast<std::uint32_t>(scopes_.size() - 1 - i);
      node.slot = static_cast<std::uint32_t>(at - vars.begin());
      node.enclosing = static_cast<std::uint32_t>(scopes_.size());
      return;
    }
    fail(&place, "Variable name not found.");
  }

 public:
  static std::optional<std::string> arity_error(const TermDef& def, int count) {
    const Arity a = def.arity;
    if (count >= a.min && (a.max < 0 || count <= a.max)) return std::nullopt;
    std::string expected;
    if (a.max < 0) {
      expected = std::to_string(a.min) + " or more arguments";
    } else if (a.min == a.max) {
      expected = plural(a.min);
    } else {
      expected = "between " + std::to_string(a.min) + " and " + std::to_string(a.max) + " arguments";
    }
    return "Expected " + expected + " but found " + std::to_string(count) + ".";
  }

 private:
  Program& program_;
  const QueryDocument& document_;
  std::vector<FunctionScope> scopes_;
  bool has_orders_ = false;
};

std::optional<std::string> arity_error(const TermDef& def, std::size_t count) {
  return Parser::arity_error(def, static_cast<int>(count));
}

Ref<const Program> parse_query(std::string body) {
  Program* program = new Program;
  const Ref<const Program> owner(program);
  const QueryDocument document(body, QueryDocument::Form::kQuery);
  Parser(*program, document).query();
  return owner;
}

Ref<const Program> parse_term(std::string text) {
  Program* program = new Program;
  const Ref<const Program> owner(program);
  const QueryDocument document(text, QueryDocument::Form::kTerm);
  Parser(*program, document).term();
  return owner;
}

Backtrace backtrace_to(const Node* node) {
  Backtrace backtrace;
  for (const Node* n = node; n && n->parent; n = n->parent) {
    if (n->position >= 0) {
      backtrace.emplace_back(n->position);
    } else {
      backtrace.emplace_back(std::ranges::find(n->parent->optargs, n, &OptArg::value)->name);
    }
  }
  std::reverse(backtrace.begin(), backtrace.end());
  return backtrace;
}

}  // namespace reqld::reql
