// The language cases of tests/cases/*.yaml, each a list of
//   - what: r.expr([1]).append(2)        how a driver would write it; for the reader
//     query: '[29,[[2,[1]],2]]'          the term as on the wire
//     options: '{"array_limit":1}'       global optional arguments, if any
//     reply: '{"t":1,"r":[[1,2]]}'       what comes back, streams read to their end; errors with "e" and "b"
// Each file has an engine of its own, and its cases run in order.

#include <doctest/doctest.h>
#include <rapidjson/document.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

#include "datum/json.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

// The reply as on the wire, compared as JSON: pseudo-types are plain objects here.
std::string as_wire(const Reply& reply) {
  std::string wire = "{\"t\":" + std::to_string(static_cast<int>(reply.type)) + ",\"r\":[" + reply.rows + "]";
  if (reply.error != ErrorCode::kNone) wire += ",\"e\":" + std::to_string(static_cast<std::uint32_t>(reply.error));
  if (reply.type == ReplyType::kCompileError || reply.type == ReplyType::kRuntimeError) {
    wire += ",\"b\":[";
    for (const Frame& frame : reply.backtrace) {
      if (wire.back() != '[') wire += ',';
      if (std::holds_alternative<std::string>(frame)) {
        append_json_string(std::get<std::string>(frame), wire);
      } else {
        wire += std::to_string(std::get<std::int32_t>(frame));
      }
    }
    wire += ']';
  }
  return wire + '}';
}

bool same_json(const std::string& a, const std::string& b) {
  rapidjson::Document left, right;
  left.Parse<rapidjson::kParseFullPrecisionFlag>(a.c_str(), a.size());
  right.Parse<rapidjson::kParseFullPrecisionFlag>(b.c_str(), b.size());
  return !left.HasParseError() && !right.HasParseError() && left == right;
}

std::vector<std::filesystem::path> case_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(__FILE__).parent_path() / "../cases")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("language cases") {
  for (const auto& file : case_files()) {
    const YAML::Node cases = YAML::LoadFile(file.string());
    InProcess process;
    for (const YAML::Node& c : cases) {
      const auto what = c["what"].as<std::string>("");
      const auto query = c["query"].as<std::string>();
      const auto wanted = c["reply"].as<std::string>();
      const std::string got = as_wire(process.run(query, c["options"].as<std::string>("{}")));
      CHECK_MESSAGE(same_json(got, wanted), file.filename().string() << ": " << what << "\n  query " << query << "\n  got   " << got
                                                                   << "\n  not   " << wanted);
    }
  }
}
