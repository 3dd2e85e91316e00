#include "reql/uuid.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace reqld::reql;

TEST_CASE("the UUID of a name is that of RFC 4122 in the documented namespace") {
  CHECK(named_uuid("slava@example.com") == "90691cbc-b5ea-5826-ae98-951e30fc3b2d");
  CHECK(named_uuid("") == named_uuid(""));
  CHECK(named_uuid("a") != named_uuid("b"));
}

TEST_CASE("random UUIDs have version 4 and do not repeat") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = random_uuid();
    REQUIRE(id.size() == 36);
    CHECK(id[14] == '4');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    CHECK(seen.insert(id).second);
  }
}
