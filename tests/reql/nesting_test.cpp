#include <doctest/doctest.h>

#include <vector>

#include "reql/error.hpp"
#include "reql/stack.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

enum class Shape { kArrays, kObjects, kBoth };

/// Containers in each other, `levels` of them, with `inner` in the innermost.
Datum nested(std::size_t levels, Shape shape, Datum inner = Datum::integer(1)) {
  for (std::size_t i = 0; i < levels; ++i) {
    if (shape == Shape::kArrays || (shape == Shape::kBoth && i % 2 == 0)) {
      inner = Datum::array({inner});
    } else {
      ObjectBuilder object;
      object.set(i % 3 == 0 ? "" : "name", inner);
      inner = object.finish();
    }
  }
  return inner;
}

}  // namespace

TEST_CASE("values are nested to a depth and no deeper, wherever the deepest part is") {
  for (const Shape shape : {Shape::kArrays, Shape::kObjects, Shape::kBoth}) {
    CHECK_NOTHROW(check_nesting(nested(kMaxNesting, shape)));
    CHECK_THROWS_AS(check_nesting(nested(kMaxNesting + 1, shape)), EvalError);
    for (const std::size_t around : {0, 1, 50, 3000}) {
      for (const std::size_t before : {std::size_t{0}, around / 2, around}) {
        CAPTURE(around);
        CAPTURE(before);
        const auto among = [&](std::size_t levels) {
          std::vector<Datum> elements(around, Datum::string("a neighbour"));
          elements.insert(elements.begin() + static_cast<std::ptrdiff_t>(before), nested(levels, shape));
          return Datum::array(elements);
        };
        CHECK_NOTHROW(check_nesting(among(kMaxNesting - 1)));
        CHECK_THROWS_AS(check_nesting(among(kMaxNesting)), EvalError);
        // Below other levels too.
        CHECK_NOTHROW(check_nesting(nested(1000, shape, among(kMaxNesting - 1001))));
        CHECK_THROWS_AS(check_nesting(nested(1000, shape, among(kMaxNesting - 1000))), EvalError);
      }
    }
  }
  CHECK_NOTHROW(check_nesting(Datum::integer(1)));
  CHECK_NOTHROW(check_nesting(Datum::empty_array()));
  CHECK_NOTHROW(check_nesting(Datum::empty_object()));
}
