// The distinct values of an index: exact, and without reading every entry.

#include "reql/streams/distinct_values.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "datum/json.hpp"
#include "reql/program.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

/// A table with nothing but an index of numbers; counts the entries that are read.
class IndexOnly : public Table {
 public:
  explicit IndexOnly(std::vector<std::int64_t> values) : values_(std::move(values)) {
    std::sort(values_.begin(), values_.end());
  }
  const std::string& name() const override { return name_; }
  const std::string& database() const override { return name_; }
  std::string primary_key() const override { return "id"; }
  Datum get(Context&, const Datum&) override { return {}; }
  std::uint64_t count(Context&) override { return values_.size(); }
  Ref<Stream> scan(Context&, const Bounds&, Order) override { return {}; }
  Ref<IndexCursor> index_cursor(Context&, const std::string&, const Bounds& bounds, Order,
                                IndexRead) override {
    std::vector<Datum> inside;
    for (const std::int64_t n : values_) {
      const Datum d = Datum::integer(n);
      if (bounds.lower_open ? !(bounds.lower < d) : d < bounds.lower) continue;
      if (bounds.upper_open ? !(d < bounds.upper) : bounds.upper < d) continue;
      inside.push_back(d);
    }
    return make_ref<Walk>(*this, std::move(inside));
  }

  std::size_t read = 0;

 private:
  class Walk : public IndexCursor {
   public:
    Walk(IndexOnly& table, std::vector<Datum> values) : table_(table), values_(std::move(values)) {}
    bool next(Context&, const BatchLimits& limits, std::vector<IndexEntry>& out) override {
      for (std::size_t i = 0; i < limits.max_rows && at_ < values_.size(); ++i)
        out.push_back({values_[at_++], {}});
      table_.read += out.size();
      return at_ < values_.size();
    }

   private:
    IndexOnly& table_;
    std::vector<Datum> values_;
    std::size_t at_ = 0;
  };

  const std::string name_ = "t";
  std::vector<std::int64_t> values_;
};

std::string distinct(IndexOnly& table, const Bounds& bounds, std::size_t batch) {
  const Ref<const Program> program = parse_term("1");
  Context cx = Context::detached(*program);
  const Ref<Stream> stream = distinct_values(cx, Ref<Table>(&table), "n", bounds);
  BatchLimits limits;
  limits.max_rows = batch;
  Batch all;
  bool more = true;
  while (more) {
    const std::size_t before = all.size();
    more = stream->next(cx, limits, all);
    CHECK(all.size() - before <= batch);
  }
  return to_json(Datum::array(all));
}

}  // namespace

TEST_CASE("distinct values are those of the index, whatever its runs and the batches") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::int64_t> values;
    const auto kinds = 1 + random() % 40;
    for (auto n = random() % 400; n > 0; --n)
      values.push_back(static_cast<std::int64_t>(random() % kinds * (random() % 3)));
    Bounds bounds;
    if (random() % 2) {
      bounds.lower = Datum::integer(static_cast<std::int64_t>(random() % 20));
      bounds.lower_open = random() % 2;
    }
    if (random() % 2) {
      bounds.upper = Datum::integer(static_cast<std::int64_t>(random() % 60));
      bounds.upper_open = random() % 2;
    }
    std::vector<std::int64_t> expected;
    for (const std::int64_t n : values) {
      const Datum d = Datum::integer(n);
      const bool above = bounds.lower_open ? bounds.lower < d : !(d < bounds.lower);
      const bool below = bounds.upper_open ? d < bounds.upper : !(bounds.upper < d);
      if (above && below) expected.push_back(n);
    }
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    std::vector<Datum> rows;
    for (const std::int64_t n : expected) rows.push_back(Datum::integer(n));

    const Ref<IndexOnly> table = make_ref<IndexOnly>(values);
    CHECK(distinct(*table, bounds, 1 + random() % 50) == to_json(Datum::array(rows)));
  }
}

TEST_CASE("the entries of a value that many rows share are skipped") {
  std::vector<std::int64_t> values;
  for (int n = 0; n < 10; ++n) values.insert(values.end(), 10'000, n);
  const Ref<IndexOnly> table = make_ref<IndexOnly>(values);
  CHECK(distinct(*table, {}, 1000) == "[0,1,2,3,4,5,6,7,8,9]");
  CHECK(table->read < 10 * 50);
}
