#include "datum/utf8.hpp"

#include <doctest/doctest.h>

#include "datum/datum.hpp"

using namespace reqld;
using Pieces = std::vector<std::string_view>;

namespace {

std::string fault(std::string_view s) {
  try {
    utf8::check(s);
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("code points are counted and cut") {
  CHECK(utf8::count("") == 0);
  CHECK(utf8::count("héllo") == 5);
  CHECK(utf8::count("😀a") == 2);
  CHECK(utf8::count("e\u0301") == 2);
  CHECK(utf8::count(std::string(1000, 'x') + "漢字") == 1002);
  CHECK(utf8::count("\xff\xc3") == 2);
  CHECK(utf8::slice("héllo", 1, 3) == "él");
  CHECK(utf8::slice("héllo", 4, 99) == "o");
  CHECK(utf8::slice("héllo", 9, 12) == "");
  CHECK(utf8::slice("héllo", 3, 1) == "");
}

TEST_CASE("faults as recorded") {
  CHECK(fault("plain, é and 😀").empty());
  CHECK(fault("\xff\xfe") ==
        "String `` (truncated) is not a UTF-8 string; Invalid initial byte seen at position 0.");
  CHECK(fault("a\xc3") ==
        "String `a` (truncated) is not a UTF-8 string; Expected continuation byte, saw end of string at "
        "position 1.");
  CHECK(fault("\xed\xa0\x80").empty());
  CHECK(fault("\xf4\x90\x80\x80") ==
        "String `\xf4\x90\x80` (truncated) is not a UTF-8 string; Non-Unicode character encoded (beyond "
        "U+10FFFF) at position 3.");
  CHECK(fault("\xc0\x80") ==
        "String `\xc0` (truncated) is not a UTF-8 string; Overlong encoding seen at position 1.");
  CHECK(fault(std::string(100, 'a') + "\x80") != "");
  CHECK(fault("\xe2\x82") != "");
  CHECK(fault("\xe2"
              "a") != "");
}

TEST_CASE("split as recorded") {
  CHECK(utf8::split_at_spaces("a b  c", -1) == Pieces{"a", "b", "c"});
  CHECK(utf8::split_at_spaces("a b  c ", 1) == Pieces{"a", "b  c "});
  CHECK(utf8::split_at_spaces("a b  c ", 2) == Pieces{"a", "b", "c "});
  CHECK(utf8::split_at_spaces("a b c d", 0) == Pieces{"a b c d"});
  CHECK(utf8::split_at_spaces("   ", -1).empty());
  CHECK(utf8::split_at_spaces("a\tb\nc\u00a0d\u2003e", -1) == Pieces{"a", "b", "c", "d", "e"});
  CHECK(utf8::split_at("a b  c", " ", -1) == Pieces{"a", "b", "", "c"});
  CHECK(utf8::split_at("a,b,,c", ",", 1) == Pieces{"a", "b,,c"});
  CHECK(utf8::split_at("a,b,,c", ",", 0) == Pieces{"a,b,,c"});
  CHECK(utf8::split_at("", ",", -1) == Pieces{""});
  CHECK(utf8::split_at("aaaa", "aa", -1) == Pieces{"", "", ""});
  CHECK(utf8::split_characters("", -1).empty());
  CHECK(utf8::split_characters("abc", 1) == Pieces{"a", "bc"});
  CHECK(utf8::split_characters("abc", 5) == Pieces{"a", "b", "c"});
  CHECK(utf8::split_characters("e\u0301x", -1) == Pieces{"e\u0301", "x"});
  CHECK(utf8::split_characters("👨\u200d👩", -1) == Pieces{"👨", "\u200d", "👩"});
}

TEST_CASE("only ASCII letters change case") {
  CHECK(utf8::to_upper("ÉtÉ ß") == "ÉTÉ ß");
  CHECK(utf8::to_lower("ÀBz") == "Àbz");
}
