// Every term refuses a wrong number of arguments and optional arguments it does not know, before it is evaluated.

#include <doctest/doctest.h>

#include <algorithm>

#include "reql/term_def.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld::reql;

namespace {

// Terms that the parser treats by rules of their own.
bool is_special(TermType type) {
  constexpr TermType kSpecial[] = {TermType::kDatum,       TermType::kMakeObj, TermType::kVar,
                                   TermType::kImplicitVar, TermType::kFunc,    TermType::kAsc,
                                   TermType::kDesc,        TermType::kArgs};
  return std::find(std::begin(kSpecial), std::end(kSpecial), type) != std::end(kSpecial);
}

std::string call(const TermDef& def, int arguments, const std::string& optargs = "") {
  std::string term = "[" + std::to_string(static_cast<int>(def.type)) + ",[";
  for (int i = 0; i < arguments; ++i) term += i == 0 ? "null" : ",null";
  return term + "]" + (optargs.empty() ? "" : "," + optargs) + "]";
}

std::string plural(int n) { return std::to_string(n) + (n == 1 ? " argument" : " arguments"); }

std::string expected(const TermDef& def) {
  const Arity a = def.arity;
  if (a.max < 0) return std::to_string(a.min) + " or more arguments";
  if (a.min == a.max) return plural(a.min);
  return "between " + std::to_string(a.min) + " and " + std::to_string(a.max) + " arguments";
}

}  // namespace

TEST_CASE("a wrong number of arguments is refused") {
  InProcess process;
  for (const TermDef* def : all_terms()) {
    if (is_special(def->type)) continue;
    CAPTURE(def->name);
    for (const int count : {def->arity.min - 1, def->arity.max < 0 ? -1 : def->arity.max + 1}) {
      if (count < 0) continue;
      const Reply reply = process.run(call(*def, count));
      CHECK(reply.type == ReplyType::kCompileError);
      CHECK(reply.backtrace.empty());
      CHECK(reply.rows == "\"Expected " + expected(*def) + " but found " + std::to_string(count) + ".\"");
    }
  }
}

TEST_CASE("the number of arguments that r.args give is checked when they are there") {
  InProcess process;
  const Reply reply = process.run("[103,[[154,[[2,[1,2,3]]]]]]");
  CHECK(reply.type == ReplyType::kRuntimeError);
  CHECK(reply.error == ErrorCode::kQueryLogic);
  CHECK(reply.rows == "\"Expected 0 arguments but found 3.\"");
}

TEST_CASE("an unknown optional argument is refused") {
  InProcess process;
  for (const TermDef* def : all_terms()) {
    if (is_special(def->type) || def->any_optargs || def->type == TermType::kMakeArray) continue;
    CAPTURE(def->name);
    const Reply reply = process.run(call(*def, def->arity.min, R"({"nosuch":1})"));
    CHECK(reply.type == ReplyType::kCompileError);
    CHECK(reply.rows == R"("Unrecognized optional argument `nosuch`.")");
  }
}

TEST_CASE("every term can be evaluated") {
  for (const TermDef* def : all_terms()) {
    CAPTURE(def->name);
    CHECK((def->eval != nullptr || is_special(def->type)));
  }
}
