// What order_by, union and their kin sort by.
#pragma once

#include <vector>

#include "reql/eval.hpp"

namespace reqld::reql {

struct OrderKey {
  Ref<Function> function;
  bool descending = false;
};

/// The key that an argument stands for: a field name or a function, possibly inside asc or desc. `value` is what `node` evaluated to.
OrderKey order_key(Env& env, const Value& value, const Node* node);

/// Keys are told by how they are written: throws when one is r.args.
void refuse_spliced_key(const Node& key);

/// A row with the keys it is sorted by, which are computed when they are needed.
class OrderedRow {
 public:
  OrderedRow() = default;
  explicit OrderedRow(Datum row) : row_(std::move(row)) {}

  const Datum& row() const { return row_; }
  Datum take() { return std::move(row_); }

  /// Three-way comparison by `keys`. A row without the key comes before all that have it. Throws what the keys' functions throw.
  static int compare(Context& cx, const std::vector<OrderKey>& keys, const OrderedRow& a, const OrderedRow& b);

 private:
  const std::optional<Datum>& key(Context& cx, const std::vector<OrderKey>& keys, std::size_t i) const;

  Datum row_;
  mutable std::size_t known_ = 0;  // how many keys are computed
  mutable std::optional<Datum> first_;
  mutable std::vector<std::optional<Datum>> others_;
};

}  // namespace reqld::reql
