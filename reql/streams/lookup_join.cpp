#include <algorithm>

#include "reql/eval.hpp"
#include "reql/streams/derived.hpp"
#include "reql/streams/join.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kBatchRows = 256;

class LookupJoinStream : public DerivedStream {
 public:
  LookupJoinStream(Ref<Stream> left, Ref<Function> key, Ref<Table> table, std::string index, const Node* node)
      : DerivedStream(std::move(left)),
        key_(std::move(key)),
        table_(std::move(table)),
        index_(std::move(index)),
        by_primary_key_(index_ == table_->primary_key()),
        node_(node) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    const std::size_t before = out.size();
    while (out.size() - before < limits.max_rows) {
      if (at_ < keys_.size()) {
        join_one(cx, limits, limits.max_rows - (out.size() - before), out);
      } else if (ended_) {
        return false;
      } else if (out.size() > before) {
        return true;
      } else {
        read(cx, limits);
        if (keys_.empty() && !ended_) return true;
      }
    }
    return true;
  }

 protected:
  bool at_hand() const override { return at_ < keys_.size(); }

 private:
  // The next rows of the left side, their keys, and by primary key their partners: from one snapshot.
  void read(Context& cx, const BatchLimits& limits) {
    cx.check_in();
    left_.clear();
    keys_.clear();
    partners_.clear();
    at_ = 0;
    BatchLimits chunk = limits;
    chunk.max_rows = std::min(limits.max_rows, kBatchRows);
    rows_.clear();
    ended_ = !source().next(cx, chunk, rows_);
    for (Datum& row : rows_) {
      auto key = key_->call1_if_exists(cx, row);
      if (!key || key->is_null()) continue;
      left_.push_back(std::move(row));
      keys_.push_back(std::move(*key));
    }
    if (by_primary_key_) Args::blaming(node_, [&] { table_->get_many(cx, keys_, partners_); });
  }

  void join_one(Context& cx, const BatchLimits& limits, std::size_t max_rows, Batch& out) {
    if (by_primary_key_) {
      if (!partners_[at_].is_null()) out.push_back(pair(partners_[at_]));
      ++at_;
      return;
    }
    if (!matches_) matches_ = Args::blaming(node_, [&] { return lookup(cx, *table_, index_, keys_[at_]); });
    found_.clear();
    BatchLimits rest = limits;
    rest.max_rows = std::min(max_rows, kBatchRows);
    const bool more = Args::blaming(node_, [&] { return matches_->next(cx, rest, found_); });
    for (const Datum& row : found_) out.push_back(pair(row));
    if (more) return;
    matches_ = {};
    ++at_;
  }

  Datum pair(const Datum& right) const {
    ObjectBuilder builder;
    builder.set("left", left_[at_]);
    builder.set("right", right);
    return builder.finish();
  }

  const Ref<Function> key_;
  const Ref<Table> table_;
  const std::string index_;
  const bool by_primary_key_;
  const Node* const node_;
  Batch rows_;
  Batch left_;
  Batch keys_;
  Batch partners_;
  std::size_t at_ = 0;
  bool ended_ = false;
  Ref<Stream> matches_;
  Batch found_;
};

}  // namespace

Ref<Stream> lookup_join(Ref<Stream> left, Ref<Function> key, Ref<Table> table, std::string index, const Node* node) {
  return make_ref<LookupJoinStream>(std::move(left), std::move(key), std::move(table), std::move(index), node);
}

}  // namespace reqld::reql
