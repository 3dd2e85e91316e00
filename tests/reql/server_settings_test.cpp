#include "reql/server_settings.hpp"

#include <future>
#include <thread>
#include <vector>

#include "tests/reql/support/feed_client.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

const std::string kServer = R"([15,[[14,["rethinkdb"]],"server_config"]])";

void rename(storage::Database& database, const std::string& name) {
  std::promise<void> done;
  database.put_system(kServerSettings, "name", Datum::string(name), [&](const auto&) { done.set_value(); });
  done.get_future().wait();
}

}  // namespace

TEST_CASE("a server keeps the name it was given until another is stored") {
  InProcess process;
  storage::Database& database = process.engine().database();
  const ServerName name("given");
  const ServerName copy = name;
  name.reload(database);
  CHECK(std::string(copy) == "given");
  rename(database, "stored");
  CHECK(std::string(copy) == "given");
  name.reload(database);
  CHECK(std::string(copy) == "stored");
}

TEST_CASE("of many renames at once, the name that is stored last stays") {
  InProcess process;
  storage::Database& database = process.engine().database();
  const ServerName name("given");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 25; ++j) {
        rename(database, std::to_string(i) + "-" + std::to_string(j));
        name.reload(database);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::string(name) == find_setting(database, "name")->as_string());
}

TEST_CASE("feeds tell the new name of a server") {
  InProcess process;
  process.value(R"([60,["t"]])");
  FeedClient servers(process, "[152,[" + kServer + "]]");
  FeedClient tables(process, R"([152,[[15,[[14,["rethinkdb"]],"table_config"]]]])");
  CHECK(process.value("[170,[[53,[" + kServer + R"(,{"name":"renamed"}]],"replaced"]])") == "1");
  CHECK(*servers.next()->get("new_val")->get("name") == Datum::string("renamed"));
  CHECK(*tables.next()->get("new_val")->get("shards")->at(0).get("primary_replica") == Datum::string("renamed"));
}
