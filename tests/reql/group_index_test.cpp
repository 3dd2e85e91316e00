// Grouping by an index answers as grouping by its function does, whichever way the rows are read.

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

constexpr int kRows = 3000;  // more than are read at once

/// A table `t` with an index on its field `v`; `value` is the term for a row's, empty: it has none.
void make_table(InProcess& process, const std::function<std::string(int)>& value) {
  REQUIRE(!process.value(R"([60,["t"]])").empty());
  std::string rows;
  for (int i = 0; i < kRows; ++i) {
    const std::string v = value(i);
    rows += std::string(i > 0 ? "," : "") + "{\"id\":" + std::to_string(i);
    rows += v.empty() ? "}" : ",\"v\":" + v + "}";
  }
  REQUIRE(process.value(R"([170,[[56,[[15,["t"]],[2,[)" + rows + R"(]]]],"inserted"]])") ==
          std::to_string(kRows));
  REQUIRE(!process.value(R"([75,[[15,["t"]],"v"]])").empty());
  REQUIRE(!process.value(R"([140,[[15,["t"]],"v"]])").empty());
}

std::string by_index(const std::string& more_keys = "") {
  return R"([144,[[15,["t"]])" + more_keys + R"(],{"index":"v"}])";
}

/// The rows that the index has, grouped without it.
std::string by_function(const std::string& more_keys = "") {
  const std::string v = R"([170,[[10,[1]],"v"]])";
  const std::string indexed =
      R"([67,[[32,[[10,[1]],"v"]],[18,[[52,[)" + v + R"(]],"OBJECT"]],[18,[)" + v + R"(,[2,[1,{"b":2}]]]]]])";
  return R"([144,[[39,[[15,["t"]],[69,[[2,[1]],)" + indexed + "]]]]" + more_keys + R"(,"v"]])";
}

std::string ungrouped(const std::string& grouped) {
  return "[150,[" + grouped + "]]";
}

void check_groups(InProcess& process) {
  CHECK(process.value(ungrouped(by_index())) == process.value(ungrouped(by_function())));
  const auto count = [](const std::string& grouped) { return ungrouped("[43,[" + grouped + "]]"); };
  CHECK(process.value(count(by_index())) == process.value(count(by_function())));
  const auto sum = [](const std::string& grouped) { return ungrouped("[145,[" + grouped + R"(,"id"]])"); };
  CHECK(process.value(sum(by_index())) == process.value(sum(by_function())));
  const std::string parity = R"(,[69,[[2,[2]],[28,[[170,[[10,[2]],"id"]],2]]]])";
  CHECK(process.value(count(by_index(parity))) == process.value(count(by_function(parity))));
}

/// What the profile says was scanned: "primary", "secondary" or both.
std::string scanned(InProcess& process) {
  const Reply reply = process.run("[43,[" + by_index() + "]]", R"({"profile":true})");
  REQUIRE_MESSAGE(reply.type == ReplyType::kAtom, reply.rows);
  std::string kinds;
  for (const char* kind : {"primary", "secondary"}) {
    if (reply.profile.find("range scan on " + std::string(kind) + " index") != std::string::npos)
      kinds += kind;
  }
  return kinds;
}

}  // namespace

TEST_CASE("rows of all kinds of values are grouped by an index as by its function") {
  InProcess process;
  make_table(process, [](int i) -> std::string {
    switch (i % 11) {
      case 0:
        return "";
      case 1:
        return "null";
      case 2:
        return R"({"a":1})";
      case 3:
        return "\"" + std::string(300, 'x') + std::to_string(i % 3) + "\"";  // longer than an entry keeps
      case 4:
        return "[2,[" + std::to_string(i % 5) + ",\"a\"]]";
      case 5:
        return i % 2 ? "0" : "-0.0";
      case 6:
        return std::string(R"({"$reql_type$":"TIME","epoch_time":5,"timezone":")") +
               (i % 2 ? "+01:00" : "-03:00") + "\"}";
      case 7:
        return R"([2,[1,{"b":2}]])";  // as a whole no value of an index
      default:
        return std::to_string(i % 13);
    }
  });
  check_groups(process);
  CHECK(scanned(process) == "primary");
}

TEST_CASE("an index that has few of the first rows is grouped by its entries") {
  InProcess process;
  make_table(process, [](int i) { return i < 2000 ? std::string() : std::to_string(i % 7); });
  check_groups(process);
  CHECK(scanned(process) == "primarysecondary");
}

TEST_CASE("an index that has only the first rows is grouped by all of them") {
  InProcess process;
  make_table(process, [](int i) { return i < 1200 ? std::to_string(i % 7) : std::string(); });
  check_groups(process);
  CHECK(scanned(process) == "primary");
}
