#include "tests/reql/support/cases.hpp"

#include <rapidjson/document.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace reqld::reql {

namespace {

using Json = rapidjson::Value;

bool is_uuid(const Json& v) {
  if (!v.IsString() || v.GetStringLength() != 36) return false;
  const std::string_view text(v.GetString(), v.GetStringLength());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::strchr("0123456789abcdef", text[i])) return false;
  }
  return true;
}

bool matches(const Json& wanted, const Json& got) {
  if (wanted.IsString()) {
    const std::string_view text(wanted.GetString(), wanted.GetStringLength());
    if (text == "{{any}}") return true;
    if (text == "{{uuid}}") return is_uuid(got);
    if (text == "{{number}}") return got.IsNumber();
    if (text == "{{text}}") return got.IsString();
  }
  if (wanted.IsArray()) {
    return got.IsArray() && std::equal(wanted.Begin(), wanted.End(), got.Begin(), got.End(), matches);
  }
  if (wanted.IsObject()) {
    if (!got.IsObject() || got.MemberCount() != wanted.MemberCount()) return false;
    for (const auto& member : wanted.GetObject()) {
      const auto at = got.FindMember(member.name);
      if (at == got.MemberEnd() || !matches(member.value, at->value)) return false;
    }
    return true;
  }
  return wanted == got;
}

bool matches_rows(const Json& wanted, const Json& got) {
  if (!got.IsArray() || got.Size() != wanted.Size()) return false;
  std::vector<const Json*> left;
  for (const Json& row : got.GetArray()) left.push_back(&row);
  for (const Json& row : wanted.GetArray()) {
    const auto at = std::find_if(left.begin(), left.end(),
                                 [&](const Json* candidate) { return matches(row, *candidate); });
    if (at == left.end()) return false;
    left.erase(at);
  }
  return true;
}

void count(const Json& json, Usage& usage) {
  if (json.IsObject()) {
    for (const auto& member : json.GetObject()) count(member.value, usage);
    return;
  }
  if (!json.IsArray()) return;
  // An array is a term; arrays of data are inside a MAKE_ARRAY.
  const bool is_term = !json.Empty() && json[0].IsInt();
  if (is_term) ++usage.terms[json[0].GetInt()];
  if (is_term && json.Size() > 2 && json[2].IsObject()) {
    for (const auto& member : json[2].GetObject())
      ++usage.optargs[{json[0].GetInt(), member.name.GetString()}];
  }
  for (rapidjson::SizeType i = is_term ? 1 : 0; i < json.Size(); ++i) {
    if (is_term && i == 1 && json[i].IsArray()) {
      for (const Json& argument : json[i].GetArray()) count(argument, usage);
    } else {
      count(json[i], usage);
    }
  }
}

}  // namespace

std::vector<CaseFile> read_cases() {
  std::vector<CaseFile> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(REQLD_SOURCE_DIR) / "tests/cases")) {
    if (entry.path().extension() != ".yaml") continue;
    CaseFile file{entry.path().filename().string(), {}};
    for (const YAML::Node& c : YAML::LoadFile(entry.path().string())) {
      file.cases.push_back({.what = c["what"].as<std::string>(""),
                            .query = c["query"].as<std::string>(),
                            .options = c["options"].as<std::string>("{}"),
                            .reply = c["reply"].as<std::string>(""),
                            .any_order = c["bag"].as<std::string>("") == "true"});
    }
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const CaseFile& a, const CaseFile& b) { return a.name < b.name; });
  return files;
}

bool matches_reply(const std::string& wanted, const std::string& got, bool any_order) {
  rapidjson::Document left, right;
  left.Parse<rapidjson::kParseFullPrecisionFlag>(wanted.c_str(), wanted.size());
  right.Parse<rapidjson::kParseFullPrecisionFlag>(got.c_str(), got.size());
  if (left.HasParseError() || right.HasParseError()) return false;
  if (!any_order) return matches(left, right);
  if (!left.IsObject() || !left.HasMember("r") || !right.IsObject() || !right.HasMember("r")) return false;
  // A stream has its rows in `r`, an atom an array of them in there.
  const bool one_array = left["r"].Size() == 1 && left["r"][0].IsArray() && right["r"].Size() == 1;
  const Json rows_wanted(one_array ? left["r"][0] : left["r"], left.GetAllocator());
  const Json rows_got(one_array ? right["r"][0] : right["r"], right.GetAllocator());
  left["r"].SetArray();
  right["r"].SetArray();
  return matches(left, right) && matches_rows(rows_wanted, rows_got);
}

void Usage::add(const std::string& query) {
  rapidjson::Document json;
  json.Parse(query.c_str(), query.size());
  if (!json.HasParseError()) count(json, *this);
}

}  // namespace reqld::reql
