// r.js: expressions and functions in JavaScript, run by worker processes.

#include <chrono>
#include <cmath>

#include "datum/json.hpp"
#include "js/pool.hpp"
#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

constexpr double kDefaultTimeoutSeconds = 5;
constexpr double kMaxTimeoutSeconds = 24 * 3600;

std::chrono::milliseconds to_milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
}

// The value of a result; what is no value ends the query.
Datum to_value(const js::Result& result, const std::string& source, double timeout) {
  switch (result.kind) {
    case js::Result::Kind::kValue:
      return parse_json(result.text);
    case js::Result::Kind::kTimeout: {
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%.3f", timeout);
      throw_logic("JavaScript query `" + source + "` timed out after " + seconds + " seconds.");
    }
    default:
      throw_logic(result.text);
  }
}

/// Waits for what `submit` starts. A STOP or a lost connection ends the script.
template <typename Submit>
js::Result run_script(Context& cx, Submit submit) {
  js::Pool& pool = cx.engine().javascript();
  auto result = await_value<js::Result>(cx.waiting(), [&](js::Pool::Callback done) {
    const js::Pool::Ticket ticket = submit(pool, std::move(done));
    if (cx.cancellation) cx.cancellation->set_listener([&pool, ticket] { pool.cancel(ticket); });
  });
  if (cx.cancellation) cx.cancellation->clear_listener();
  cx.check_in();
  return result;
}

class JsFunction : public Function {
 public:
  JsFunction(std::string source, double timeout, const Node* node)
      : source_(std::move(source)), timeout_(timeout), node_(node) {}

  Value call(Context& cx, std::span<const Datum> args) const override {
    return Args::blaming(node_, [&] {
      std::string json = "[";
      for (const Datum& arg : args) {
        if (json.size() > 1) json += ',';
        append_json(arg, json);
      }
      json += ']';
      const auto result = run_script(cx, [&](js::Pool& pool, js::Pool::Callback done) {
        return pool.call(source_, std::move(json), to_milliseconds(timeout_), std::move(done));
      });
      return Value(to_value(result, source_, timeout_));
    });
  }
  std::optional<std::size_t> arity() const override { return std::nullopt; }
  TermFlags flags() const override { return kNonDeterministic; }
  const Node* node() const override { return node_; }

 private:
  const std::string source_;
  const double timeout_;
  const Node* const node_;
};

Value javascript(Args& args) {
  const std::string source = args.string(0);
  const double timeout = args.number_optarg("timeout").value_or(kDefaultTimeoutSeconds);
  if (!(timeout >= 0 && timeout <= kMaxTimeoutSeconds)) {
    throw EvalError(ErrorCode::kQueryLogic, "`timeout` must be between 0 and 86400 seconds.",
                    args.optarg_node("timeout"));
  }
  Context& cx = args.cx();
  const auto result = run_script(cx, [&](js::Pool& pool, js::Pool::Callback done) {
    return pool.evaluate(source, to_milliseconds(timeout), std::move(done));
  });
  if (result.kind == js::Result::Kind::kFunction) {
    return Value(ValueKind::kFunction, make_ref<JsFunction>(source, timeout, &args.node()));
  }
  return Value(to_value(result, source, timeout));
}

constexpr Optarg kOptargs[] = {
    {"timeout", "seconds that it may take (5)"},
};

constexpr Example kJsExamples[] = {
    {"r.js('1 + 2')", R"([11,["1 + 2"]])", "3"},
    {"r.expr([1, 2]).map(r.js('(function (x) { return x * 10; })'))",
     "[38,[[2,[1,2]],[11,[\"(function (x) { return x * 10; })\"]]]]",
     "[10,20]"},
    {"r.js('while (true) {}', timeout=0.2)",
     R"([11,["while (true) {}"],{"timeout":0.2}])",
     "JavaScript query `while (true) {}` timed out after 0.200 seconds."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kJavascript,
     .name = "js",
     .arity = exactly(1),
     .flags = kNonDeterministic,
     .eval = javascript,
     .optargs = kOptargs,
     .signature = "r.js(text) → value or function",
     .doc = "The value of a JavaScript expression, or a JavaScript function.",
     .examples = kJsExamples},
};

}  // namespace

std::span<const TermDef> javascript_terms() {
  return kTerms;
}

}  // namespace reqld::reql
