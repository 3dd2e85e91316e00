// Lazy streams read no more than they must.

#include <doctest/doctest.h>

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/order.hpp"
#include "reql/program.hpp"
#include "reql/streams/concat_map.hpp"
#include "reql/streams/fold_emit.hpp"
#include "reql/streams/map_many.hpp"
#include "reql/streams/merge_ordered.hpp"
#include "reql/streams/range.hpp"
#include "reql/streams/slice.hpp"
#include "reql/streams/sort.hpp"
#include "reql/streams/step.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

/// 0, 1, 2, … up to `size`; counts how many were handed out.
class Numbers : public Stream {
 public:
  explicit Numbers(std::int64_t size) : size_(size) {}
  bool next(Context&, const BatchLimits& limits, Batch& out) override {
    for (std::size_t i = 0; i < limits.max_rows && read < size_; ++i) out.push_back(Datum::integer(read++));
    return read < size_;
  }
  std::int64_t read = 0;

 private:
  const std::int64_t size_;
};

/// Keeps the rows for which `keep` holds.
class KeepStep : public RowStep {
 public:
  explicit KeepStep(bool (*keep)(std::int64_t)) : keep_(keep) {}
  void run(Context&, Batch& rows, std::size_t from) override {
    std::size_t to = from;
    for (std::size_t i = from; i < rows.size(); ++i) {
      if (keep_(rows[i].as_integer())) rows[to++] = rows[i];
    }
    rows.resize(to);
  }

 private:
  bool (*const keep_)(std::int64_t);
};

class DoubleStep : public RowStep {
 public:
  void run(Context&, Batch& rows, std::size_t from) override {
    for (std::size_t i = from; i < rows.size(); ++i) rows[i] = Datum::integer(rows[i].as_integer() * 2);
  }
  bool is_one_to_one() const override { return true; }
};

struct Fixture {
  Ref<const Program> program = parse_term("1");
  Context cx = Context::detached(*program);

  /// A function from its FUNC term.
  Ref<Function> function(const std::string& json) {
    functions_.push_back(parse_term(json));
    return make_function(*functions_.back(), *functions_.back()->root(), nullptr);
  }
  /// The rows of a stream, read `batch` at a time.
  std::string rows(Ref<Stream> stream, std::size_t batch = 1000) {
    Batch all;
    BatchLimits limits;
    limits.max_rows = batch;
    bool more = true;
    while (more) {
      const std::size_t before = all.size();
      more = stream->next(cx, limits, all);
      CHECK(all.size() - before <= batch);
    }
    return to_json(Datum::array(all));
  }

 private:
  std::vector<Ref<const Program>> functions_;
};

const std::string kRow = "[10,[1]]";
const std::string kNegative = "[69,[[2,[1]],[25,[0,[10,[1]]]]]]";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a limit over a map reads as many rows as it gives") {
  const auto numbers = make_ref<Numbers>(1000000);
  CHECK(rows(slice_of_stream(step_stream(numbers, make_ref<DoubleStep>()), 0, 3)) == "[0,2,4]");
  CHECK(numbers->read == 3);
}

TEST_CASE_FIXTURE(Fixture, "a limit over a filter reads little more than it must") {
  const auto every_tenth = [](std::int64_t n) { return n % 10 == 0; };
  const auto numbers = make_ref<Numbers>(1000000);
  CHECK(rows(slice_of_stream(step_stream(numbers, make_ref<KeepStep>(every_tenth)), 0, 2), 1) == "[0,10]");
  CHECK(numbers->read <= 40);

  const auto late = [](std::int64_t n) { return n >= 50000; };
  const auto more_numbers = make_ref<Numbers>(1000000);
  CHECK(rows(slice_of_stream(step_stream(more_numbers, make_ref<KeepStep>(late)), 0, 1)) == "[50000]");
  CHECK(more_numbers->read <= 52000);
}

TEST_CASE_FIXTURE(Fixture, "rows read ahead are not lost") {
  const auto odd_late = [](std::int64_t n) { return n > 90 && n % 2 == 1; };
  for (const std::size_t batch : {1, 2, 7, 1000}) {
    CHECK(rows(step_stream(make_ref<Numbers>(104), make_ref<KeepStep>(odd_late)), batch) == "[91,93,95,97,99,101,103]");
  }
}

TEST_CASE_FIXTURE(Fixture, "slices") {
  const auto numbers = make_ref<Numbers>(1000000);
  CHECK(rows(slice_of_stream(numbers, 2500, 2502)) == "[2500,2501]");
  CHECK(numbers->read == 2502);
  CHECK(rows(slice_of_stream(make_ref<Numbers>(5), 3)) == "[3,4]");
  CHECK(rows(slice_of_stream(make_ref<Numbers>(5), 9, 10)) == "[]");
  const auto unread = make_ref<Numbers>(5);
  CHECK(rows(slice_of_stream(unread, 3, 3)) == "[]");
  CHECK(unread->read == 0);
}

TEST_CASE_FIXTURE(Fixture, "concat_map reads its sequences lazily") {
  // row -> range(row, no end): only the first is ever opened.
  const auto endless = function("[69,[[2,[1]],[173,[]]]]");
  const auto numbers = make_ref<Numbers>(10);
  CHECK(rows(slice_of_stream(concat_map_stream(numbers, endless, nullptr), 0, 3), 2) == "[0,1,2]");
  CHECK(numbers->read <= 2);
  const auto range = function("[69,[[2,[1]],[173,[" + kRow + "]]]]");
  CHECK(rows(concat_map_stream(make_ref<Numbers>(4), range, nullptr), 2) == "[0,0,1,0,1,2]");
}

TEST_CASE_FIXTURE(Fixture, "map over several sequences ends with the shortest") {
  const auto sum = function("[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]");
  const auto numbers = make_ref<Numbers>(1000000);
  CHECK(rows(map_many_stream({numbers, make_ref<Numbers>(3)}, sum), 2) == "[0,2,4]");
  CHECK(numbers->read <= 4);
}

TEST_CASE_FIXTURE(Fixture, "fold emits as it goes") {
  const auto add = function("[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]");
  const auto emit = function("[69,[[2,[1,2,3]],[2,[[10,[3]],[10,[3]]]]]]");
  const auto numbers = make_ref<Numbers>(1000000);
  const FoldFunctions functions{add, emit, {}};
  CHECK(rows(slice_of_stream(fold_emit_stream(numbers, Datum::integer(0), functions, nullptr), 0, 5), 2) == "[0,0,1,1,3]");
  CHECK(numbers->read <= 6);
}

TEST_CASE_FIXTURE(Fixture, "a sort of which little is wanted keeps little") {
  cx.options.array_limit = 100;
  const std::vector<OrderKey> backwards{{function(kNegative), false}};
  CHECK(rows(slice_of_stream(sort_stream(make_ref<Numbers>(20000), backwards, nullptr), 0, 3), 2) == "[19999,19998,19997]");
  CHECK(rows(slice_of_stream(sort_stream(make_ref<Numbers>(20000), backwards, nullptr), 2, 4)) == "[19997,19996]");
  CHECK_THROWS_AS(rows(sort_stream(make_ref<Numbers>(20000), backwards, nullptr)), EvalError);
  CHECK_THROWS_AS(rows(slice_of_stream(sort_stream(make_ref<Numbers>(20000), backwards, nullptr), 0, 500)), EvalError);
}

TEST_CASE_FIXTURE(Fixture, "equal rows keep their order in a sort") {
  cx.options.array_limit = 100000;
  const auto parity = function("[69,[[2,[1]],[28,[[10,[1]],2]]]]");
  CHECK(rows(sort_stream(make_ref<Numbers>(6), {{parity, false}}, nullptr)) == "[0,2,4,1,3,5]");
  CHECK(rows(sort_stream(make_ref<Numbers>(6), {{parity, true}}, nullptr)) == "[1,3,5,0,2,4]");
}

TEST_CASE_FIXTURE(Fixture, "sorted streams are merged without reading ahead much") {
  const auto identity = function("[69,[[2,[1]],[10,[1]]]]");
  const auto numbers = make_ref<Numbers>(1000000);
  CHECK(rows(slice_of_stream(merge_ordered({numbers, make_ref<Numbers>(3)}, {{identity, false}}, nullptr), 0, 5), 2) ==
        "[0,0,1,1,2]");
  CHECK(numbers->read <= 64);
}

TEST_CASE_FIXTURE(Fixture, "rows that lack a field cost no evaluation, and errors stay errors") {
  const auto compare_field = function("[69,[[2,[1]],[21,[[28,[[170,[[10,[1]],\"a\"]],7]],3]]]]");  // row.a % 7 > 3
  const Datum lacking = parse_json("{\"b\":1}");
  for (int i = 0; i < 3; ++i) CHECK(!compare_field->call1_if_exists(cx, lacking));
  CHECK(*compare_field->call1_if_exists(cx, parse_json("{\"a\":5}")) == Datum::boolean(true));
  CHECK_THROWS_AS(compare_field->call1_if_exists(cx, parse_json("{\"a\":\"x\"}")), EvalError);
  CHECK_THROWS_AS(compare_field->call1_if_exists(cx, Datum::integer(1)), EvalError);
  CHECK_THROWS_AS(compare_field->call1(cx, lacking), EvalError);
}
