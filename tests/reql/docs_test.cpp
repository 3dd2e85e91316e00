// The committed pages of docs/ are what the definition table says. REQLD_WRITE_DOCS (./dev docs) writes them
// instead.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reql/term_def.hpp"
#include "tests/reql/support/cases.hpp"
#include "tests/reql/support/pages.hpp"

using namespace reqld::reql;

namespace {

void check_page(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(REQLD_SOURCE_DIR) / "docs" / name;
  if (std::getenv("REQLD_WRITE_DOCS")) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  CHECK_MESSAGE(committed == text,
                "docs/" << name << " is not what the definition table says: run ./dev docs");
}

}  // namespace

TEST_CASE("docs: the reference") {
  const std::string page = reference_page();
  check_page("reql_reference.md", page);
  for (const TermDef* def : all_terms()) {
    if (def->type == TermType::kBetweenDeprecated) continue;
    CHECK_MESSAGE(page.find("](#" + std::string(def->name) + ")") != std::string::npos,
                  def->name << " is in no chapter");
  }
}

TEST_CASE("docs: the status") {
  Usage cases;
  for (const CaseFile& file : read_cases()) {
    for (const Case& c : file.cases) cases.add(c.query);
  }
  const auto protocol = read_protocol_terms();
  REQUIRE(!protocol.empty());
  check_page("reql_status.md", status_page(protocol, cases.terms));
  for (const TermDef* def : all_terms()) {
    const auto same = [&](const ProtocolTerm& term) { return term.number == static_cast<int>(def->type); };
    CHECK_MESSAGE(std::any_of(protocol.begin(), protocol.end(), same),
                  def->name << " is not in the protocol definition");
  }
}
