// Queries run in this process, without a server: an engine on a database of its own, one query at a time.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "datum/json.hpp"
#include "http_fetch/fetcher.hpp"
#include "js/pool.hpp"
#include "reql/engine.hpp"
#include "reql/index_definition.hpp"
#include "reql/query.hpp"
#include "storage/database.hpp"
#include "tests/reql/support/blocking_suspender.hpp"

namespace reqld::reql {

/// The reply as on the wire.
inline std::string as_wire(const Reply& reply) {
  std::string wire = "{\"t\":" + std::to_string(static_cast<int>(reply.type)) + ",\"r\":[" + reply.rows + "]";
  if (reply.error != ErrorCode::kNone)
    wire += ",\"e\":" + std::to_string(static_cast<std::uint32_t>(reply.error));
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

/// An engine on an empty database in a directory that goes with it.
class InProcess {
 public:
  explicit InProcess(http_fetch::Options http = {}, EngineOptions options = {})
      : options_(std::move(options)) {
    char name[] = "/tmp/reqld-reql-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    directory_ = name;
    auto fetcher = http_fetch::Fetcher::create(std::move(http));
    REQUIRE_MESSAGE(fetcher.ok(), fetcher.error().message);
    fetcher_ = std::move(*fetcher);
    // No worker is started before JavaScript is asked for.
    javascript_ = std::make_unique<js::Pool>(js::Options{.worker_path = REQLD_JS_WORKER});
    open();
  }
  ~InProcess() {
    engine_.reset();
    javascript_.reset();
    fetcher_.reset();
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  Engine& engine() { return *engine_; }

  /// Closes the database and opens it again. No query may be left.
  void restart() {
    engine_.reset();
    database_.reset();
    open();
  }

  /// A query by the body of its START message.
  std::unique_ptr<Query> query(std::string body) { return make_query(*engine_, client_, std::move(body)); }

  /// The reply to `[1, term, options]`; of a stream all rows, in a kSequence reply.
  Reply run(const std::string& term, const std::string& options = "{}") {
    return run_body("[1," + term + "," + options + "]");
  }

  Reply run_body(std::string body) {
    const auto q = query(std::move(body));
    Reply reply = q->start(suspender_);
    std::string rows = std::move(reply.rows);
    while (reply.type == ReplyType::kPartial) {
      reply = q->next(suspender_);
      if (reply.type != ReplyType::kPartial && reply.type != ReplyType::kSequence) return reply;
      if (!rows.empty() && !reply.rows.empty()) rows += ',';
      rows += reply.rows;
    }
    reply.rows = std::move(rows);
    return reply;
  }

  /// The JSON of the single value that `term` answers.
  std::string value(const std::string& term, const std::string& options = "{}") {
    const Reply reply = run(term, options);
    CHECK_MESSAGE(reply.type == ReplyType::kAtom, term << " answered " << reply.rows);
    return reply.rows;
  }

  BlockingSuspender& suspender() { return suspender_; }

 private:
  void open() {
    storage::DatabaseOptions options;
    options.engine.directory = directory_;
    options.index_functions = index_function_factory();
    auto database = storage::Database::open(std::move(options));
    REQUIRE_MESSAGE(database.ok(), database.error().message);
    database_ = std::move(*database);
    engine_ = std::make_unique<Engine>(options_, *database_, *fetcher_, *javascript_);
  }

  const EngineOptions options_;
  std::string directory_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<http_fetch::Fetcher> fetcher_;
  std::unique_ptr<js::Pool> javascript_;
  std::unique_ptr<Engine> engine_;
  ClientInfo client_;
  BlockingSuspender suspender_;
};

}  // namespace reqld::reql
