#include "reql/function.hpp"

#include <atomic>

#include "datum/json.hpp"
#include "reql/document.hpp"
#include "reql/eval.hpp"
#include "reql/row_expression.hpp"

namespace reqld::reql {

Scope::Scope(Ref<Scope> parent, std::span<const Datum> vars) : parent_(parent.get()), owned_parent_(std::move(parent)) {
  fill(vars);
}

Scope::Scope(Scope* parent, std::span<const Datum> vars) : parent_(parent) { fill(vars); }

void Scope::fill(std::span<const Datum> vars) {
  Datum* to = few_;
  if (vars.size() > kFew) {
    many_ = std::make_unique<Datum[]>(vars.size());
    to = many_.get();
  }
  std::copy(vars.begin(), vars.end(), to);
}

Datum Function::call_datum(Context& cx, std::span<const Datum> args) const {
  Value v = call(cx, args);
  if (v.is_datum()) return v.take_datum();
  return Args::blaming(body(), [&] { return to_datum(cx, v); });
}

Datum Function::call2(Context& cx, const Datum& a, const Datum& b) const {
  const Datum args[] = {a, b};
  return call_datum(cx, args);
}

std::optional<Datum> Function::call1_if_exists(Context& cx, const Datum& a) const {
  try {
    return call1(cx, a);
  } catch (const EvalError& e) {
    if (e.code() != ErrorCode::kNonExistence) throw;
    return std::nullopt;
  }
}

bool Function::test(Context& cx, const Datum& a) const {
  return truth(call1(cx, a));
}

namespace {

class ReqlFunction : public Function {
 public:
  ReqlFunction(const Program& program, const Node& node, Scope* scope)
      : program_(&program), node_(node), scope_(scope), arity_(node.args[0]->literal.array_size()), is_simple_(arity_ == 1 && node.args[1]->is_row_expression) {}

  Value call(Context& cx, std::span<const Datum> args) const override {
    if (arity_ != 0 && args.size() != arity_) {
      throw EvalError(ErrorCode::kQueryLogic,
                      "Expected function with " + count(args.size()) + " but found function with " + count(arity_) + ".",
                      node_.args[1]);
    }
    if (is_simple_) {
      Datum value;
      if (evaluate_row_expression(*node_.args[1], args[0], value) == RowAnswer::kValue) return Value(std::move(value));
    }
    if (node_.captures) {
      const Ref<Scope> scope = make_ref<Scope>(scope_, args);
      Env env{cx, scope.get()};
      return eval(*node_.args[1], env);
    }
    Scope scope(scope_.get(), args);
    Env env{cx, &scope};
    return eval(*node_.args[1], env);
  }

  std::optional<Datum> call1_if_exists(Context& cx, const Datum& row) const override {
    if (is_simple_) {
      Datum value;
      switch (evaluate_row_expression(*node_.args[1], row, value)) {
        case RowAnswer::kValue: return value;
        case RowAnswer::kMissing: return std::nullopt;
        case RowAnswer::kUndecided: break;
      }
    }
    // Where one row lacks a field others will: looking for it first is far cheaper than an exception each time.
    if (rows_lack_fields_.load(std::memory_order_relaxed) && starts_with_missing_field(*node_.args[1], row)) return std::nullopt;
    auto result = Function::call1_if_exists(cx, row);
    if (!result && arity_ == 1) rows_lack_fields_.store(true, std::memory_order_relaxed);
    return result;
  }

  std::optional<std::size_t> arity() const override {
    return arity_ == 0 ? std::nullopt : std::optional<std::size_t>(arity_);
  }
  TermFlags flags() const override { return node_.subtree_flags; }
  std::optional<Source> source() const override {
    Source out;
    const auto captured = [&](const Node& var) {
      out.captures = true;
      const Scope* scope = scope_.get();
      for (std::uint32_t depth = var.scope_depth - (var.enclosing - node_.scope_depth); depth > 0; --depth) {
        scope = scope->parent();
      }
      return scope->var(var.slot);
    };
    out.json = term_to_json(node_, captured);
    return out;
  }
  const Node* node() const override { return &node_; }
  const Node* body() const override { return node_.args[1]; }

 private:
  static std::string count(std::size_t n) { return std::to_string(n) + (n == 1 ? " argument" : " arguments"); }

  const Ref<const Program> program_;  // keeps node_ alive
  const Node& node_;
  const Ref<Scope> scope_;
  const std::size_t arity_;
  const bool is_simple_;  // the body is a row expression
  mutable std::atomic<bool> rows_lack_fields_{false};
};

class ConstantFunction : public Function {
 public:
  explicit ConstantFunction(Datum value) : value_(std::move(value)) {}
  Value call(Context&, std::span<const Datum>) const override { return Value(value_); }
  std::optional<std::size_t> arity() const override { return std::nullopt; }
  TermFlags flags() const override { return 0; }

 private:
  const Datum value_;
};

class FieldFunction : public Function {
 public:
  FieldFunction(Datum key, const Node* node) : key_(std::move(key)), node_(node) {}
  Value call(Context&, std::span<const Datum> args) const override {
    return Args::blaming(node_, [&]() -> Value {
      auto field = find(args[0]);
      if (!field) throw_no_attribute(key_.as_string(), args[0]);
      return Value(std::move(*field));
    });
  }
  std::optional<Datum> call1_if_exists(Context& cx, const Datum& row) const override {
    if (row.is(Type::kObject) && key_.is(Type::kString)) return row.get(key_.as_string());
    return Function::call1_if_exists(cx, row);
  }
  std::optional<std::size_t> arity() const override { return 1; }
  TermFlags flags() const override { return 0; }
  const Node* node() const override { return node_; }

 private:
  std::optional<Datum> find(const Datum& row) const {
    if (!row.is(Type::kObject) && !row.is(Type::kArray)) throw_not_a_document("get_field", row);
    return find_field(row, key_.as_string(), "get_field");
  }

  const Datum key_;
  const Node* const node_;
};

}  // namespace

Ref<Function> make_function(const Program& program, const Node& func, Scope* scope) {
  return make_ref<ReqlFunction>(program, func, scope);
}

Ref<Function> constant_function(Datum value) { return make_ref<ConstantFunction>(std::move(value)); }

Ref<Function> field_function(Datum key, const Node* node) { return make_ref<FieldFunction>(std::move(key), node); }

Ref<Function> to_function(Env& env, const Value& value, Shorthand shorthand, const Node* node) {
  return Args::blaming(node, [&]() -> Ref<Function> {
    if (value.is(ValueKind::kFunction)) return value.ref<Function>();
    if (shorthand == Shorthand::kNone) throw_kind_error(env.cx, "FUNCTION", value);
    const Datum d = to_datum(env.cx, value);
    if (shorthand == Shorthand::kField) return field_function(d, node);
    return constant_function(d);
  });
}

}  // namespace reqld::reql
