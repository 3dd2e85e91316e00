#include "protocol/envelope.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace reqld::protocol;

namespace {
std::string error_of(std::string_view body) {
  const auto envelope = read_envelope(body);
  return envelope.type == QueryType::kInvalid ? envelope.client_error
                                              : "type " + std::to_string(static_cast<int>(envelope.type));
}
}  // namespace

TEST_CASE("the type of a query is peeked at") {
  CHECK(read_envelope("[1,5]").type == QueryType::kStart);
  CHECK(read_envelope(" [ 1 , 5 ] ").type == QueryType::kStart);
  CHECK(read_envelope("[1]").type == QueryType::kStart);
  CHECK(read_envelope("[2]").type == QueryType::kContinue);
  CHECK(read_envelope("[2] ").type == QueryType::kContinue);
  CHECK(read_envelope("[2,1]").type == QueryType::kContinue);
  CHECK(read_envelope("[2.0]").type == QueryType::kContinue);
  CHECK(read_envelope("[3]").type == QueryType::kStop);
  CHECK(read_envelope("[4,[[[]]],{}]").type == QueryType::kNoreplyWait);
  CHECK(read_envelope("[5]").type == QueryType::kServerInfo);
}

TEST_CASE("what is not a query gets the recorded text") {
  const std::string buggy(kUnparsableQuery);
  for (const char* body : {"", " ", "{", "[", "[2", "[2,]", "[2]x", "\xef\xbb\xbf[2]", "nul", "[6,"})
    CHECK(error_of(body) == buggy);
  CHECK(error_of(std::string_view("[2,\"a\0b\"", 8)) == buggy);
  CHECK(error_of(std::string_view("[2]\0", 4)) == buggy);
  const std::string start = "Server could not parse query: ";
  CHECK(error_of("[]") == start + "Expected 1 to 3 elements in the top-level query, but found 0.");
  CHECK(error_of("[2,1,{},5]") == start + "Expected 1 to 3 elements in the top-level query, but found 4.");
  CHECK(error_of("{}") == start + "Expected a query to be an array, but found OBJECT.");
  CHECK(error_of("1") == start + "Expected a query to be an array, but found NUMBER.");
  CHECK(error_of("null") == start + "Expected a query to be an array, but found NULL.");
  CHECK(error_of("\"x\"") == start + "Expected a query to be an array, but found STRING.");
  CHECK(error_of("[\"1\",1]") == start + "Expected a query type as a number, but found STRING.");
  CHECK(error_of("[null]") == start + "Expected a query type as a number, but found NULL.");
  CHECK(error_of("[0,1]") == start + "Unrecognized QueryType: 0.");
  CHECK(error_of("[6,1]") == start + "Unrecognized QueryType: 6.");
  CHECK(error_of("[99]") == start + "Unrecognized QueryType: 99.");
  CHECK(error_of("[-1]") == start + "Unrecognized QueryType: -1.");
  CHECK(error_of("[1.5,1]") == start + "Unrecognized QueryType: 0.");
  CHECK(error_of("[1e300]") == start + "Unrecognized QueryType: 0.");
  CHECK(error_of("[2,1,5]") == start + "Expected global optargs as an object, but found NUMBER.");
  CHECK(error_of("[2,1,[]]") == start + "Expected global optargs as an object, but found ARRAY.");
}

TEST_CASE("depth does not matter") {
  const std::string deep = "[2," + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "]";
  CHECK(read_envelope(deep).type == QueryType::kContinue);
  CHECK(error_of(std::string(1'000'000, '[')) == kUnparsableQuery);
}
