// fuzz libs: reqld_reql
// Whole queries, made from the definition table of the terms, on a database in memory. No query may crash the
// server or end with an internal error, every reply is JSON, and every query ends when it is cancelled.
#include <rapidjson/document.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "http_fetch/fetcher.hpp"
#include "js/pool.hpp"
#include "reql/engine.hpp"
#include "reql/index_definition.hpp"
#include "reql/query.hpp"
#include "storage/tables/database_impl.hpp"
#include "tests/fuzz/query/grammar.hpp"
#include "tests/reql/support/blocking_suspender.hpp"
#include "tests/storage/memory_engine.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

constexpr std::chrono::milliseconds kPatience{300};

/// Cancels the query once it has run for long.
class FuzzSuspender : public BlockingSuspender {
 public:
  FuzzSuspender() : BlockingSuspender(kPatience) {}

  void begin(Query& query) {
    query_ = &query;
    began_ = std::chrono::steady_clock::now();
    cancelled_ = false;
  }
  bool cancelled() const { return cancelled_; }

  void yield() override {
    if (std::chrono::steady_clock::now() - began_ > kPatience) lose_patience();
  }

 private:
  void lose_patience() override {
    cancelled_ = true;
    query_->cancel();
  }

  Query* query_ = nullptr;
  std::chrono::steady_clock::time_point began_;
  bool cancelled_ = false;
};

http_fetch::Fetcher& fetcher() {
  static const auto instance = std::move(*http_fetch::Fetcher::create({}));
  return *instance;
}

js::Pool& javascript() {
  static js::Pool instance{js::Options{}};
  return instance;
}

[[noreturn]] void finding(const char* what, const std::string& body, const std::string& reply) {
  std::fprintf(stderr, "%s\n  query %s\n  reply %s\n", what, body.c_str(), reply.substr(0, 2000).c_str());
  std::abort();
}

void check_reply(const Reply& reply, const std::string& body, bool cancelled) {
  const std::string rows = "[" + reply.rows + "]";
  rapidjson::Document document;
  // Strings may hold invalid UTF-8, which goes through as it came.
  document.Parse<rapidjson::kParseFullPrecisionFlag | rapidjson::kParseIterativeFlag>(rows.c_str(),
                                                                                      rows.size());
  if (document.HasParseError()) finding("The reply is no JSON.", body, reply.rows);
  if (reply.error == ErrorCode::kInternal && !cancelled) finding("An internal error.", body, reply.rows);
}

void run(Engine& engine, FuzzSuspender& suspender, const std::string& body) {
  static const bool print = std::getenv("PRINT_QUERIES") != nullptr;
  if (print) std::fprintf(stderr, "%s\n", body.c_str());
  const ClientInfo client;
  const auto query = make_query(engine, client, body);
  suspender.begin(*query);
  Reply reply = query->start(suspender);
  check_reply(reply, body, suspender.cancelled());
  for (int i = 0; i < 3 && reply.type == ReplyType::kPartial && !suspender.cancelled(); ++i) {
    if (!query->ready([] {})) break;
    reply = query->next(suspender);
    check_reply(reply, body, suspender.cancelled());
  }
  query->cancel();
}

constexpr const char* kSetup[] = {
    R"([1,[60,["t"]],{}])",
    R"([1,[60,["u"]],{}])",
    R"([1,[75,[[15,["t"]],"a"]],{}])",
    R"([1,[75,[[15,["t"]],"m"],{"multi":true}],{}])",
    R"([1,[75,[[15,["t"]],"g"],{"geo":true}],{}])",
    R"([1,[140,[[15,["t"]]]],{}])",
    R"([1,[56,[[15,["t"]],[2,[{"id":1,"a":1,"m":[2,[1,2]],"g":[159,[0,0]]},{"id":2,"a":2,"b":"x","m":[2,[2,2]]},
        {"id":3,"a":"s","b":{"a":1}},{"id":[2,[1]],"a":null},{"id":"k","a":2,"g":[161,[[159,[0,0]],[159,[0,2]],[159,[2,2]]]]}]]]],{}])",
    R"([1,[56,[[15,["u"]],[2,[{"id":1,"a":2},{"id":2}]]]],{}])",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  storage::DatabaseOptions options;
  options.index_functions = index_function_factory();
  options.blob_threshold = 64;
  storage::DatabaseImpl database(
      std::make_unique<storage::MemoryEngine>(std::make_shared<storage::MemoryEngine::Disk>()),
      std::move(options));
  if (!database.start().ok()) std::abort();
  Engine engine(EngineOptions{}, database, fetcher(), javascript());
  FuzzSuspender suspender;
  for (const char* body : kSetup) run(engine, suspender, body);
  fuzz::Choices choices({data, size});
  fuzz::Grammar grammar(choices);
  for (int i = 0; i < 8 && (i == 0 || !choices.used_up()); ++i) run(engine, suspender, grammar.query());
  return 0;
}
