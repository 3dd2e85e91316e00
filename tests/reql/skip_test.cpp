// Skipping over an index passes by what reading it would give.

#include <doctest/doctest.h>

#include <string>

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

constexpr int kRows = 1200;  // more than are skipped at once

/// A table `t` with an index on `v`, whose values come several times each, and one on `tags`, of several
/// values a row.
void make_table(InProcess& process) {
  REQUIRE(!process.value(R"([60,["t"]])").empty());
  std::string rows;
  for (int i = 0; i < kRows; ++i) {
    const std::string n = std::to_string(i);
    // Some are longer than what an entry keeps of them.
    const std::string v =
        i % 3 ? std::to_string(i % 70) : '"' + std::string(260, 'y') + std::to_string(i % 50) + '"';
    rows += std::string(i > 0 ? "," : "") + R"({"id":)" + n + R"(,"v":)" + v + R"(,"tags":[2,[)" +
            std::to_string(i % 4) + "," + n + "]]}";
  }
  REQUIRE(process.value(R"([170,[[56,[[15,["t"]],[2,[)" + rows + R"(]]]],"inserted"]])") ==
          std::to_string(kRows));
  REQUIRE(!process.value(R"([75,[[15,["t"]],"v"]])").empty());
  REQUIRE(!process.value(R"([75,[[15,["t"]],"tags"],{"multi":true}])").empty());
  REQUIRE(!process.value(R"([140,[[15,["t"]]]])").empty());
}

/// The ids of a selection, as an array.
std::string ids(const std::string& term) {
  return R"([51,[[38,[)" + term + R"(,[69,[[2,[1]],[170,[[10,[1]],"id"]]]]]],"array"]])";
}

}  // namespace

TEST_CASE("skip over an index leaves the rows that come after as many in its order") {
  InProcess process;
  make_table(process);
  const std::string ascending = R"([41,[[15,["t"]]],{"index":"v"}])";
  const std::string orders[] = {
      ascending,
      R"([41,[[15,["t"]]],{"index":[74,["v"]]}])",
      R"([41,[[15,["t"]]],{"index":"tags"}])",
      R"([41,[[182,[[15,["t"]],5,40],{"index":"v"}]],{"index":"v"}])",
      R"([182,[[15,["t"]],5,[181,[]]],{"index":"v"}])",
      R"([78,[[15,["t"]],7,9],{"index":"v"}])",
  };
  for (const std::string& order : orders) {
    const std::string all = ids(order);
    for (const int skipped : {0, 1, 17, 999, 1000, 1001, 1199, 1200, 5000}) {
      CAPTURE(order);
      CAPTURE(skipped);
      const std::string n = std::to_string(skipped);
      CHECK(process.value(ids("[70,[" + order + "," + n + "]]")) ==
            process.value("[70,[" + all + "," + n + "]]"));
      CHECK(process.value(ids("[71,[[70,[" + order + "," + n + "]],7]]")) ==
            process.value("[71,[[70,[" + all + "," + n + "]],7]]"));
    }
  }
  CHECK(process.value("[170,[[45,[" + ascending + R"(,1150]],"id"]])") ==
        process.value("[45,[" + ids(ascending) + ",1150]]"));
}
