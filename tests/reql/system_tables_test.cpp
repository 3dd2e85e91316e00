// stats and logs: what they show, and when their feeds do.

#include <mutex>

#include "reql/feeds/hub.hpp"
#include "reql/server_view.hpp"
#include "tests/reql/support/feed_client.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

const std::string kTable = R"([15,[[14,["test"]],"t"]])";

std::string system_table(const std::string& name) {
  return R"([15,[[14,["rethinkdb"]],")" + name + "\"]]";
}
std::string stats_row(const std::string& id) {
  return "[16,[" + system_table("stats") + ",[2,[" + id + "]]]]";
}

/// A server with three clients and a log.
class FakeServer : public ServerView {
 public:
  std::uint64_t client_connections() const override { return 3; }
  std::vector<LogLine> log_lines() const override {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  void log(const std::string& message, std::size_t keep = 100) {
    const std::lock_guard lock(mutex_);
    lines_.push_back({std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000 + ++count_)),
                      1.5, "warn", message});
    if (lines_.size() > keep) lines_.erase(lines_.begin());
  }

 private:
  mutable std::mutex mutex_;
  std::vector<LogLine> lines_;
  int count_ = 0;
};

struct WithServer {
  FakeServer server;
  InProcess process{
      {}, {.server_name = ServerName("s"), .server_id = "11111111-2222-4333-8444-555555555555", .server = &server}};
};

Datum field(const Datum& row, std::string_view outer, std::string_view inner) {
  return *row.get(outer)->get(inner);
}

}  // namespace

TEST_CASE("stats counts queries, and rows that were read and written") {
  WithServer with;
  InProcess& process = with.process;
  process.value(R"([60,["t"],{"durability":"soft"}])");
  process.value("[75,[" + kTable + R"(,"a"]])");
  process.value("[140,[" + kTable + "]]");
  process.value("[56,[" + kTable + R"(,[2,[{"id":1,"a":1},{"id":2,"a":1},{"id":3,"a":2}]]]])");
  process.value("[54,[[16,[" + kTable + ",3]]]]");             // a row less
  process.value("[53,[[16,[" + kTable + R"(,1]],{"a":1}]])");  // no change: nothing is written
  process.value("[16,[" + kTable + ",1]]");                    // one read
  process.value("[16,[" + kTable + ",99]]");                   // none
  CHECK(process.run(kTable).type == ReplyType::kSequence);     // two
  CHECK(process.run("[78,[" + kTable + R"(,1],{"index":"a"}])").type == ReplyType::kSequence);  // two
  CHECK(process.value("[43,[" + kTable + "]]") == "2");  // none: the number is kept

  const std::string id(parse_json(process.value("[79,[" + kTable + "]]")).get("id")->as_string());
  const Datum row = parse_json(
      process.value(stats_row(R"("table_server",")" + id + R"(","11111111-2222-4333-8444-555555555555")")));
  CHECK(row.get("db")->as_string() == "test");
  CHECK(row.get("table")->as_string() == "t");
  CHECK(row.get("server")->as_string() == "s");
  CHECK(field(row, "query_engine", "written_docs_total").as_number() == 4);
  CHECK(field(row, "query_engine", "read_docs_total").as_number() == 5);
  CHECK(field(row, "query_engine", "read_docs_per_sec").as_number() > 0);
  CHECK(field(row, "storage_engine", "disk").get("written_bytes_total")->as_number() > 0);
  CHECK(field(row, "storage_engine", "disk").get("space_usage")->get("data_bytes")->as_number() > 0);

  const Datum server =
      parse_json(process.value(stats_row(R"("server","11111111-2222-4333-8444-555555555555")")));
  CHECK(field(server, "query_engine", "queries_total").as_number() >= 12);
  CHECK(field(server, "query_engine", "written_docs_total").as_number() == 4);
  CHECK(field(server, "query_engine", "client_connections").as_number() == 3);
  CHECK(field(server, "query_engine", "clients_active").as_number() == 1);

  // What was done to a table does not go with it.
  process.value(R"([61,["t"]])");
  CHECK(process.value(stats_row("\"table\",\"" + id + "\"")) == "null");
  CHECK(field(parse_json(process.value(stats_row(R"("server","11111111-2222-4333-8444-555555555555")"))),
              "query_engine", "written_docs_total")
            .as_number() == 4);
  for (const char* none : {R"("nosuch")", "", "1", R"("table","x")"})
    CHECK(process.value(stats_row(none)) == "null");
}

TEST_CASE("stats names or numbers what it is about") {
  WithServer with;
  const Reply reply =
      with.process.run(R"([170,[[16,[[15,[[14,["rethinkdb"]],"stats"],{"identifier_format":"uuid"}],)"
                       R"([2,["server","11111111-2222-4333-8444-555555555555"]]]],"server"]])");
  CHECK(reply.rows == R"("11111111-2222-4333-8444-555555555555")");
}

TEST_CASE("a feed on stats tells every second what has changed, and otherwise nothing") {
  WithServer with;
  FeedClient feed(with.process,
                  "[152,[" + stats_row(R"("server","11111111-2222-4333-8444-555555555555")") + "]]");
  (void)feed.poll();
  with.process.value("[24,[1,1]]");
  const auto change = feed.next();
  REQUIRE(change);
  const double told = field(*change->get("new_val"), "query_engine", "queries_total").as_number();
  CHECK(told > field(*change->get("old_val"), "query_engine", "queries_total").as_number());
  // Rates go back to nothing, and then there is nothing to tell.
  int changes = 0;
  while (feed.next(std::chrono::steady_clock::now() + std::chrono::milliseconds(1500)) && changes < 10)
    ++changes;
  CHECK(changes < 5);
}

TEST_CASE("logs has the lines of the log, and its feed new ones at once") {
  WithServer with;
  with.server.log("first");
  const Reply reply = with.process.run(system_table("logs"));
  CHECK(
      parse_json("[" + reply.rows + "]") ==
      parse_json(
          R"([{"id":["2023-11-14T22:13:21.000000000Z","11111111-2222-4333-8444-555555555555"],"level":"warn",)"
          R"("message":"first","server":"s","timestamp":{"$reql_type$":"TIME","epoch_time":1700000001,)"
          R"("timezone":"+00:00"},"uptime":1.5}])"));
  CHECK(with.process.value("[53,[" + system_table("logs") + R"(,{"level":"x"}]])")
            .find("It's illegal to write") != std::string::npos);

  FeedClient feed(with.process, "[152,[" + system_table("logs") + "]]");
  CHECK(!feed.poll());
  with.server.log("caf\xc3\xa9 \xff caf\xc3");
  with.process.engine().feeds().system_table_changed(SystemChange::kLog);
  CHECK(feed.next()->get("new_val")->get("message")->as_string() == "caf\xc3\xa9 ? caf?");
  // A line that makes room for a new one is not told to go.
  with.server.log("second", 1);
  with.process.engine().feeds().system_table_changed(SystemChange::kLog);
  const auto change = feed.next();
  REQUIRE(change);
  CHECK(change->get("old_val")->is_null());
  CHECK(change->get("new_val")->get("message")->as_string() == "second");
  CHECK(!feed.poll());
  // The lines of before now show another name, and are not told again.
  with.process.value("[53,[" + system_table("server_config") + R"(,{"name":"renamed"}]])");
  with.server.log("third");
  with.process.engine().feeds().system_table_changed(SystemChange::kLog);
  const auto after = feed.next();
  REQUIRE(after);
  CHECK(after->get("old_val")->is_null());
  CHECK(after->get("new_val")->get("message")->as_string() == "third");
  CHECK(after->get("new_val")->get("server")->as_string() == "renamed");
  CHECK(!feed.poll());
}

namespace {

const std::string kJobs = system_table("jobs");

/// Queries of another user than `admin`, who may read the jobs table.
struct WithAnn {
  WithAnn() {
    process.value("[56,[" + system_table("users") + R"(,{"id":"ann","password":false}]])");
    process.value("[188,[" + kJobs + R"(,"ann",{"read":true,"write":true}]])");
  }
  Datum as_ann(const std::string& term) {
    const auto query = make_query(process.engine(), ann, "[1," + term + ",{}]");
    const Reply reply = query->start(process.suspender());
    return parse_json("[" + reply.rows + "]");
  }
  InProcess process;
  ClientInfo ann{.user = "ann", .peer_host = "192.0.2.1", .peer_port = 1};
};

/// The id of the only job whose query has this in its text.
Datum job_of(InProcess& process, std::string_view text) {
  Datum found;
  const Datum jobs = parse_json(process.value("[51,[" + kJobs + R"(,"array"]])"));
  for (std::size_t i = 0; i < jobs.array_size(); ++i) {
    const Datum query = field(jobs.at(i), "info", "query");
    if (query.as_string().find(text) == std::string_view::npos) continue;
    CHECK(found.is_null());
    found = *jobs.at(i).get("id");
  }
  return found;
}

}  // namespace

TEST_CASE("jobs shows users their own queries only, and admin all") {
  WithAnn with;
  InProcess& process = with.process;
  process.value(R"([60,["t"],{"durability":"soft"}])");
  const auto feed = process.query("[1,[152,[" + kTable + "]],{}]");
  (void)feed->start(process.suspender());
  CHECK(!job_of(process, "changes()").is_null());
  const Datum own = with.as_ann(kJobs);
  REQUIRE(own.array_size() == 1);
  CHECK(field(own.at(0), "info", "user") == Datum::string("ann"));
  CHECK(to_json(field(own.at(0), "info", "query")) == R"x("r.db(\"rethinkdb\").table(\"jobs\")")x");
  // Nor can they be deleted by who does not see them.
  const Datum deleted = with.as_ann("[54,[[16,[" + kJobs + "," + "[2," + to_json(job_of(process, "changes()")) + "]]]]]");
  CHECK(to_json(deleted).find(R"("skipped":1)") != std::string::npos);
  CHECK(!job_of(process, "changes()").is_null());
}

TEST_CASE("a query whose job is deleted ends with an error that says so") {
  InProcess process;
  process.value(R"([60,["t"],{"durability":"soft"}])");
  const auto feed = process.query("[1,[152,[" + kTable + "]],{}]");
  (void)feed->start(process.suspender());
  process.value("[54,[[16,[" + kJobs + ",[2," + to_json(job_of(process, "changes()")) + "]]]]]");
  const Reply reply = feed->next(process.suspender());
  CHECK(reply.type == ReplyType::kRuntimeError);
  CHECK(reply.rows == R"("Query terminated by the `rethinkdb.jobs` table.")");
}

TEST_CASE("jobs shows options as drivers write them") {
  InProcess process;
  const std::string jobs = R"([15,[[14,["rethinkdb"]],"jobs"],{"identifier_format":"uuid"}])";
  const Datum text = parse_json(process.value("[170,[[170,[[45,[" + jobs + R"(,0]],"info"]],"query"]])"));
  CHECK(text.as_string() == R"x(r.db("rethinkdb").table("jobs", {"identifierFormat": "uuid"}).nth(0)("info")("query"))x");
}
