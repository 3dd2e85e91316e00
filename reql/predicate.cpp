#include "reql/predicate.hpp"

#include "reql/document.hpp"
#include "reql/eval.hpp"
#include "reql/merge.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

namespace {

using Answer = Predicate::Answer;

// `lacking` becomes what the error is about when the answer is kMissing.
Answer match(const Context& cx, const Datum& pattern, const Datum& row, std::pair<std::string, Datum>* lacking) {
  check_stack(cx);
  for (std::size_t i = 0; i < pattern.object_size(); ++i) {
    const std::string_view name = pattern.name_at(i);
    auto field = row.get(name);
    if (!field) {
      if (lacking) *lacking = {std::string(name), row};
      return Answer::kMissing;
    }
    Datum wanted = pattern.value_at(i);
    const bool exact = is_literal(wanted);
    if (exact) {
      auto inner = wanted.get("value");
      if (!inner) return Answer::kNo;
      wanted = std::move(*inner);
    }
    if (!exact && wanted.is(Type::kObject) && field->is(Type::kObject)) {
      if (const Answer a = match(cx, wanted, *field, lacking); a != Answer::kYes) return a;
    } else if (!(wanted == *field)) {
      return Answer::kNo;
    }
  }
  return Answer::kYes;
}

}  // namespace

bool Predicate::writes_object(const Function& function) {
  const Node* node = function.node();
  if (!node) return true;  // a constant
  if (node->def->type != TermType::kFunc) return false;
  const Node& body = *node->args[1];
  return body.is_literal || body.def->type == TermType::kMakeObj;
}

Answer Predicate::test(Context& cx, const Datum& row) const {
  const auto result = function_->call1_if_exists(cx, row);
  if (!result) return Answer::kMissing;
  if (result->is(Type::kBool)) return result->as_bool() ? Answer::kYes : Answer::kNo;
  if (result->is_null()) return Answer::kNo;
  if (!is_pattern_ || !result->is(Type::kObject) || !row.is(Type::kObject)) return Answer::kYes;
  return Args::blaming(node_, [&] { return match(cx, *result, row, nullptr); });
}

void Predicate::throw_missing(Context& cx, const Datum& row) const {
  const Datum pattern = function_->call1(cx, row);
  std::pair<std::string, Datum> lacking;
  Args::blaming(node_, [&] {
    match(cx, pattern, row, &lacking);
    throw_no_attribute(lacking.first, lacking.second);
  });
  throw_internal("A missing field is there after all.");
}

}  // namespace reqld::reql
