#include "reql/row_expression.hpp"

#include <algorithm>

#include "reql/value.hpp"

namespace reqld::reql {

namespace {

bool in_order(TermType comparison, int order) {
  switch (comparison) {
    case TermType::kEq: return order == 0;
    case TermType::kNe: return order != 0;
    case TermType::kLt: return order < 0;
    case TermType::kLe: return order <= 0;
    case TermType::kGt: return order > 0;
    default: return order >= 0;
  }
}

// The value is the row or a literal, or is put in `room`.
RowAnswer evaluate(const Node& node, const Datum& row, Datum& room, const Datum*& value) {
  if (node.is_literal) {
    value = &node.literal;
    return RowAnswer::kValue;
  }
  value = &room;
  switch (node.def->type) {
    case TermType::kVar:
    case TermType::kImplicitVar: value = &row; return RowAnswer::kValue;
    case TermType::kGetField:
    case TermType::kBracket: {
      const Datum* document;
      Datum inner;
      if (const RowAnswer a = evaluate(*node.args[0], row, inner, document); a != RowAnswer::kValue) return a;
      if (!document->is(Type::kObject)) return RowAnswer::kUndecided;
      auto field = document->get(node.args[1]->literal.as_string());
      if (!field) return RowAnswer::kMissing;
      room = std::move(*field);
      return RowAnswer::kValue;
    }
    case TermType::kAnd:
    case TermType::kOr: {
      const bool decisive = node.def->type == TermType::kOr;
      for (const Node* arg : node.args) {
        if (const RowAnswer a = evaluate(*arg, row, room, value); a != RowAnswer::kValue) return a;
        if (truth(*value) == decisive) break;
      }
      return RowAnswer::kValue;
    }
    case TermType::kNot: {
      const Datum* negated;
      if (const RowAnswer a = evaluate(*node.args[0], row, room, negated); a != RowAnswer::kValue) return a;
      room = Datum::boolean(!truth(*negated));
      return RowAnswer::kValue;
    }
    default: {
      const Datum *left, *right;
      Datum left_room, right_room;
      if (const RowAnswer a = evaluate(*node.args[0], row, left_room, left); a != RowAnswer::kValue) return a;
      if (const RowAnswer a = evaluate(*node.args[1], row, right_room, right); a != RowAnswer::kValue) return a;
      room = Datum::boolean(in_order(node.def->type, compare(*left, *right)));
      return RowAnswer::kValue;
    }
  }
}

}  // namespace

bool is_row_expression(const Node& node) {
  if (node.is_literal) return node.literal_array_size == 0;
  if (node.has_args_term || !node.optargs.empty()) return false;
  const auto all = [&] { return std::all_of(node.args.begin(), node.args.end(), [](const Node* a) { return a->is_row_expression; }); };
  switch (node.def->type) {
    case TermType::kVar:
    case TermType::kImplicitVar: return node.scope_depth == 0 && node.slot == 0;
    case TermType::kGetField:
    case TermType::kBracket:
      return node.args[0]->is_row_expression && node.args[1]->is_literal && node.args[1]->literal.is(Type::kString);
    case TermType::kEq:
    case TermType::kNe:
    case TermType::kLt:
    case TermType::kLe:
    case TermType::kGt:
    case TermType::kGe: return node.args.size() == 2 && all();
    case TermType::kAnd:
    case TermType::kOr: return !node.args.empty() && all();
    case TermType::kNot: return all();
    default: return false;
  }
}

RowAnswer evaluate_row_expression(const Node& node, const Datum& row, Datum& value) {
  const Datum* found;
  const RowAnswer answer = evaluate(node, row, value, found);
  if (answer == RowAnswer::kValue && found != &value) value = *found;
  return answer;
}

bool starts_with_missing_field(const Node& body, const Datum& row) {
  const Node* node = &body;
  while (!node->is_row_expression) {
    switch (node->def->type) {
      case TermType::kDefault:  // answers for missing fields
      case TermType::kFunc:
      case TermType::kFuncall: return false;
      default: break;
    }
    if (node->has_args_term) return false;
    // All other terms evaluate their arguments in order.
    const auto first = std::find_if(node->args.begin(), node->args.end(), [](const Node* a) { return !a->is_literal; });
    if (first == node->args.end()) return false;
    node = *first;
  }
  Datum value;
  return evaluate_row_expression(*node, row, value) == RowAnswer::kMissing;
}

}  // namespace reqld::reql
