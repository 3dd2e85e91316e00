// Evaluation: nodes to values, and what a term's eval function sees of its arguments.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reql/context.hpp"
#include "reql/error.hpp"
#include "reql/function.hpp"
#include "reql/program.hpp"
#include "reql/value.hpp"

namespace reqld::reql {

class Table;

/// Where a node is evaluated: the query and the variables in sight.
struct Env {
  Context& cx;
  Scope* scope;  ///< null outside every function
};

/// Evaluates `node`. EvalErrors that come out have a position.
Value eval(const Node& node, Env& env);

/// An argument of a term that has r.args among its own.
struct Argument {
  std::optional<Value> value;  ///< an element of an r.args; or preset
  const Node* node = nullptr;  ///< evaluated when it is asked for, where there is no value; to blame: the r.args for its elements
};

/// What a function argument may be written as instead of a function.
enum class Shorthand : std::uint8_t {
  kNone,      ///< "Expected type FUNCTION but found DATUM:…"
  kConstant,  ///< any datum: the function that answers it (update({..}), filter({..}))
  kField,     ///< any datum: get_field by it (group('a'), sum('a'), order_by('a'))
};

/// The arguments of one term being evaluated. `args.datum(0)` evaluates on access: access each once, in order.
/// Conversions blame the argument's own node, unless said otherwise; other errors thrown by an eval function get the term's.
class Args {
 public:
  Args(const Node& node, Env& env);

  const Node& node() const { return node_; }
  Env& env() const { return env_; }
  Context& cx() const { return env_.cx; }

  /// Number of positional arguments (after splicing r.args).
  std::size_t size() const { return spliced_ ? spliced_->size() : node_.args.size(); }
  bool has(std::size_t i) const { return i < size(); }
  /// The node to blame for argument `i`.
  const Node* node_of(std::size_t i) const;

  Value value(std::size_t i);
  Datum datum(std::size_t i);
  bool boolean(std::size_t i);             ///< truth: anything but false and null
  double number(std::size_t i);
  std::int64_t integer(std::size_t i);
  std::string string(std::size_t i);
  Ref<Stream> stream(std::size_t i);       ///< blames the term, as recorded ("Cannot convert NUMBER to SEQUENCE")
  Ref<Function> function(std::size_t i, Shorthand shorthand = Shorthand::kNone);
  Ref<Table> table(std::size_t i);         ///< "Expected type TABLE but found …"
  std::string database(std::size_t i);     ///< name; "Expected type DATABASE but found …"

  // Optional arguments of the term; where it was not given one, that of the whole query is its own.
  bool has_optarg(std::string_view name) const { return optarg_node(name) != nullptr; }
  std::optional<Value> optarg(std::string_view name);
  std::optional<Datum> datum_optarg(std::string_view name);
  std::optional<bool> bool_optarg(std::string_view name);      ///< truth; recorded errors for other types are the term's business
  std::optional<double> number_optarg(std::string_view name);
  std::optional<std::int64_t> integer_optarg(std::string_view name);
  std::optional<std::string> string_optarg(std::string_view name);
  /// `left_bound`, `right_bound` …: whether it is "open"; anything but "open" and "closed" is an error of the term.
  bool open_bound_optarg(std::string_view name, bool by_default);
  Ref<Function> function_optarg(std::string_view name, Shorthand shorthand = Shorthand::kNone);  ///< null when absent
  const Node* optarg_node(std::string_view name) const;  ///< null when absent
  /// Where that is to be evaluated: an option of the query stands outside every function.
  Env env_of(const Node& optarg) const { return {env_.cx, optarg.parent == &node_ ? env_.scope : nullptr}; }

  /// Replaces argument `i` by a value at hand. With `blame` its errors are blamed on that instead of the argument's node.
  void preset(std::size_t i, Value value, const Node* blame = nullptr);

  /// Runs `body`; a DatumError or position-less EvalError out of it is blamed on `node`.
  template <typename F>
  static auto blaming(const Node* node, F&& body) -> decltype(body()) {
    try {
      return body();
    } catch (EvalError& e) {
      e.locate(node);
      throw;
    } catch (const DatumError& e) {
      throw EvalError(e, node);
    }
  }

 private:
  void splice();

  const Node& node_;
  Env& env_;
  std::optional<std::vector<Argument>> spliced_;
  std::optional<Value> first_;  // preset of argument 0
  const Node* first_blame_ = nullptr;
};

/// The function that a value stands for; see Shorthand. Blames `node`.
Ref<Function> to_function(Env& env, const Value& value, Shorthand shorthand, const Node* node);

/// Evaluates `node`, whose first argument turned out to be grouped data, once per group. See reql/grouping.hpp.
Value eval_over_groups(const Node& node, Env& env, const Value& grouped);

}  // namespace reqld::reql
