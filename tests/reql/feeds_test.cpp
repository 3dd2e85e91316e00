// What feeds deliver, when they end, and how they resume.

#include <random>

#include "datum/base64.hpp"
#include "reql/feeds/feed_token.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/feeds/range_lookup.hpp"
#include "tests/reql/support/feed_client.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

const std::string kTable = R"([15,[[14,["test"]],"t"]])";

std::string changes(const std::string& options = "", const std::string& watched = kTable) {
  return "[152,[" + watched + "],{" + options + "}]";
}
std::string insert(const std::string& documents, const std::string& options = "") {
  return "[56,[" + kTable + "," + documents + "],{" + options + "}]";
}
std::string update(int id, const std::string& fields) {
  return "[53,[[16,[" + kTable + "," + std::to_string(id) + "]]," + fields + "]]";
}

struct WithTable {
  explicit WithTable(const std::string& config = "") {
    CHECK(process.run(R"([60,[[14,["test"]],"t"],{"durability":"soft"}])").type == ReplyType::kAtom);
    process.value("[75,[" + kTable + R"(,"v"]])");
    process.value("[140,[" + kTable + "]]");
    if (!config.empty()) configure(config);
  }
  void configure(const std::string& config) { process.value("[53,[[174,[" + kTable + "]]," + config + "]]"); }
  InProcess process;
};

const std::string kKeep = R"({"change_log":{"retention_seconds":3600}})";

std::string text(const std::optional<Datum>& element) {
  return element ? to_json(*element) : "nothing";
}

std::string token_of(const std::optional<Datum>& element) {
  REQUIRE(element);
  const auto token = element->get("token");
  REQUIRE_MESSAGE(token, to_json(*element));
  return std::string(token->as_string());
}

std::string error_of(InProcess& process, const std::string& feed) {
  FeedClient client(process, feed);
  while (!client.error() && client.poll()) {
  }
  return client.error().value_or("no error");
}

}  // namespace

TEST_CASE("every change of a document is delivered, also of one that a single write changes twice") {
  WithTable t;
  FeedClient feed(t.process, changes());
  // Comes and goes: nothing is left to commit.
  const std::string gone = R"({"conflict":[69,[[2,[1,2,3]],null]]})";
  t.process.value("[56,[" + kTable + R"(,[2,[{"id":1,"v":1},{"id":1}]]],)" + gone + "]");
  CHECK(text(feed.next()) == R"({"new_val":{"id":1,"v":1},"old_val":null})");
  CHECK(text(feed.next()) == R"({"new_val":null,"old_val":{"id":1,"v":1}})");
  t.process.value(insert(R"([2,[{"id":2,"v":1},{"id":2,"v":2},{"id":2,"v":3}]])", R"("conflict":"replace")"));
  CHECK(text(feed.next()) == R"({"new_val":{"id":2,"v":1},"old_val":null})");
  CHECK(text(feed.next()) == R"({"new_val":{"id":2,"v":2},"old_val":{"id":2,"v":1}})");
  CHECK(text(feed.next()) == R"({"new_val":{"id":2,"v":3},"old_val":{"id":2,"v":2}})");
  t.process.value("[68,[[2,[4,5]],[69,[[2,[1]],[53,[[16,[" + kTable + R"(,2]],{"v":[10,[1]]}]]]]]])");
  CHECK(text(feed.next()) == R"({"new_val":{"id":2,"v":4},"old_val":{"id":2,"v":3}})");
  CHECK(text(feed.next()) == R"({"new_val":{"id":2,"v":5},"old_val":{"id":2,"v":4}})");
  CHECK(text(feed.poll()) == "nothing");
}

TEST_CASE("a queue that is too short loses changes, says how many, and goes on") {
  WithTable t;
  FeedClient feed(t.process, changes(R"("changefeed_queue_size":10)"));
  for (int i = 0; i < 16; ++i) t.process.value(insert("{\"id\":" + std::to_string(i) + "}"));
  CHECK(text(feed.next()) == R"({"error":"Changefeed cache over array size limit, skipped 11 elements."})");
  for (int i = 11; i < 16; ++i) {
    CHECK(text(feed.next()) == "{\"new_val\":{\"id\":" + std::to_string(i) + "},\"old_val\":null}");
  }
  CHECK(text(feed.poll()) == "nothing");
}

TEST_CASE("squashing by a time gathers what comes meanwhile") {
  WithTable t;
  FeedClient feed(t.process, changes(R"("squash":0.3)"));
  t.process.value(insert(R"({"id":1,"v":0})"));
  for (int i = 1; i <= 5; ++i) t.process.value(update(1, "{\"v\":" + std::to_string(i) + "}"));
  CHECK(text(feed.poll()) == "nothing");
  CHECK(text(feed.next()) == R"({"new_val":{"id":1,"v":5},"old_val":null})");
  t.process.value(update(1, R"({"v":6})"));
  CHECK(text(feed.next()) == R"({"new_val":{"id":1,"v":6},"old_val":{"id":1,"v":5}})");
}

TEST_CASE("a feed ends when its table or index is dropped") {
  WithTable t;
  FeedClient whole(t.process, changes());
  FeedClient point(t.process, changes("", "[16,[" + kTable + ",1]]"));
  FeedClient range(t.process, changes("", "[182,[" + kTable + ",1,5]]"));
  FeedClient by_index(t.process, changes("", "[182,[" + kTable + R"(,1,5],{"index":"v"}])"));
  FeedClient limit(t.process, changes("", "[71,[[41,[" + kTable + R"(],{"index":"v"}],3]])"));
  t.process.value(insert(R"({"id":1,"v":1})"));
  t.process.value("[76,[" + kTable + R"(,"v"]])");
  for (FeedClient* feed : {&by_index, &limit}) {
    while (!feed->error()) {
      if (!feed->next()) break;
    }
    CHECK(feed->error().value_or("none") == R"("Changefeed aborted (unavailable).")");
  }
  for (FeedClient* feed : {&whole, &point, &range})
    CHECK(text(feed->next()) == R"({"new_val":{"id":1,"v":1},"old_val":null})");
  t.process.value(R"([61,[[14,["test"]],"t"]])");
  for (FeedClient* feed : {&whole, &point, &range}) {
    CHECK(!feed->next());
    CHECK(feed->error().value_or("none") == R"("Changefeed aborted (unavailable).")");
  }
}

TEST_CASE("feeds of the same text look at a change once") {
  WithTable t;
  FeedHub hub(t.process.engine().database());
  const auto table = t.process.engine().database().catalog()->tables.begin()[0];
  const WatchedRows all{.table = table, .index = nullptr, .range = {}, .everything = true, .alike = "x"};
  WatchedRows other = all;
  other.alike = "y";
  const auto first = hub.subscribe(all, 10), second = hub.subscribe(all, 10),
             third = hub.subscribe(other, 10);
  t.process.value(insert(R"({"id":1})"));
  std::deque<FeedChangeRef> a, b, c;
  std::size_t skipped = 0;
  CHECK(first->queue().take(a, skipped));
  CHECK(second->queue().take(b, skipped));
  CHECK(third->queue().take(c, skipped));
  REQUIRE((a.size() == 1 && b.size() == 1 && c.size() == 1));
  CHECK(a[0] == b[0]);
  CHECK(a[0] != c[0]);
  int made = 0;
  for (const FeedChangeRef& change : {a[0], b[0], c[0]}) {
    change->element([&] {
      ++made;
      return Datum::integer(7);
    });
  }
  CHECK(made == 2);
}

TEST_CASE("ranges that contain a key are found") {
  std::mt19937 random(7);
  const auto key = [&] {
    return std::string(1, static_cast<char>('a' + random() % 20)) + (random() % 2 ? "x" : "");
  };
  for (int round = 0; round < 200; ++round) {
    RangeLookup<int> lookup;
    std::vector<storage::KeyRange> ranges;
    for (unsigned i = 0, n = random() % 30; i < n; ++i) {
      ranges.push_back({key(), key()});
      lookup.add(ranges.back(), static_cast<int>(i));
    }
    if (!ranges.empty() && random() % 2) {
      lookup.remove(0);
      ranges[0] = {"", ""};
    }
    lookup.prepare();
    for (int i = 0; i < 20; ++i) {
      const std::string wanted = key();
      std::vector<int> expected, found;
      for (std::size_t r = 0; r < ranges.size(); ++r) {
        if (wanted >= ranges[r].lower && wanted < ranges[r].upper) expected.push_back(static_cast<int>(r));
      }
      lookup.find(wanted, [&](int r) { found.push_back(r); });
      std::sort(found.begin(), found.end());
      CHECK(found == expected);
    }
  }
}

TEST_CASE("tokens are read back, and anything else is refused") {
  const FeedToken token{0x123456789abcdef0u, {{77, 5}, 3}};
  const std::string text = encode_token(token);
  const auto read = decode_token(text);
  REQUIRE(read);
  CHECK(read->incarnation == token.incarnation);
  CHECK(read->position == token.position);
  CHECK(!decode_token(""));
  CHECK(!decode_token(text + "AAAA"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    CHECK(!decode_token(wrong));
  }
}

TEST_CASE("a feed goes on after a token") {
  WithTable t(kKeep);
  const std::string resumable = R"("resumable":true,"include_states":true)";
  std::string ready, first;
  {
    FeedClient feed(t.process, changes(resumable));
    const auto state = feed.next();
    CHECK(text(state).find(R"("state":"ready")") != std::string::npos);
    ready = token_of(state);
    t.process.value(insert(R"([2,[{"id":1},{"id":2},{"id":3}]])"));
    first = token_of(feed.next());
  }
  t.process.value(update(2, R"({"v":9})"));
  FeedClient feed(t.process, changes("\"resume_token\":\"" + first + "\",\"include_states\":true"));
  const auto values = [&](std::optional<Datum> element) {
    REQUIRE(element);
    ObjectBuilder without(*element);
    without.erase("token");
    return to_json(without.finish());
  };
  CHECK(values(feed.next()) == R"({"new_val":{"id":2},"old_val":null})");
  CHECK(values(feed.next()) == R"({"new_val":{"id":3},"old_val":null})");
  CHECK(values(feed.next()) == R"({"new_val":{"id":2,"v":9},"old_val":{"id":2}})");
  CHECK(values(feed.next()) == R"({"state":"ready"})");
  t.process.value(update(3, R"({"v":9})"));
  CHECK(values(feed.next()) == R"({"new_val":{"id":3,"v":9},"old_val":{"id":3}})");
  FeedClient from_start(t.process, changes("\"resume_token\":\"" + ready + "\"", "[16,[" + kTable + ",2]]"));
  CHECK(values(from_start.next()) == R"({"new_val":{"id":2},"old_val":null})");
  CHECK(values(from_start.next()) == R"({"new_val":{"id":2,"v":9},"old_val":{"id":2}})");

  // Between two parts that show the same change, too.
  const std::string both = "[44,[" + kTable + ",[78,[" + kTable + ",7]]]]";
  FeedClient pair(t.process, changes(resumable, both));
  CHECK(values(pair.next()) == R"({"state":"ready"})");
  t.process.value(insert(R"({"id":7})"));
  const std::string between = token_of(pair.next());
  CHECK(values(pair.next()) == R"({"new_val":{"id":7},"old_val":null})");
  FeedClient other(t.process, changes("\"resume_token\":\"" + between + "\"", both));
  CHECK(values(other.next()) == R"({"new_val":{"id":7},"old_val":null})");
  CHECK(text(other.poll()) == "nothing");
}

TEST_CASE("a feed goes on after a restart, with large binaries as they were") {
  WithTable t(kKeep);
  std::string token;
  const std::string body(40000, 'A');
  const auto document = [&](const std::string& data) {
    return R"({"id":1,"file":{"$reql_type$":"BINARY","data":")" + data + "\"}}";
  };
  {
    FeedClient feed(t.process, changes(R"("resumable":true,"include_states":true)"));
    token = token_of(feed.next());
    t.process.value(insert(document(body)));
    t.process.value(insert(document(std::string(40000, 'B')), R"("conflict":"replace")"));
    t.process.value("[54,[" + kTable + "]]");
  }
  t.process.restart();
  FeedClient feed(t.process, changes("\"resume_token\":\"" + token + "\""));
  const auto first = feed.next(), second = feed.next(), third = feed.next();
  REQUIRE((first && second && third));
  CHECK(first->get("new_val")->get("file")->binary_bytes() == binary_from_base64(body).binary_bytes());
  CHECK(second->get("old_val")->get("file")->binary_bytes() == binary_from_base64(body).binary_bytes());
  CHECK(to_json(*third->get("new_val")) == "null");
  CHECK(third->get("old_val")->get("file")->binary_bytes() == binary_from_base64(std::string(40000, 'B')).binary_bytes());
}

TEST_CASE("what cannot be resumed is refused with a reason") {
  WithTable t;
  InProcess& p = t.process;
  CHECK(error_of(p, changes(R"("resumable":true)")).find("Table `t` keeps no change log") == 1);
  t.configure(kKeep);
  CHECK(error_of(p, changes(R"("resume_token":"nonsense")")) == R"("The resume token is malformed.")");
  CHECK(error_of(p, changes(R"("resumable":true,"squash":true)")) ==
        R"("A resumable feed cannot be squashed.")");
  CHECK(error_of(p, changes(R"("resumable":true)", "[71,[[41,[" + kTable + R"(],{"index":"v"}],3]])")) ==
        R"("A feed of the first rows of an order (`limit`, `min`, `max`) cannot be resumed.")");
  CHECK(error_of(p, changes(R"("resumable":true)", R"([15,[[14,["rethinkdb"]],"db_config"]])")) ==
        R"("A feed of a system table cannot be resumed.")");
  const std::string foreign = encode_token({1, {{5, 5}}});
  CHECK(error_of(p, changes("\"resume_token\":\"" + foreign + "\"")).find("another database") !=
        std::string::npos);
  const std::string future = encode_token({p.engine().database().incarnation(), {{1'000'000, 5}}});
  CHECK(error_of(p, changes("\"resume_token\":\"" + future + "\"")).find("lost") != std::string::npos);

  std::string token;
  {
    FeedClient feed(p, changes(R"("resumable":true,"include_states":true)"));
    token = token_of(feed.next());
  }
  t.process.value(insert(R"({"id":1})"));
  // Kept anew is not kept throughout.
  t.configure(R"({"change_log":false})");
  CHECK(error_of(p, changes("\"resume_token\":\"" + token + "\"")).find("keeps no change log") !=
        std::string::npos);
  t.configure(kKeep);
  CHECK(error_of(p, changes("\"resume_token\":\"" + token + "\"")).find("The resume token is too old") == 1);

  {
    FeedClient feed(p, changes(R"("resumable":true,"include_states":true)"));
    token = token_of(feed.next());
  }
  t.configure(R"({"change_log":{"retention_bytes":1000}})");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string answer;
  for (int i = 10; answer.find("too old") == std::string::npos && std::chrono::steady_clock::now() < until;
       ++i) {
    t.process.value(insert("{\"id\":" + std::to_string(i) + "}"));
    answer = error_of(p, changes("\"resume_token\":\"" + token + "\""));
  }
  CHECK(
      answer ==
      R"("The resume token is too old: the changes after it are no longer in the change log of table `t`.")");
}

TEST_CASE("a resumable feed that falls behind reads on in the log") {
  WithTable t(kKeep);
  FeedClient feed(t.process, changes(R"("resumable":true,"changefeed_queue_size":3)"));
  for (int i = 0; i < 50; ++i) t.process.value(insert("{\"id\":" + std::to_string(i) + "}"));
  for (int i = 0; i < 50; ++i) {
    const auto element = feed.next();
    REQUIRE(element);
    CHECK(to_json(*element->get("new_val")) == "{\"id\":" + std::to_string(i) + "}");
  }
  CHECK(text(feed.poll()) == "nothing");
}

TEST_CASE("the change log of a table is part of its config where it was set") {
  WithTable t;
  const auto config = [&] { return parse_json(t.process.value("[174,[" + kTable + "]]")); };
  CHECK(!config().get("change_log"));
  t.configure(kKeep);
  CHECK(to_json(*config().get("change_log")) == R"({"retention_seconds":3600})");
  t.configure(R"({"change_log":false})");
  CHECK(to_json(*config().get("change_log")) == "false");
  for (const char* wrong : {R"({"change_log":5})", R"({"change_log":{"seconds":5}})",
                            R"({"change_log":{"retention_seconds":0}})"}) {
    const std::string reply = t.process.value("[53,[[174,[" + kTable + "]]," + std::string(wrong) + "]]");
    CHECK_MESSAGE(reply.find("In `change_log`") != std::string::npos, reply);
  }
}
