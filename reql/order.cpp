#include "reql/order.hpp"

namespace reqld::reql {

OrderKey order_key(Env& env, const Value& value, const Node* node) {
  OrderKey key;
  key.descending = node->def->type == TermType::kDesc;
  const bool wrapped = key.descending || node->def->type == TermType::kAsc;
  key.function = to_function(env, value, Shorthand::kField, wrapped ? node->args[0] : node);
  return key;
}

void refuse_spliced_key(const Node& key) {
  if (key.def->type != TermType::kArgs) return;
  throw_logic("r.args is not supported in an order_by or union command yet.");
}

const std::optional<Datum>& OrderedRow::key(Context& cx, const std::vector<OrderKey>& keys, std::size_t i) const {
  if (i == 0) {
    if (known_ == 0) {
      first_ = keys[0].function->call1_if_exists(cx, row_);
      known_ = 1;
    }
    return first_;
  }
  // Keys are asked for in order: each only when the ones before are equal.
  if (known_ <= i) {
    others_.push_back(keys[i].function->call1_if_exists(cx, row_));
    known_ = i + 1;
  }
  return others_[i - 1];
}

int OrderedRow::compare(Context& cx, const std::vector<OrderKey>& keys, const OrderedRow& a, const OrderedRow& b) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::optional<Datum>& x = a.key(cx, keys, i);
    const std::optional<Datum>& y = b.key(cx, keys, i);
    const int order = x && y ? reqld::compare(*x, *y) : static_cast<int>(x.has_value()) - static_cast<int>(y.has_value());
    if (order != 0) return keys[i].descending ? -order : order;
  }
  return 0;
}

}  // namespace reqld::reql
