// Runs tests/cases/*.yaml in this process: each file on an engine of its own, its cases in order.
// tests/cases/run.py runs them over a socket.

#include "tests/reql/support/cases.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "reql/term_def.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

TEST_CASE("language cases") {
  for (const CaseFile& file : read_cases()) {
    InProcess process;
    for (const Case& c : file.cases) {
      const Reply reply = process.run(c.query, c.options);
      const std::string got = as_wire(reply);
      if (c.reply.empty()) {
        CHECK_MESSAGE(static_cast<int>(reply.type) < static_cast<int>(ReplyType::kClientError),
                      file.name << ": " << c.what << "\n  got   " << got);
      } else {
        CHECK_MESSAGE(matches_reply(c.reply, got, c.any_order), file.name << ": " << c.what << "\n  query "
                                                                          << c.query << "\n  got   " << got
                                                                          << "\n  not   " << c.reply);
      }
    }
  }
}

TEST_CASE("replies match by value, wildcard and, where asked, in any order") {
  CHECK(matches_reply(R"({"t":1,"r":[{"a":1,"b":2}]})", R"({"r":[{"b":2.0,"a":1}],"t":1})"));
  CHECK(!matches_reply(R"({"t":1,"r":[1]})", R"({"t":1,"r":[2]})"));
  CHECK(!matches_reply(R"({"t":1,"r":[1]})", R"({"t":1,"r":[1],"e":5})"));
  CHECK(matches_reply(R"({"r":["{{uuid}}"]})", R"({"r":["00000000-0000-4000-8000-00000000000a"]})"));
  CHECK(!matches_reply(R"({"r":["{{uuid}}"]})", R"({"r":["x"]})"));
  CHECK(!matches_reply(R"({"r":["{{number}}"]})", R"({"r":["x"]})"));
  CHECK(matches_reply(R"({"r":[1,2]})", R"({"r":[2,1]})", true));
  CHECK(!matches_reply(R"({"r":[1,1]})", R"({"r":[2,1]})", true));
  CHECK(!matches_reply(R"({"r":[1,2]})", R"({"r":[2,1]})"));
}

TEST_CASE("every term has cases, of success and of errors, and with each option") {
  Usage succeeding, failing;
  for (const CaseFile& file : read_cases()) {
    for (const Case& c : file.cases) {
      // Only errors have a backtrace.
      const bool fails = c.reply.find("\"b\":[") != std::string::npos;
      (fails ? failing : succeeding).add(c.query);
    }
  }
  for (const TermDef* def : all_terms()) {
    const int type = static_cast<int>(def->type);
    CHECK_MESSAGE(succeeding.terms[type] > 0, "no case in tests/cases succeeds with " << def->name);
    CHECK_MESSAGE((def->arity.max == 0 || failing.terms[type] > 0),
                  "no case in tests/cases fails with " << def->name);
    for (const Optarg& o : def->optargs) {
      const std::pair key{type, std::string(o.name)};
      CHECK_MESSAGE(succeeding.optargs[key] + failing.optargs[key] > 0,
                    "no case in tests/cases has the option " << o.name << " of " << def->name);
    }
  }
}
