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

TEST_CASE("a change that is kept from one fetch to the next does not wait for another change") {
  const std::string feed = changes();
  const std::string v = R"([170,[[170,[[10,[1]],"new_val"]],"v"]])";
  const std::string positive = "[69,[[2,[1]],[21,[" + v + ",0]]]]";
  const struct {
    const char* what;
    std::string term;
    int of_each;  ///< elements for one change
  } feeds[] = {
      {"filter", "[39,[" + feed + "," + positive + "]]", 1},
      {"get_field", "[31,[[31,[" + feed + R"(,"new_val"]],"v"]])", 1},
      {"concat_map", "[40,[" + feed + ",[69,[[2,[1]],[65,[[21,[" + v + ",0]],[2,[1,2,3]],[2,[]]]]]]]]", 3},
      {"eq_join", "[50,[" + feed + ",[69,[[2,[1]],[65,[[21,[" + v + ",0]]," + v + ",0]]]]," + kTable + R"(],{"index":"v"}])", 1},
      {"inner_join", "[48,[" + feed + ",[2,[1,2]],[69,[[2,[1,2]],[21,[" + v + ",0]]]]]]", 2},
      {"fold", "[187,[" + feed + ",0,[69,[[2,[3,4]],0]]],{\"emit\":[69,[[2,[5,1,6]],[65,[[21,[" + v + ",0]],[2,[1,2]],[2,[]]]]]]}]", 2},
  };
  for (const auto& [what, term, of_each] : feeds) {
    CAPTURE(what);
    WithTable t;
    FeedClient client(t.process, term, R"("max_batch_rows":1)");
    CHECK(!client.poll());
    t.process.value(insert(R"({"id":1,"v":-5})"));
    client.next(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
    t.process.value(insert(R"([2,[{"id":2,"v":1},{"id":3,"v":2},{"id":4,"v":3}]])"));
    for (int i = 0; i < 3 * of_each; ++i)
      CHECK(client.next(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
    CHECK(!client.poll());
    CHECK(!client.error());
  }
}

TEST_CASE("a reply of a feed has no more than max_batch_bytes calls for, however much has gathered") {
  const std::string merged = "[35,[" + changes() + R"(,{"seen":true}]])";
  for (const std::string& term : {changes(), merged}) {
    CAPTURE(term);
    WithTable t;
    FeedClient client(t.process, term, R"("max_batch_bytes":4000)");
    CHECK(!client.poll());
    std::string rows;
    for (int i = 0; i < 20; ++i)
      rows += (i == 0 ? "" : ",") + ("{\"id\":" + std::to_string(i) + ",\"v\":\"") + std::string(1000, 'v') + "\"}";
    t.process.value(insert("[2,[" + rows + "]]"));
    for (int i = 0; i < 20; ++i) {
      CHECK(client.next());
      CHECK(client.at_hand() < 5);
    }
    CHECK(!client.poll());
  }
}

namespace {

/// What a client has that applies the offsets of an ordered feed, one change after the other.
class OrderedRows {
 public:
  void apply(const Datum& change) {
    const Datum old_offset = change.get("old_offset").value_or(Datum());
    const Datum new_offset = change.get("new_offset").value_or(Datum());
    if (!old_offset.is_null()) {
      const auto at = static_cast<std::size_t>(old_offset.as_integer());
      REQUIRE_MESSAGE(at < rows_.size(), to_json(change));
      CHECK_MESSAGE(rows_[at] == *change.get("old_val"), to_json(change));
      rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (!new_offset.is_null()) {
      const auto at = static_cast<std::size_t>(new_offset.as_integer());
      REQUIRE_MESSAGE(at <= rows_.size(), to_json(change));
      rows_.insert(rows_.begin() + static_cast<std::ptrdiff_t>(at), *change.get("new_val"));
    }
  }
  std::string json() const { return to_json(Datum::array(rows_)); }

 private:
  std::vector<Datum> rows_;
};

}  // namespace

TEST_CASE("offsets can be applied one after the other, also when a write changes many of the first rows") {
  for (const std::string field : {"", "w"}) {
    CAPTURE(field);
    WithTable t;
    for (int i = 0; i < 12; ++i) {
      const std::string id = std::to_string(i);
      t.process.value(insert(R"({"id":)" + id + R"(,"v":)" + std::to_string(i / 3) + R"(,"w":)" + std::to_string(i % 2) + "}"));
    }
    std::string ordered = "[41,[" + kTable + R"(],{"index":"v"}])";
    if (!field.empty()) ordered = "[31,[" + ordered + ",\"" + field + "\"]]";
    const std::string first = "[71,[" + ordered + ",5]]";
    FeedClient client(t.process, changes(R"("include_offsets":true,"include_initial":true)", first));
    OrderedRows present;
    const auto expect_equal = [&] {
      const std::string wanted = t.process.value("[51,[" + first + R"(,"array"]])");
      while (const auto change = client.poll()) present.apply(*change);
      for (const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
           present.json() != wanted && std::chrono::steady_clock::now() < end;) {
        if (const auto change = client.next(end)) present.apply(*change);
      }
      CHECK(present.json() == wanted);
    };
    expect_equal();
    const std::string lowest = "[78,[" + kTable + R"(,0],{"index":"v"}])";
    for (const std::string& write : {
             "[54,[" + lowest + "]]",                                                   // the first three
             insert(R"([2,[{"id":20,"v":0,"w":1},{"id":21,"v":1,"w":0},{"id":22,"v":0,"w":0}]])"),
             "[53,[" + lowest + R"(,{"v":9}]])",                                        // away
             "[53,[[78,[" + kTable + R"(,9],{"index":"v"}],{"v":0}]])",                // and back
             update(20, R"({"v":2})"), update(21, R"({"v":0})"), "[54,[" + kTable + "]]"}) {
      CAPTURE(write);
      t.process.value(write);
      expect_equal();
    }
  }
}

TEST_CASE("get_all of a system table can be watched") {
  WithTable t;
  const std::string scratch = R"([15,[[14,["rethinkdb"]],"_debug_scratch"]])";
  FeedClient client(t.process, changes(R"("include_initial":true)", "[78,[" + scratch + ",1,3]]"));
  CHECK(!client.poll());
  t.process.value("[56,[" + scratch + R"(,[2,[{"id":1},{"id":2},{"id":3}]]]])");
  CHECK(text(client.next()) == R"({"new_val":{"id":1},"old_val":null})");
  CHECK(text(client.next()) == R"({"new_val":{"id":3},"old_val":null})");
  CHECK(!client.poll());
}

TEST_CASE("rows made of several feeds wait for all of them, and take no time meanwhile") {
  WithTable t;
  FeedClient client(t.process, "[38,[" + changes() + "," + changes() + ",[69,[[2,[1,2]],[2,[[10,[1]],[10,[2]]]]]]]]");
  CHECK(!client.poll());
  t.process.value(insert(R"([2,[{"id":1,"v":1},{"id":2,"v":2}]])"));
  for (int i = 0; i < 2; ++i) CHECK(client.next());
  CHECK(!client.poll());
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
