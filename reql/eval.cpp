#include "reql/eval.hpp"

#include "datum/json.hpp"
#include "reql/grouping.hpp"
#include "reql/profile.hpp"
#include "reql/table.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

namespace {

[[gnu::always_inline]] inline void check_stack(const Context& cx) {
  const char here = 0;
  if (&here < cx.stack_limit) {
    throw EvalError(ErrorCode::kResourceLimit, "Maximum recursion depth of a query exceeded.");
  }
}

// Part of eval, as the next: inlined there although eval_profiled has them too.
[[gnu::always_inline]] inline Value eval_literal(const Node& node, Context& cx) {
  if (node.literal_array_size > cx.options.array_limit) {
    Args::blaming(&node, [&] { check_array_size(cx, node.literal_array_size); });
  }
  return Value(node.literal);
}

[[gnu::always_inline]] inline Value eval_node(const Node& node, Env& env) {
  if (node.is_literal) return eval_literal(node, env.cx);
  try {
    check_stack(env.cx);
    Args args(node, env);
    if (node.contains_group && !(node.def->flags & kGroupAware) && args.has(0)) {
      Value first = args.value(0);
      if (first.is(ValueKind::kGroupedData)) {
        const bool fuses = (node.def->flags & kFusesGroups) != 0 && first.object<GroupedData>().is_stream();
        if (!fuses) return eval_over_groups(node, env, first);
      }
      args.preset(0, std::move(first));
    }
    return node.def->eval(args);
  } catch (EvalError& e) {
    if (!e.detached()) e.locate(&node);
    throw;
  } catch (const DatumError& e) {
    throw EvalError(e, &node);
  } catch (const storage::StorageError& e) {
    throw EvalError(ErrorCode::kOpFailed, e.what(), &node);
  }
}

[[gnu::noinline]] Value eval_profiled(const Node& node, Env& env) {
  const ProfiledTask task(env.cx.profile, node);
  return eval_node(node, env);
}

}  // namespace

Value eval(const Node& node, Env& env) {
  if (env.cx.profile != nullptr) [[unlikely]]
    return eval_profiled(node, env);
  return eval_node(node, env);
}

Args::Args(const Node& node, Env& env) : node_(node), env_(env) {
  if (node.has_args_term) splice();
}

void Args::splice() {
  std::vector<Argument> all;
  for (const Node* arg : node_.args) {
    if (arg->def->type != TermType::kArgs) {
      all.push_back({std::nullopt, arg});
      continue;
    }
    const Node& array_node = *arg->args[0];
    const Datum array = blaming(&array_node, [&] {
      Datum d = to_datum(env_.cx, eval(array_node, env_));
      if (!d.is(Type::kArray)) throw_type_error("ARRAY", d.type());
      return d;
    });
    for (std::size_t i = 0; i < array.array_size(); ++i) all.push_back({Value(array.at(i)), arg});
  }
  if (auto message = arity_error(*node_.def, all.size())) throw_logic(*message);
  spliced_ = std::move(all);
}

const Node* Args::node_of(std::size_t i) const {
  if (i == 0 && first_blame_) return first_blame_;
  return spliced_ ? (*spliced_)[i].node : node_.args[i];
}

void Args::preset(std::size_t i, Value value, const Node* blame) {
  if (i == 0) first_blame_ = blame;
  if (spliced_) {
    (*spliced_)[i].value = std::move(value);
  } else {
    first_ = std::move(value);
  }
}

Value Args::value(std::size_t i) {
  if (spliced_) {
    const Argument& argument = (*spliced_)[i];
    return argument.value ? *argument.value : eval(*argument.node, env_);
  }
  if (i == 0 && first_) return *first_;
  return eval(*node_.args[i], env_);
}

Datum Args::datum(std::size_t i) {
  Value v = value(i);
  if (v.is_datum()) return v.take_datum();
  return blaming(node_of(i), [&] { return to_datum(cx(), v); });
}

bool Args::boolean(std::size_t i) { return truth(datum(i)); }

double Args::number(std::size_t i) {
  const Datum d = datum(i);
  return blaming(node_of(i), [&] { return d.as_number(); });
}

std::int64_t Args::integer(std::size_t i) {
  const Datum d = datum(i);
  return blaming(node_of(i), [&] { return d.as_integer(); });
}

std::string Args::string(std::size_t i) {
  const Datum d = datum(i);
  return blaming(node_of(i), [&] { return std::string(d.as_string()); });
}

Ref<Stream> Args::stream(std::size_t i) {
  const Value v = value(i);
  return to_stream(cx(), v);
}

Ref<Function> Args::function(std::size_t i, Shorthand shorthand) {
  return to_function(env_, value(i), shorthand, node_of(i));
}

Ref<Table> Args::table(std::size_t i) {
  const Value v = value(i);
  return blaming(node_of(i), [&] {
    if (!v.is(ValueKind::kTable)) throw_kind_error(cx(), "TABLE", v);
    return v.ref<TableSlice>()->table;
  });
}

std::string Args::database(std::size_t i) {
  const Value v = value(i);
  return blaming(node_of(i), [&] {
    if (!v.is(ValueKind::kDatabase)) throw_kind_error(cx(), "DATABASE", v);
    return v.ref<DatabaseRef>()->name;
  });
}

const Node* Args::optarg_node(std::string_view name) const {
  const Node* own = node_.find_optarg(name);
  return own ? own : find_optarg(env_.cx.program->global_optargs(), name);
}

std::optional<Value> Args::optarg(std::string_view name) {
  const Node* node = optarg_node(name);
  if (!node) return std::nullopt;
  Env env = env_of(*node);
  return eval(*node, env);
}

std::optional<Datum> Args::datum_optarg(std::string_view name) {
  auto v = optarg(name);
  if (!v) return std::nullopt;
  return blaming(optarg_node(name), [&] { return to_datum(cx(), *v); });
}

std::optional<bool> Args::bool_optarg(std::string_view name) {
  auto d = datum_optarg(name);
  if (!d) return std::nullopt;
  return truth(*d);
}

std::optional<double> Args::number_optarg(std::string_view name) {
  auto d = datum_optarg(name);
  if (!d) return std::nullopt;
  return blaming(optarg_node(name), [&] { return d->as_number(); });
}

std::optional<std::int64_t> Args::integer_optarg(std::string_view name) {
  auto d = datum_optarg(name);
  if (!d) return std::nullopt;
  return blaming(optarg_node(name), [&] { return d->as_integer(); });
}

std::optional<std::string> Args::string_optarg(std::string_view name) {
  auto d = datum_optarg(name);
  if (!d) return std::nullopt;
  return blaming(optarg_node(name), [&] { return std::string(d->as_string()); });
}

bool Args::open_bound_optarg(std::string_view name, bool by_default) {
  const auto kind = string_optarg(name);
  if (!kind) return by_default;
  if (*kind == "open") return true;
  if (*kind == "closed") return false;
  throw_logic("Expected `open` or `closed` for optarg `" + std::string(name) + "` (got `" + to_json(Datum::string(*kind)) + "`).");
}

Ref<Function> Args::function_optarg(std::string_view name, Shorthand shorthand) {
  auto v = optarg(name);
  if (!v) return {};
  return to_function(env_, *v, shorthand, optarg_node(name));
}

}  // namespace reqld::reql
