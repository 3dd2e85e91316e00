// The language cases of tests/cases/*.yaml, each file a list of
//   - what: r.expr([1]).append(2)        how the Python driver would write it; for the reader
//     query: '[29,[[2,[1]],2]]'          the term as on the wire
//     options: '{"array_limit":1}'       global optional arguments, if any
//     reply: '{"t":1,"r":[[1,2]]}'       what comes back, streams read to their end; errors with "e" and "b"
//     bag: 'true'                        if the rows may come in any order
// A step without a reply prepares: any reply that is no error will do. In replies, the strings "{{uuid}}",
// "{{number}}",
// "{{text}}" and "{{any}}" stand for such a value. Every value is in single quotes, so that
// tests/cases/run.py can read the files without a library.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace reqld::reql {

struct Case {
  std::string what;
  std::string query;
  std::string options;
  std::string reply;  ///< empty: it only prepares
  bool any_order = false;
};

struct CaseFile {
  std::string name;
  std::vector<Case> cases;
};

/// All files, by name.
std::vector<CaseFile> read_cases();

/// Whether JSON `got` is what `wanted` describes.
bool matches_reply(const std::string& wanted, const std::string& got, bool any_order = false);

/// What the JSON of queries is made of, and how often.
struct Usage {
  std::map<int, int> terms;
  std::map<std::pair<int, std::string>, int> optargs;  ///< by term and name

  void add(const std::string& query);
};

}  // namespace reqld::reql
