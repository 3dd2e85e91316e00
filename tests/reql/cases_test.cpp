// The language cases of tests/cases/*.yaml, each a list of
//   - what: r.expr([1]).append(2)        how a driver would write it; for the reader
//     query: '[29,[[2,[1]],2]]'          the term as on the wire
//     options: '{"array_limit":1}'       global optional arguments, if any
//     reply: '{"t":1,"r":[[1,2]]}'       what comes back, streams read to their end; errors with "e" and "b"
// Each file has an engine of its own, and its cases run in order.

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

#include "datum/json.hpp"
#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

std::string as_wire(const Reply& reply) {
  ObjectBuilder wire;
  wire.set("t", Datum::integer(static_cast<int>(reply.type)));
  wire.set("r", parse_json("[" + reply.rows + "]"));
  if (reply.error != ErrorCode::kNone) wire.set("e", Datum::integer(static_cast<std::int64_t>(reply.error)));
  if (reply.type == ReplyType::kCompileError || reply.type == ReplyType::kRuntimeError) {
    ArrayBuilder backtrace;
    for (const Frame& frame : reply.backtrace) {
      backtrace.add(std::holds_alternative<std::string>(frame) ? Datum::string(std::get<std::string>(frame))
                                                              : Datum::integer(std::get<std::int32_t>(frame)));
    }
    wire.set("b", backtrace.finish());
  }
  return to_json(wire.finish());
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
      const std::string wanted = to_json(parse_json(c["reply"].as<std::string>()));
      const std::string got = as_wire(process.run(query, c["options"].as<std::string>("{}")));
      CHECK_MESSAGE(got == wanted, file.filename().string() << ": " << what << "\n  " << query);
    }
  }
}
