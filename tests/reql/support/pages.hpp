// The pages of docs/ that are made from the definition table. `./dev docs` writes them; docs_test.cpp
// compares.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace reqld::reql {

/// docs/reql_reference.md: every term with its forms, options and examples.
std::string reference_page();

/// A term of the protocol definition, from tests/conformance/terms.txt.
struct ProtocolTerm {
  int number;
  std::string name;
  int recorded_steps;  ///< of ../shared/conformance
};
std::vector<ProtocolTerm> read_protocol_terms();

/// docs/reql_status.md: the terms of the protocol definition and what there is of each. `cases`: own cases by
/// term.
std::string status_page(const std::vector<ProtocolTerm>& protocol, const std::map<int, int>& cases);

}  // namespace reqld::reql
