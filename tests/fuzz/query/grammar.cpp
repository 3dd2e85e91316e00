#include "tests/fuzz/query/grammar.hpp"

#include <iterator>
#include <map>
#include <unordered_map>

#include "datum/json.hpp"

namespace reqld::fuzz {

namespace {

using reql::TermDef;

constexpr int kMaxDepth = 6;

struct Hint {
  std::string_view arguments;  // kinds; the last one repeats
  char result;
};

// What terms like to have; terms that are not here get anything.
const std::unordered_map<std::string_view, Hint>& hints() {
  static const std::unordered_map<std::string_view, Hint> all = {
      {"add", {"x", 'd'}},
      {"append", {"ad", 'a'}},
      {"avg", {"S1", 'n'}},
      {"between", {"Tkk", 'R'}},
      {"binary", {"s", 'd'}},
      {"bit_and", {"n", 'n'}},
      {"bit_not", {"n", 'n'}},
      {"bit_or", {"n", 'n'}},
      {"bit_sal", {"n", 'n'}},
      {"bit_sar", {"n", 'n'}},
      {"bit_xor", {"n", 'n'}},
      {"bracket", {"xf", 'd'}},
      {"branch", {"bxbxx", 'd'}},
      {"ceil", {"n", 'n'}},
      {"change_at", {"and", 'a'}},
      {"changes", {"R", 'S'}},
      {"circle", {"gn", 'g'}},
      {"coerce_to", {"xy", 'd'}},
      {"concat_map", {"S1", 'S'}},
      {"config", {"T", 'G'}},
      {"contains", {"Sd1", 'b'}},
      {"count", {"S1", 'n'}},
      {"date", {"t", 't'}},
      {"day", {"t", 'n'}},
      {"day_of_week", {"t", 'n'}},
      {"day_of_year", {"t", 'n'}},
      {"db", {"s", 'D'}},
      {"default", {"xd", 'd'}},
      {"delete", {"R", 'o'}},
      {"delete_at", {"ann", 'a'}},
      {"difference", {"aa", 'a'}},
      {"distance", {"gg", 'n'}},
      {"distinct", {"S", 'S'}},
      {"div", {"n", 'n'}},
      {"do", {"1d", 'd'}},
      {"downcase", {"s", 's'}},
      {"during", {"ttt", 'b'}},
      {"epoch_time", {"n", 't'}},
      {"eq_join", {"SfT", 'S'}},
      {"fill", {"g", 'g'}},
      {"filter", {"S1", 'S'}},
      {"floor", {"n", 'n'}},
      {"fold", {"Sd2", 'd'}},
      {"for_each", {"S1", 'o'}},
      {"format", {"Fo", 's'}},
      {"geojson", {"o", 'g'}},
      {"get", {"Tk", 'G'}},
      {"get_all", {"Tk", 'R'}},
      {"get_field", {"xf", 'd'}},
      {"get_intersecting", {"Tg", 'R'}},
      {"get_nearest", {"Tg", 'a'}},
      {"get_write_hook", {"T", 'd'}},
      {"group", {"S1f", 'S'}},
      {"has_fields", {"xp", 'b'}},
      {"hours", {"t", 'n'}},
      {"in_timezone", {"tz", 't'}},
      {"includes", {"gg", 'b'}},
      {"index_create", {"Ti1", 'o'}},
      {"index_drop", {"Ti", 'o'}},
      {"index_list", {"T", 'a'}},
      {"index_rename", {"Tii", 'o'}},
      {"index_status", {"Ti", 'a'}},
      {"index_wait", {"Ti", 'a'}},
      {"inner_join", {"SS2", 'S'}},
      {"insert", {"To", 'o'}},
      {"insert_at", {"and", 'a'}},
      {"intersects", {"gg", 'b'}},
      {"is_empty", {"S", 'b'}},
      {"iso8601", {"s", 't'}},
      {"json", {"j", 'd'}},
      {"keys", {"o", 'a'}},
      {"limit", {"Sn", 'S'}},
      {"line", {"g", 'g'}},
      {"map", {"S1", 'S'}},
      {"match", {"ss", 'o'}},
      {"max", {"S1", 'd'}},
      {"merge", {"ooo1", 'o'}},
      {"min", {"S1", 'd'}},
      {"minutes", {"t", 'n'}},
      {"mod", {"nn", 'n'}},
      {"month", {"t", 'n'}},
      {"mul", {"xn", 'n'}},
      {"nth", {"Sn", 'd'}},
      {"object", {"fd", 'o'}},
      {"offsets_of", {"S1", 'a'}},
      {"order_by", {"S1f", 'S'}},
      {"outer_join", {"SS2", 'S'}},
      {"pluck", {"xp", 'o'}},
      {"point", {"nn", 'g'}},
      {"polygon", {"g", 'g'}},
      {"polygon_sub", {"gg", 'g'}},
      {"prepend", {"ad", 'a'}},
      {"random", {"nn", 'n'}},
      {"range", {"nn", 'S'}},
      {"rebalance", {"T", 'o'}},
      {"reconfigure", {"T", 'o'}},
      {"reduce", {"S2", 'd'}},
      {"replace", {"R1", 'o'}},
      {"round", {"n", 'n'}},
      {"sample", {"Sn", 'a'}},
      {"seconds", {"t", 'n'}},
      {"set_difference", {"aa", 'a'}},
      {"set_insert", {"ad", 'a'}},
      {"set_intersection", {"aa", 'a'}},
      {"set_union", {"aa", 'a'}},
      {"set_write_hook", {"T3", 'o'}},
      {"skip", {"Sn", 'S'}},
      {"slice", {"Snn", 'S'}},
      {"splice_at", {"ana", 'a'}},
      {"split", {"ssn", 'a'}},
      {"status", {"T", 'G'}},
      {"sub", {"xn", 'n'}},
      {"sum", {"S1", 'n'}},
      {"sync", {"T", 'o'}},
      {"table", {"s", 'T'}},
      {"time", {"nnnnnnz", 't'}},
      {"time_of_day", {"t", 'n'}},
      {"timezone", {"t", 's'}},
      {"to_epoch_time", {"t", 'n'}},
      {"to_geojson", {"g", 'o'}},
      {"to_iso8601", {"t", 's'}},
      {"to_json_string", {"d", 's'}},
      {"ungroup", {"S", 'a'}},
      {"union", {"S", 'S'}},
      {"upcase", {"s", 's'}},
      {"update", {"R1", 'o'}},
      {"values", {"o", 'a'}},
      {"wait", {"T", 'o'}},
      {"with_fields", {"Sp", 'S'}},
      {"without", {"xp", 'o'}},
      {"year", {"t", 'n'}},
      {"zip", {"S", 'S'}},
      {"uuid", {"s", 's'}},
      {"not", {"b", 'b'}},
      {"and", {"b", 'b'}},
      {"or", {"b", 'b'}},
      {"eq", {"d", 'b'}},
      {"ne", {"d", 'b'}},
      {"lt", {"d", 'b'}},
      {"le", {"d", 'b'}},
      {"gt", {"d", 'b'}},
      {"ge", {"d", 'b'}},
      {"now", {"", 't'}},
      {"make_array", {"x", 'a'}},
      {"args", {"a", 'x'}},
      {"asc", {"f", 'x'}},
      {"desc", {"f", 'x'}},
      {"grant", {"Dso", 'o'}},
      {"db_create", {"s", 'o'}},
      {"db_drop", {"s", 'o'}},
      {"table_create", {"s", 'o'}},
      {"table_drop", {"s", 'o'}},
      {"table_list", {"D", 'a'}},
      {"literal", {"d", 'd'}},
  };
  return all;
}

// Terms that would leave the process (r.http, r.js), or end in something that is no value of its own.
bool usable(const TermDef& def) {
  using reql::TermType;
  switch (def.type) {
    case TermType::kHttp:
    case TermType::kJavascript:
    case TermType::kDatum:
    case TermType::kVar:
    case TermType::kImplicitVar:
    case TermType::kFunc:
    case TermType::kMakeObj:
      return false;
    default:
      return true;
  }
}

const std::vector<const TermDef*>& terms() {
  static const std::vector<const TermDef*> all = [] {
    std::vector<const TermDef*> out;
    for (const TermDef* def : reql::all_terms()) {
      if (usable(*def)) out.push_back(def);
    }
    return out;
  }();
  return all;
}

// Terms whose result is of a kind.
const std::vector<const TermDef*>& makers(char kind) {
  static const std::map<char, std::vector<const TermDef*>> all = [] {
    std::map<char, std::vector<const TermDef*>> out;
    for (const TermDef* def : terms()) {
      const auto hint = hints().find(def->name);
      if (hint == hints().end()) continue;
      const char result = hint->second.result;
      out[result].push_back(def);
      // Selections are sequences, arrays too; all of these are data.
      if (result == 'R' || result == 'a') out['S'].push_back(def);
      if (result == 'T') out['R'].push_back(def), out['S'].push_back(def);
      if (std::string_view("abdgnostG").find(result) != std::string_view::npos) out['d'].push_back(def);
    }
    return out;
  }();
  static const std::vector<const TermDef*> none;
  const auto found = all.find(kind);
  return found == all.end() ? none : found->second;
}

std::string number_of(reql::TermType type) {
  return std::to_string(static_cast<int>(type));
}

}  // namespace

std::string Grammar::number() {
  static constexpr std::string_view kNumbers[] = {"0",
                                                  "1",
                                                  "2",
                                                  "-1",
                                                  "3",
                                                  "0.5",
                                                  "-0.0",
                                                  "10",
                                                  "7",
                                                  "-3",
                                                  "1e15",
                                                  "9007199254740993",
                                                  "-9007199254740992",
                                                  "1e308",
                                                  "1e-320",
                                                  "1.7976931348623157e308",
                                                  "-180",
                                                  "90",
                                                  "64",
                                                  "2147483648",
                                                  "-2147483649",
                                                  "4294967296",
                                                  "100001",
                                                  "1e19",
                                                  "0.1"};
  return std::string(kNumbers[choices_.below(std::size(kNumbers))]);
}

std::string Grammar::string() {
  static constexpr std::string_view kStrings[] = {
      "\"a\"",
      "\"id\"",
      "\"\"",
      "\"b\"",
      "\"g\"",
      "\"m\"",
      "\"test\"",
      "\"t\"",
      "\"rethinkdb\"",
      "\"users\"",
      "\"stats\"",
      "\"jobs\"",
      "\"x y  z\"",
      "\"\\u00e4\\u0301\\ud83d\\ude00\"",
      "\"\\u0000\"",
      "\"(a)|(b*)\"",
      "\"[\"",
      "\"1\"",
      "\"1.5e3\"",
      "\"2014-03-30T01:59:59\"",
      "\"+01:00\"",
      "\"2000-W01\"",
      "\"always\"",
      "\"error\"",
      "\"{a} {b}\"",
      "\"minval\"",
      "\"km\"",
      "\"unit_sphere\"",
      "\"soft\"",
      "\"table_config\"",
      "\"db_config\"",
      "\"permissions\"",
      "\"logs\"",
      "\"_debug_scratch\"",
      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""};
  return std::string(kStrings[choices_.below(std::size(kStrings))]);
}

std::string Grammar::leaf(char kind) {
  const auto one_of = [&](std::initializer_list<std::string_view> all) {
    return std::string(all.begin()[choices_.below(all.size())]);
  };
  switch (kind) {
    case 'n':
      return number();
    case 's':
      return string();
    case 'b':
      return one_of({"true", "false", "null"});
    case 'a':
      return one_of({"[2,[]]", "[2,[1,2,3]]", "[2,[null,true,1,\"a\",{\"a\":1}]]",
                     "[2,[{\"a\":1},{\"a\":2,\"b\":[2,[1]]}]]", "[2,[3,1,2,1]]"});
    case 'o':
      return one_of({"{\"id\":1}", "{}", "{\"id\":7,\"a\":1,\"m\":[2,[1,2]]}", "{\"a\":{\"b\":{\"c\":1}}}",
                     "{\"id\":2,\"a\":\"x\"}", "{\"type\":\"Point\",\"coordinates\":[2,[1,2]]}",
                     "{\"$reql_type$\":\"TIME\",\"epoch_time\":1,\"timezone\":\"Z\"}",
                     "{\"left\":{\"a\":1},\"right\":{\"b\":2}}", "{\"read\":true}"});
    case 'T':
      return one_of({"[15,[\"t\"]]", "[15,[\"t\"]]", "[15,[[14,[\"test\"]],\"u\"]]",
                     "[15,[[14,[\"rethinkdb\"]],\"table_config\"]]"});
    case 'R':
      return one_of({"[15,[\"t\"]]", "[78,[[15,[\"t\"]],1,2]]", "[182,[[15,[\"t\"]],1,9]]",
                     "[41,[[15,[\"t\"]]],{\"index\":\"a\"}]"});
    case 'G':
      return one_of({"[16,[[15,[\"t\"]],1]]", "[16,[[15,[\"t\"]],77]]"});
    case 'S':
      return one_of(
          {"[15,[\"t\"]]", "[2,[1,2,3]]", "[173,[5]]", "[2,[]]", "[2,[{\"a\":1},{\"a\":2}]]", "[173,[]]"});
    case 'D':
      return one_of({"[14,[\"test\"]]", "[14,[\"rethinkdb\"]]", "[14,[\"nosuch\"]]"});
    case 't':
      return one_of({"[101,[0]]", "[103,[]]", "[101,[1.5e9]]", "[101,[-6e10]]", "[136,[2000,1,1,\"Z\"]]"});
    case 'g':
      return one_of({"[159,[0,0]]", "[159,[1,1]]", "[159,[179,89]]", "[160,[[159,[0,0]],[159,[1,1]]]]",
                     "[161,[[159,[0,0]],[159,[0,2]],[159,[2,2]]]]", "[165,[[159,[0,0]],1000]]"});
    case 'k':
      return one_of({"1", "\"x\"", "[2,[1,2]]", "[180,[]]", "[181,[]]", "null", "[101,[0]]"});
    case 'i':
      return one_of({"\"a\"", "\"m\"", "\"g\"", "\"id\"", "\"nosuch\"", "\"n\""});
    case 'f':
      return one_of({"\"a\"", "\"id\"", "\"b\"", "\"m\"", "\"nosuch\"", "0"});
    case 'p':
      return one_of({"\"a\"", "{\"a\":true}", "{\"a\":{\"b\":true}}", "[2,[\"a\",\"b\"]]",
                     "{\"a\":[2,[\"b\"]]}", "\"nosuch\"", "{}"});
    case 'y':
      return one_of({"\"string\"", "\"number\"", "\"array\"", "\"object\"", "\"bool\"", "\"binary\"",
                     "\"null\"", "\"STREAM\"", "\"TABLE\""});
    case 'z':
      return one_of({"\"Z\"", "\"+01:00\"", "\"-12:00\"", "\"+25:00\"", "\"\""});
    case 'F':
      return one_of({"\"{a} {b}\"", "\"{a\"", "\"{{}}\"", "\"{id}\""});
    case 'j':
      return one_of({"\"[1,2,{\\\"a\\\":null}]\"", "\"{\"", "\"1e400\"", "\"[[[[[[]]]]]]\"",
                     "\"{\\\"a\\\":1,\\\"a\\\":2}\"", "\"\\\"\\\\ud800\\\"\""});
    default:
      break;
  }
  if (!variables_.empty() && choices_.below(2) == 0)
    return "[10,[" + std::to_string(variables_[choices_.below(variables_.size())]) + "]]";
  return leaf("nsbaotgGSTk"[choices_.below(11)]);
}

std::string Grammar::function(int arguments, int depth) {
  if (choices_.below(8) == 0) return value('d', depth);
  std::string parameters;
  for (int i = 0; i < arguments; ++i) {
    variables_.push_back(next_variable_);
    parameters += (i > 0 ? "," : "") + std::to_string(next_variable_++);
  }
  std::string out = "[69,[[2,[" + parameters + "]]," + value('d', depth) + "]]";
  variables_.resize(variables_.size() - static_cast<std::size_t>(arguments));
  return out;
}

std::string Grammar::optargs(const TermDef& def, int depth) {
  if (def.optargs.empty() || choices_.below(3) != 0) return {};
  std::string out;
  std::string used;
  for (std::size_t n = 1 + choices_.below(2); n > 0; --n) {
    const std::string_view name = def.optargs[choices_.below(def.optargs.size())].name;
    if (used.find(std::string(name) + ";") != std::string::npos) continue;
    used += std::string(name) + ";";
    std::string given;
    if (name == "index") {
      given = leaf('i');
    } else if (name == "conflict") {
      given = choices_.below(2) == 0 ? function(3, depth)
                                     : std::string(choices_.below(2) == 0 ? "\"update\"" : "\"replace\"");
    } else if (name == "return_changes") {
      given = choices_.below(2) == 0 ? "true" : "\"always\"";
    } else if (name == "emit") {
      given = function(3, depth);
    } else if (name == "final_emit") {
      given = function(1, depth);
    } else if (name == "interleave" && choices_.below(2) == 0) {
      given = "\"a\"";
    } else if (name == "timeout") {
      given = "0.01";
    } else if (name.find("bound") != std::string_view::npos) {
      given = choices_.below(2) == 0 ? "\"open\"" : "\"closed\"";
    } else {
      given = value("bnsd"[choices_.below(4)], depth);
    }
    if (!out.empty()) out += ',';
    out += '"' + std::string(name) + "\":" + given;
  }
  return out;
}

std::string Grammar::term(const TermDef& def, int depth) {
  const auto found = hints().find(def.name);
  const std::string_view kinds = found == hints().end() ? "x" : found->second.arguments;
  std::size_t count = static_cast<std::size_t>(def.arity.min);
  const std::size_t most = def.arity.max < 0 ? count + 3 : static_cast<std::size_t>(def.arity.max);
  count += choices_.below(most - count + 1);
  if (choices_.below(64) == 0) count = choices_.below(5);
  std::string out = "[" + number_of(def.type) + ",[";
  for (std::size_t i = 0; i < count; ++i) {
    char kind = kinds.empty() ? 'x' : kinds[std::min(i, kinds.size() - 1)];
    if (choices_.below(24) == 0) kind = 'x';
    if (i > 0) out += ',';
    if (choices_.below(48) == 0) {
      out += "[154,[" + value('a', depth + 1) + "]]";
    } else {
      out += value(kind, depth + 1);
    }
  }
  out += ']';
  if (const std::string options = optargs(def, depth + 1); !options.empty()) out += ",{" + options + "}";
  return out + "]";
}

std::string Grammar::value(char kind, int depth) {
  if (kind >= '1' && kind <= '3') return function(kind - '0', depth);
  if (kind == 'x') {
    if (depth >= kMaxDepth || choices_.used_up() || choices_.below(3) == 0) return leaf('x');
    return term(*terms()[choices_.below(terms().size())], depth);
  }
  // A variable can be anything.
  if (!variables_.empty() && choices_.below(4) == 0) {
    return "[10,[" + std::to_string(variables_[choices_.below(variables_.size())]) + "]]";
  }
  const auto& all = makers(kind);
  if (depth >= kMaxDepth || choices_.used_up() || all.empty() || choices_.below(3) == 0) return leaf(kind);
  return term(*all[choices_.below(all.size())], depth);
}

std::string Grammar::query() {
  std::string body = "[1," + value('x', 0) + ",{";
  static constexpr std::string_view kOptions[] = {
      "\"array_limit\":3",       "\"max_batch_rows\":2",       "\"first_batch_scaledown_factor\":1",
      "\"durability\":\"soft\"", "\"read_mode\":\"outdated\"", "\"profile\":true",
      "\"min_batch_rows\":1",    "\"max_batch_bytes\":1",      "\"max_batch_seconds\":0.001",
      "\"db\":[14,[\"test\"]]"};
  if (choices_.below(3) == 0) body += kOptions[choices_.below(std::size(kOptions))];
  return body + "}]";
}

}  // namespace reqld::fuzz
