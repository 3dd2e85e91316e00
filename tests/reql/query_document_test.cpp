#include "reql/query_document.hpp"

#include <doctest/doctest.h>

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/program.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

void show(const QueryDocument& document, const Json& json, std::string& out) {
  if (const auto* literal = document.literal(json)) {
    out += "<" + to_json(literal->value) + ">";
  } else if (json.IsArray()) {
    out += '[';
    for (const Json& element : json.GetArray()) {
      if (out.back() != '[') out += ',';
      show(document, element, out);
    }
    out += ']';
  } else if (json.IsObject()) {
    out += '{';
    for (const auto& member : json.GetObject()) {
      if (out.back() != '{') out += ',';
      out += std::string(view(member.name)) + ":";
      show(document, member.value, out);
    }
    out += '}';
  } else if (json.IsString()) {
    out += view(json);
  } else if (json.IsNumber()) {
    append_json_number(json.GetDouble(), out);
  } else {
    out += json.IsNull() ? "null" : json.IsTrue() ? "true" : "false";
  }
}

/// The document as the parser sees it: literals in angle brackets, everything else as JSON without quotes.
std::string read(std::string text, QueryDocument::Form form) {
  const QueryDocument document(text, form);
  std::string out;
  show(document, document.root(), out);
  return out;
}
std::string read_term(std::string text) { return read(std::move(text), QueryDocument::Form::kTerm); }
std::string read_query(std::string text) { return read(std::move(text), QueryDocument::Form::kQuery); }

std::uint32_t longest_array(std::string text) {
  const QueryDocument document(text, QueryDocument::Form::kTerm);
  return document.literal(document.root())->longest_array;
}

/// `text` in so many arrays of one element.
std::string nested(int levels, const std::string& text) {
  std::string out;
  for (int i = 0; i < levels; ++i) out += "[2,[";
  out += text;
  for (int i = 0; i < levels; ++i) out += "]]";
  return out;
}

}  // namespace

TEST_CASE("a literal is one value") {
  CHECK(read_term(R"({})") == "<{}>");
  CHECK(read_term(R"([2,[]])") == "<[]>");
  CHECK(read_term(R"( [ 2 , [ 1 , "x" ] ] )") == R"(<[1,"x"]>)");
  CHECK(read_term(R"({"b":[2,[1,{"d":null,"c":"x"},[2,[true,false]]]],"a":-1.5})") ==
        R"(<{"a":-1.5,"b":[1,{"c":"x","d":null},[true,false]]}>)");
  CHECK(read_term(R"({"big":1234567890123,"exp":1e3,"neg":-0,"text":"\u00e9\"\n"})") ==
        R"(<{"big":1234567890123,"exp":1000,"neg":0,"text":"é\"\n"}>)");
  CHECK(read_term(R"({"at":{"$reql_type$":"TIME","epoch_time":1,"timezone":"+00:00"},)"
                  R"("x":{"$reql_type$":"BINARY","data":"YWJj"}})") ==
        R"(<{"at":{"$reql_type$":"TIME","epoch_time":1,"timezone":"+00:00"},)"
        R"("x":{"$reql_type$":"BINARY","data":"YWJj"}}>)");
  CHECK(longest_array(R"({"a":[2,[1,[2,[1,2,3]]]]})") == 3);
  CHECK(longest_array(R"({"a":1})") == 0);
}

TEST_CASE("many fields come out sorted, whatever their names have in common") {
  CHECK(read_term(R"({"common_prefix_b":1,"common_prefix_a":2,"common_p":3,"common":4,"":5,"b":6,"a\u0000":7,"a":8,)"
                  R"("common_prefix":9,"\u00e9":10,"z":11,"abcd":12,"abc":13,"abcdefgh":14,"abcdefg":15})") ==
        R"(<{"":5,"a":8,"a\u0000":7,"abc":13,"abcd":12,"abcdefg":15,"abcdefgh":14,"b":6,"common":4,"common_p":3,)"
        R"("common_prefix":9,"common_prefix_a":2,"common_prefix_b":1,"z":11,"é":10}>)");
}

TEST_CASE("around a term everything else is literals") {
  CHECK(read_term(R"([13,[]])") == "[13,[]]");
  CHECK(read_term(R"({"a":[13,[]]})") == "{a:[13,[]]}");
  CHECK(read_term(R"({"a":{"x":1},"b":{"c":{"y":2},"d":[2,[[13,[]],{"z":3}]]},"e":{"w":4},"f":5})") ==
        R"({a:<{"x":1}>,b:{c:<{"y":2}>,d:[2,[[13,[]],<{"z":3}>]]},e:<{"w":4}>,f:5})");
  CHECK(read_term(R"([2,[1,"two",[2,[3]],[13,[]],null,[2,[4]]]])") ==
        R"([2,[<1>,<"two">,<[3]>,[13,[]],null,<[4]>]])");
  CHECK(read_term(R"([56,[[15,["t"]],[2,[{"id":1},{"id":2}]]],{"durability":"soft"}])") ==
        R"([56,[[15,[t]],<[{"id":1},{"id":2}]>],{durability:soft}])");
  CHECK(read_term(R"([69,[[2,[1,2]],[24,[[10,[1]],{"a":1}]]]])") == R"([69,[<[1,2]>,[24,[[10,[1]],<{"a":1}>]]]])");
}

TEST_CASE("optional arguments are no literal, what they are is") {
  CHECK(read_term(R"([3,{"a":{"b":1},"c":2}])") == R"([3,{a:<{"b":1}>,c:2}])");
  CHECK(read_term(R"([3,[],{"a":[2,[1]]}])") == R"([3,[],{a:<[1]>}])");
  CHECK(read_query(R"([1,[13,[]],{"db":[14,["test"]],"noreply":true,"x":{"y":1}}])") ==
        R"([1,[13,[]],{db:[14,[test]],noreply:true,x:<{"y":1}>}])");
  CHECK(read_query(R"([1,{"a":{"b":1}},{}])") == R"([1,{a:<{"b":1}>},{}])");
  CHECK(read_query(R"([1,[2,[1]]])") == "[1,<[1]>]");
}

TEST_CASE("what only looks like an array stays as it is") {
  CHECK(read_term(R"([])") == "[]");
  CHECK(read_term(R"([2])") == "[2]");
  CHECK(read_term(R"([2,[1],{}])") == "[2,[<1>],{}]");
  CHECK(read_term(R"([2,[1],3])") == "[2,[<1>],3]");
  CHECK(read_term(R"([2,[1],[2,[1]]])") == "[2,[<1>],[2,[1]]]");
  CHECK(read_term(R"([2,"x"])") == "[2,x]");
  CHECK(read_term(R"([2,{"a":1}])") == "[2,{a:1}]");
  CHECK(read_term(R"([2.0,[1]])") == "[2,[1]]");
  CHECK(read_term(R"([[2,[1]]])") == "[[2,[1]]]");
  CHECK(read_term(R"({"a":[]})") == "{a:[]}");
  CHECK(read_term(R"({"a":[2]})") == "{a:[2]}");
  CHECK(read_term(R"({"a":[1,2]})") == "{a:[1,2]}");
  CHECK(read_term(R"({"a":["x",{"b":1}]})") == "{a:[x,{b:1}]}");
  CHECK(read_term(R"({"a":[2,[1],{}]})") == "{a:[2,[<1>],{}]}");
  CHECK(read_term(R"({"a":{"b":0,"c":[2,[5,[2,[6,[]]]]]}})") == "{a:{b:<0>,c:[2,[<5>,[2,[<6>,[]]]]]}}");
}

TEST_CASE("the arrays of a DATUM term are plain ones") {
  CHECK(read_term(R"([1,[2,[1]]])") == "[1,[2,[1]]]");
  CHECK(read_term(R"([1,{"a":[2,[{"b":[13,[]]}]]}])") == "[1,{a:[2,[{b:[13,[]]}]]}]");
  CHECK(read_term(R"({"x":1,"a":[1,[2,[{"b":1}]]],"c":[2,[7]]})") == "{x:<1>,a:[1,[2,[{b:1}]]],c:<[7]>}");
  CHECK(read_term(R"([24,[[1,[2,[1]]],[2,[1]]]])") == "[24,[[1,[2,[1]]],<[1]>]]");
}

TEST_CASE("what has an error stays as it is") {
  CHECK(read_term(R"({"a":1,"a":2})") == "{a:<1>,a:<2>}");
  CHECK(read_term(R"({"x":[2,[{"b":2,"a":1,"b":3},{"c":4}]],"y":5})") ==
        R"({x:[2,[{b:<2>,a:<1>,b:<3>},<{"c":4}>]],y:5})");
  CHECK(read_term("{\"a\":\"\xff\",\"b\":1}") == "{a:\xff,b:1}");
  CHECK(read_term("{\"b\":{\"c\":1},\"\xff\":1}") == "{b:<{\"c\":1}>,\xff:1}");
  CHECK(read_term(R"({"a":{"$reql_type$":"LITERAL"},"b":1})") == R"({a:{$reql_type$:<"LITERAL">},b:1})");
  CHECK(read_term(R"({"$reql_type$":"BINARY","data":"?"})") == R"({$reql_type$:<"BINARY">,data:<"?">})");
  CHECK(read_term(R"([2,[1,{"$reql_type$":"TIME"}]])") == R"([2,[<1>,{$reql_type$:<"TIME">}]])");
}

TEST_CASE("the text of a large binary stays where it is") {
  const std::string data(5000, 'A');
  CHECK(read_term(R"({"$reql_type$":"BINARY","data":")" + data + R"("})") ==
        R"({$reql_type$:<"BINARY">,data:)" + data + "}");
  CHECK(read_term(R"({"file":{"data":")" + data + R"(","$reql_type$":"BINARY"},"n":1})") ==
        "{file:{data:" + data + ",$reql_type$:BINARY},n:1}");
  CHECK(read_term(R"({"text":")" + data + R"("})") == R"(<{"text":")" + data + R"("}>)");
}

TEST_CASE("a literal is as deep as a query may be") {
  CHECK(read_term(nested(kMaxQueryDepth + 1, "")).front() == '<');
  CHECK(read_term(nested(kMaxQueryDepth + 2, "")).front() == '[');
  CHECK(read_term("[24,[" + nested(kMaxQueryDepth, "") + "]]").substr(0, 6) == "[24,[<");
  CHECK(read_term("[24,[" + nested(kMaxQueryDepth + 1, "") + "]]").substr(0, 6) == "[24,[[");
}

TEST_CASE("an array too long to be folded stays one of literals") {
  std::string elements = "{\"a\":1}";
  for (std::size_t i = 1; i < kMaxFoldedArray; ++i) elements += ",1";
  CHECK(longest_array("[2,[" + elements + "]]") == kMaxFoldedArray);
  CHECK(read_term("[2,[" + elements + ",1]]").substr(0, 14) == "[2,[<{\"a\":1}>,");
}

TEST_CASE("what is no JSON is no query") {
  const auto refused = [](std::string_view text) {
    CAPTURE(text);
    CHECK_THROWS_AS(read_query(std::string(text)), QueryError);
  };
  refused("");
  refused(" ");
  refused("[1");
  refused("[1,{\"a\":[2,[1}]");
  refused("[1,2]x");
  refused(std::string_view("[1,2]\0", 6));
  refused(std::string_view("[1,\"a\0b\"]", 9));
  refused("[1,1e999]");
}
