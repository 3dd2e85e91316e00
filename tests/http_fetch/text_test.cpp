// URLs, headers, content types, error texts: no network.
#include <doctest/doctest.h>

#include "http_fetch/content.hpp"
#include "http_fetch/error_text.hpp"
#include "http_fetch/headers.hpp"
#include "http_fetch/url.hpp"

using namespace reqld::http_fetch;

namespace {

std::string append(const std::string& url, std::vector<Param> params) {
  return append_params(url, params);
}

std::map<std::string, std::string, std::less<>> links_of(std::string_view value) {
  std::map<std::string, std::string, std::less<>> links;
  parse_links(value, links);
  return links;
}

}  // namespace

TEST_CASE("parameters and forms are percent-encoded") {
  std::vector<Param> fields = {{"a", "1"}, {"b", "x y&z="}, {"c", ""}, {"d", "\xc3\xa9"}};
  CHECK(encode_form(fields) == "a=1&b=x%20y%26z%3D&c=&d=%C3%A9");
  CHECK(encode_form({}).empty());
  CHECK(percent_encode("AZaz09-._~/+?") == "AZaz09-._~%2F%2B%3F");
  CHECK(percent_encode(std::string_view("\0\x7f", 2)) == "%00%7F");
}

TEST_CASE("numbers in parameters have twenty digits") {
  CHECK(number_text(1) == "1");
  CHECK(number_text(1.5) == "1.5");
  CHECK(number_text(-0.0) == "-0");
  CHECK(number_text(0.1) == "0.10000000000000000555");
  CHECK(number_text(1e20) == "1e+20");
  CHECK(number_text(1e21) == "1e+21");
  CHECK(number_text(123456789012) == "123456789012");
}

TEST_CASE("parameters follow ? or &") {
  CHECK(append("http://h/echo", {}) == "http://h/echo");
  CHECK(append("http://h/echo", {{"a", "1"}}) == "http://h/echo?a=1");
  CHECK(append("http://h", {{"a", "1"}}) == "http://h?a=1");
  CHECK(append("http://h/echo?", {{"a", "1"}}) == "http://h/echo?&a=1");
  CHECK(append("http://h/echo?z=0", {{"a", "1"}, {"b", "2"}}) == "http://h/echo?z=0&a=1&b=2");
  CHECK(append("http://h/echo?z=0&", {{"a", "1"}}) == "http://h/echo?z=0&&a=1");
  CHECK(append("http://h/to?url=http://h/echo", {{"e", "1"}}) == "http://h/to?url=http://h/echo?e=1");
  CHECK(append("", {{"a", "1"}}) == "?a=1");
}

TEST_CASE("authority is what requests are counted by") {
  CHECK(authority("http://Host:80/x") == "host:80");
  CHECK(authority("https://u:p@h/x@y") == "h");
  CHECK(authority("h/x?http://y") == "h");
  CHECK(authority("").empty());
}

TEST_CASE("header lines") {
  std::string name;
  std::string value;
  CHECK(parse_header_line("X-Many: \t a b \r\n", name, value));
  CHECK(name == "x-many");
  CHECK(value == "a b");
  CHECK_FALSE(parse_header_line("nothing\r\n", name, value));
}

TEST_CASE("the header object lower-cases, takes the last of repeated ones and parses links") {
  HeaderList list = {
      {"x-many", "1"}, {"link", "<http://h/2>; rel=\"next\""}, {"x-many", "2"}, {"link", "</9>; rel=last"}};
  HeaderObject object = header_object(list);
  CHECK(object.fields.at("x-many") == "2");
  CHECK(object.has_link);
  CHECK(object.links.at("rel=\"next\"") == "http://h/2");
  CHECK(object.links.at("rel=\"last\"") == "/9");
  CHECK(find_header(list, "x-many") == "2");
  CHECK(find_header(list, "none").empty());
}

TEST_CASE("link header") {
  auto links =
      links_of("<https://a/?p=2,3&x=;>; rel=\"next\", <https://a/?p=9>; title=\"x, y; z\"; rel=\"last\"");
  CHECK(links.size() == 2);
  CHECK(links["rel=\"next\""] == "https://a/?p=2,3&x=;");
  CHECK(links["rel=\"last\""] == "https://a/?p=9");
  CHECK(links_of("<u>;rel=\"first prev\"").at("rel=\"prev\"") == "u");
  CHECK(links_of("<u>; title=\"t\"").at("title=\"t\"") == "u");
  CHECK(links_of("<u>; Rel = next").at("rel=\"next\"") == "u");
  for (std::string_view junk :
       {"", "junk", "<", "<u", "<u>", ">;<", "<u>;", "<u>; rel=", ",,,", "<u>; rel=\"", "\"<"}) {
    CHECK(links_of(junk).size() <= 1);
  }
}

TEST_CASE("content types") {
  auto kind = [](std::string_view type) { return body_kind(ResultFormat::kAuto, false, type); };
  for (const char* type :
       {"application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/jsonp"}) {
    CHECK(kind(type) == BodyKind::kJson);
  }
  for (const char* type : {"application/json-p", "text/json-p", "text/javascript"}) {
    CHECK(kind(type) == BodyKind::kJsonpOrText);
  }
  for (const char* type :
       {"image/png", "IMAGE/JPEG", "audio/mpeg", "video/mp4", "application/octet-stream; x=y"}) {
    CHECK(kind(type) == BodyKind::kBinary);
  }
  for (const char* type :
       {"", "text/plain", "application/x-json", "application/ld+json", "application/javascript", "text/json",
        "x-application/json", "application/pdf", "imagex/png"}) {
    CHECK(kind(type) == BodyKind::kText);
  }
  CHECK(body_kind(ResultFormat::kBinary, false, "text/plain") == BodyKind::kBinary);
  CHECK(body_kind(ResultFormat::kJsonp, false, "") == BodyKind::kJsonp);
  CHECK(body_kind(ResultFormat::kText, true, "image/png") == BodyKind::kNull);
  CHECK(parse_result_format("binary") == ResultFormat::kBinary);
  CHECK_FALSE(parse_result_format("AUTO"));
}

TEST_CASE("jsonp") {
  CHECK(unwrap_jsonp("cb([1,2])") == "[1,2]");
  CHECK(unwrap_jsonp("cb([1,2]);") == "[1,2]");
  CHECK(unwrap_jsonp("  cb ( {\"a\":1} ) ; ") == " {\"a\":1} ");
  CHECK(unwrap_jsonp("callback(\"s\");\n") == "\"s\"");
  CHECK(unwrap_jsonp("$_x1([])") == "[]");
  CHECK(unwrap_jsonp("cb({bad})") == "{bad}");
  CHECK(unwrap_jsonp("cb({\"a\":1}, 2)") == "{\"a\":1}, 2");
  for (std::string_view other : {"", " ", ";", ")", "cb", "cb(", "cb;", "cb)", "cb()", "1cb([])", "a.b.c({})",
                                 "var x = 1;", "{\"a\":1}", "[1,2]", "not jsonp", "cb(1) x"}) {
    CAPTURE(other);
    CHECK_FALSE(unwrap_jsonp(other));
  }
}

TEST_CASE("error texts") {
  HeaderList headers = {{"content-type", "text/plain"}, {"content-length", "4"}};
  CHECK(failure_text(Method::kGet, "http://h/", "status code 404", &headers, "body") ==
        "Error in HTTP GET of `http://h/`: status code 404.\nheader:\n{\n\t\"content-length\":\t\"4\",\n\t"
        "\"content-type\":\t\"text/plain\"\n}\nbody:\n\"body\"");
  CHECK(failure_text(Method::kPut, "", "x", nullptr, std::nullopt) ==
        "Error in HTTP PUT of ``: x.\nheader:\nnull\nbody:\nnull");
  HeaderList links = {{"link", "<u>; rel=\"next\""}, {"a", "1"}, {"x", "2"}};
  CHECK(failure_text(Method::kGet, "u", "r", &links, "") ==
        "Error in HTTP GET of `u`: "
        "r.\nheader:\n{\n\t\"a\":\t\"1\",\n\t\"link\":\t{\n\t\t\"rel=\\\"next\\\"\":\t\"u\"\n\t},\n"
        "\t\"x\":\t\"2\"\n}\nbody:\n\"\"");
  HeaderList none;
  CHECK(failure_text(Method::kGet, "u", "r", &none, std::nullopt) ==
        "Error in HTTP GET of `u`: r.\nheader:\n{}\nbody:\nnull");
  std::string odd = failure_text(Method::kGet, "u", "r", nullptr, "\x89PNG\r\n\x1a\n\"\\\xff\t\b\f");
  CHECK(odd.ends_with("body:\n\"\x89PNG\\r\\n\\u001A\\n\\\"\\\\\xff\\t\\b\\f\""));
  CHECK(failure_text(Method::kGet, "u", "r", nullptr, std::string(1 << 20, 'x')).size() < 66000);
  CHECK(timeout_text(Method::kGet, "u", std::chrono::milliseconds(400)) ==
        "Error in HTTP GET of `u`: timed out after 0.400 seconds.");
  CHECK(timeout_text(Method::kPut, "u", std::chrono::milliseconds(12034)) ==
        "Error in HTTP PUT of `u`: timed out after 12.034 seconds.");
}

TEST_CASE("timeouts in seconds") {
  CHECK(timeout_from_seconds(0.4).count() == 400);
  CHECK(timeout_from_seconds(0).count() == 0);
  CHECK(timeout_from_seconds(30).count() == 30000);
  CHECK(timeout_from_seconds(1e300).count() == 2147483647);
}
