// The first rows of an order are those that sorting everything would put there.

#include <doctest/doctest.h>

#include <string>

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

TEST_CASE("order_by and limit keep what a whole sort has first, rows of equal keys in the order they came") {
  InProcess process;
  // Rows {n, few, many}: `few` has 30 values and is missing now and then, `many` comes in no order.
  const std::string x = "[10,[1]]";
  const std::string rows = "[38,[[173,[12000]],[69,[[2,[1]],[65,[[17,[[28,[" + x + R"(,11]],0]],{"n":)" + x + R"(},{"n":)" + x +
                           R"(,"few":[28,[)" + x + R"(,30]],"many":[28,[[26,[)" + x + ",7919]],12007]]}]]]]]]";
  for (const std::string keys : {R"("few")", R"([74,["few"]])", R"("few","many")", R"([74,["few"]],[73,["many"]])", R"("many")",
                                 R"([69,[[2,[2]],5]])"}) {
    const std::string sorted = "[41,[" + rows + "," + keys + "]]";
    for (const int limit : {0, 1, 3, 10, 399, 1000, 5000, 11'999, 12'000, 20'000}) {
      CAPTURE(keys);
      CAPTURE(limit);
      const std::string n = std::to_string(limit);
      CHECK(process.value("[51,[[71,[" + sorted + "," + n + R"(]],"array"]])") ==
            process.value("[30,[[51,[" + sorted + R"(,"array"]],)" + "0," + n + "]]"));
    }
  }
}

TEST_CASE("a key that fails does so for rows that are not among the first, too") {
  InProcess process;
  const std::string fails = "[69,[[2,[1]],[65,[[17,[[10,[1]],19990]],[12,[\"no key\"]],[10,[1]]]]]]";
  const Reply reply = process.run("[71,[[41,[[173,[20000]]," + fails + "]],3]]");
  CHECK(reply.rows.find("no key") != std::string::npos);
}
