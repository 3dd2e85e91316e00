// Exactness of feeds: replayed into a bag of values while writers run at full speed, each leaves what the
// query itself answers.
//
// REQLD_FEED_ROUNDS=1000 runs so many rounds; REQLD_FEED_SEED repeats one.

#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "tests/reql/support/feed_client.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

using Clock = std::chrono::steady_clock;

const std::string kTable = R"([15,[[14,["test"]],"t"]])";
const std::string kRow = "[10,[1]]";

std::string function(const std::string& body) {
  return "[69,[[2,[1]]," + body + "]]";
}
std::string field(const std::string& row, const std::string& name) {
  return "[170,[" + row + ",\"" + name + "\"]]";
}

struct Kind {
  std::string name;
  std::string watched;  ///< what changes() is called on
  std::string present;  ///< what answers the same rows; empty: `watched`
  bool resumable = true;
};

std::vector<Kind> kinds() {
  const std::string by_v = R"([41,[)" + kTable + R"(],{"index":"v"}])";
  const std::string by_v_desc = R"([41,[)" + kTable + R"(],{"index":[74,["v"]]}])";
  const std::string by_id = R"([41,[)" + kTable + R"(],{"index":"id"}])";
  const std::string some = "[39,[" + kTable + "," + function("[21,[" + field(kRow, "v") + ",4]]") + "]]";
  const std::string get_all_ids = "[78,[" + kTable + ",1,2,3,5,8]]";
  const std::string get_all_v = "[78,[" + kTable + R"(,3],{"index":"v"}])";
  const std::string between_v = "[182,[" + kTable + R"(,2,6],{"index":"v"}])";
  const std::string between_id = "[182,[" + kTable + ",5,15]]";
  const auto limit = [](const std::string& of, int n) {
    return "[71,[" + of + "," + std::to_string(n) + "]]";
  };
  return {
      {"table", kTable, "", true},
      {"filter", some, "", true},
      {"filter map", "[38,[" + some + "," + function(field(kRow, "n")) + "]]", "", true},
      {"pluck", "[33,[" + kTable + R"(,"id","v"]])", "", true},
      {"has_fields without merge", "[35,[[34,[[32,[" + kTable + R"(,"w"]],"g"]],{"k":1}]])", "", true},
      {"get", "[16,[" + kTable + ",7]]", "[78,[" + kTable + ",7]]", true},
      {"get_all", get_all_ids, "", true},
      {"get_all index", get_all_v, "", true},
      {"get_all multi", "[78,[" + kTable + R"(,2],{"index":"m"}])", "", true},
      {"between", between_id, "", true},
      {"between index", between_v, "", true},
      {"union", "[44,[" + get_all_v + "," + between_id + "," + some + "]]", "", true},
      {"get_intersecting", "[166,[" + kTable + R"(,[165,[[159,[1,1]],100000]]],{"index":"g"}])", "", true},
      {"order_by limit", limit(by_v, 5), "", false},
      {"order_by desc limit", limit(by_v_desc, 3), "", false},
      {"order_by id limit", limit(by_id, 4), "", false},
      {"filter order_by limit",
       limit("[39,[" + by_v + "," + function("[17,[" + field(kRow, "w") + ",1]]") + "]]", 4), "", false},
      {"min", "[147,[" + kTable + R"(],{"index":"v"}])", limit(by_v, 1), false},
      {"max", "[148,[" + kTable + R"(],{"index":"v"}])", limit(by_v_desc, 1), false},
  };
}

class Round {
 public:
  explicit Round(unsigned seed) : seed_(seed) {
    CHECK(process_.run(R"([60,[[14,["test"]],"t"],{"durability":"soft"}])").type == ReplyType::kAtom);
    process_.value("[53,[[174,[" + kTable + R"(]],{"change_log":{"retention_seconds":3600}}]])");
    process_.value("[75,[" + kTable + R"(,"v"]])");
    process_.value("[75,[" + kTable + R"(,"m"],{"multi":true}])");
    process_.value("[75,[" + kTable + R"(,"g"],{"geo":true}])");
    process_.value("[140,[" + kTable + "]]");
  }

  void run(std::chrono::milliseconds duration) {
    std::vector<std::thread> threads;
    std::vector<std::thread> writers;
    for (int i = 0; i < 2; ++i) {
      writers.emplace_back([this, i] {
        BlockingSuspender suspender;
        std::mt19937 random(seed_ * 31 + static_cast<unsigned>(i));
        while (!quiet_.load()) write(random, suspender);
      });
    }
    unsigned n = 0;
    for (const Kind& kind : kinds()) {
      static const char* const kSquash[] = {"", "", R"("squash":true,)", R"("squash":0.01,)"};
      threads.emplace_back([this, kind, n] { follow(kind, "", n); });
      ++n;
      threads.emplace_back([this, kind, n] { follow(kind, kSquash[(seed_ + n / 2) % 4], n); });
      ++n;
      if (!kind.resumable) continue;
      threads.emplace_back([this, kind, n] { follow_resuming(kind, n); });
      ++n;
    }
    const auto until = Clock::now() + duration;
    // On a busy machine it may take longer until a feed was resumed.
    const auto at_most = until + std::chrono::seconds(60);
    for (auto now = Clock::now(); now < until || (resumed_.load() == 0 && now < at_most); now = Clock::now())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    quiet_ = true;
    for (std::thread& writer : writers) writer.join();
    written_ = true;
    for (std::thread& thread : threads) thread.join();
    for (const std::string& failure : failures_) FAIL_CHECK(failure);
    CHECK(resumed_.load() > 0);
  }

 private:
  using Bag = std::multiset<std::string>;

  void write(std::mt19937& random, BlockingSuspender& suspender) {
    const auto pick = [&](unsigned n) { return random() % n; };
    const std::string id = std::to_string(pick(20));
    const auto document = [&](const std::string& key) {
      return "{\"id\":" + key + ",\"v\":" + std::to_string(pick(9)) +
             ",\"n\":" + std::to_string(counter_.fetch_add(1)) + ",\"m\":[2,[" + std::to_string(pick(3)) +
             "," + std::to_string(3 + pick(3)) + "]]" + (pick(2) ? ",\"w\":" + std::to_string(pick(2)) : "") +
             ",\"g\":[159,[" + std::to_string(pick(4)) + "," + std::to_string(pick(2)) + "]]}";
    };
    const auto fresh = [&] {
      return "{\"n\":" + std::to_string(counter_.fetch_add(1)) + ",\"v\":" + std::to_string(pick(9)) + "}";
    };
    const std::string row = "[16,[" + kTable + "," + id + "]]";
    std::string term;
    switch (pick(9)) {
      case 0:
      case 1:
        term = "[56,[" + kTable + "," + document(id) + R"(],{"conflict":"replace"}])";
        break;
      case 2:
        term = "[53,[" + row + "," + fresh() + "]]";
        break;
      case 3:
        term = "[54,[" + row + "]]";
        break;
      case 4:
        term = "[55,[" + row + "," + document(id) + "]]";
        break;
      case 5: {
        std::string documents;
        for (int i = 0; i < 6; ++i) documents += (i ? "," : "") + document(std::to_string(pick(20)));
        term = "[56,[" + kTable + ",[2,[" + documents + R"(]]],{"conflict":"update"}])";
        break;
      }
      case 6:  // comes and goes within one job
        term = "[56,[" + kTable + ",[2,[{\"id\":" + id + "},{\"id\":" + id +
               "}]]],{\"conflict\":[69,[[2,[1,2,3]],null]]}]";
        break;
      case 7:
        term =
            "[53,[[78,[" + kTable + "," + std::to_string(pick(9)) + R"(],{"index":"v"}],)" + fresh() + "]]";
        break;
      default:
        term = "[54,[[182,[" + kTable + "," + id + "," + id + R"(],{"right_bound":"closed"}]]])";
        break;
    }
    const auto query = process_.query("[1," + term + R"(,{"durability":"soft"}])");
    const Reply reply = query->start(suspender);
    if (reply.type != ReplyType::kAtom) fail("a write answered " + reply.rows);
  }

  Bag present(const Kind& kind, BlockingSuspender& suspender) {
    const auto query = process_.query("[1," + (kind.present.empty() ? kind.watched : kind.present) + ",{}]");
    Bag bag;
    for (Reply reply = query->start(suspender);; reply = query->next(suspender)) {
      const Datum rows = parse_json("[" + reply.rows + "]");
      const Datum all = reply.type == ReplyType::kAtom ? rows.at(0) : rows;
      for (std::size_t i = 0; i < all.array_size(); ++i) bag.insert(to_json(all.at(i)));
      if (reply.type != ReplyType::kPartial) return bag;
    }
  }

  static std::string feed(const Kind& kind, const std::string& options) {
    return "[152,[" + kind.watched + "],{" + options + "}]";
  }

  /// Whether `element` fits what is known.
  bool replay(const std::string& who, const Datum& element, Bag& bag) {
    if (element.get("error")) return fail(who + ": " + to_json(element));
    if (const auto old_val = element.get("old_val"); old_val && !old_val->is_null()) {
      const auto at = bag.find(to_json(*old_val));
      if (at == bag.end()) return fail(who + ": the old value of " + to_json(element) + " is not there");
      bag.erase(at);
    }
    if (const auto new_val = element.get("new_val"); new_val && !new_val->is_null())
      bag.insert(to_json(*new_val));
    return true;
  }

  /// Reads until the writers have ended and the bag is what the query answers. `handle` answers whether to go
  /// on.
  template <typename Next>
  void until_quiet(const std::string& who, const Kind& kind, Bag& bag, Next next) {
    BlockingSuspender suspender;
    std::optional<Bag> expected;
    Clock::time_point deadline{};
    for (;;) {
      if (!next(Clock::now() + std::chrono::milliseconds(20))) return;
      if (!written_.load()) continue;
      if (!expected) {
        expected = present(kind, suspender);
        deadline = Clock::now() + std::chrono::seconds(60);
      }
      if (bag == *expected) return;
      if (Clock::now() < deadline) continue;
      std::string text = who + " ended with";
      for (const std::string& value : bag) text += " " + value;
      text += " in place of";
      for (const std::string& value : *expected) text += " " + value;
      fail(text);
      return;
    }
  }

  void pause(std::mt19937& random) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::microseconds(random() % 50000), [] { return false; });
  }

  void follow(const Kind& kind, const std::string& options, unsigned n) {
    std::mt19937 random(seed_ * 97 + n);
    const std::string who = kind.name + " (" + options + ")";
    pause(random);
    FeedClient client(process_, feed(kind, options + R"("include_initial":true)"));
    Bag bag;
    until_quiet(who, kind, bag, [&](Clock::time_point deadline) {
      const auto element = client.next(deadline);
      if (client.error()) return fail(who + ": " + *client.error());
      return !element || replay(who, *element, bag);
    });
  }

  // Drops the feed again and again, in the midst of a batch too, and goes on by the last token.
  void follow_resuming(const Kind& kind, unsigned n) {
    std::mt19937 random(seed_ * 89 + n);
    const std::string who = kind.name + " (resuming)";
    pause(random);
    auto client = std::make_unique<FeedClient>(
        process_,
        feed(kind,
             R"("include_initial":true,"include_states":true,"resumable":true,"changefeed_queue_size":)" +
                 std::to_string(n % 2 ? 20 : 100000)));
    Bag bag;
    std::string token;
    until_quiet(who, kind, bag, [&](Clock::time_point deadline) {
      const auto element = client->next(deadline);
      if (client->error()) return fail(who + ": " + *client->error());
      if (!element) return true;
      if (!replay(who, *element, bag)) return false;
      const auto given = element->get("token");
      if (given) token = given->as_string();
      if (token.empty()) return true;
      if (!given) return fail(who + ": no token in " + to_json(*element));
      if (random() % 30 != 0) return true;
      client.reset();
      if (random() % 2) pause(random);
      client = std::make_unique<FeedClient>(
          process_, feed(kind, R"("resume_token":")" + token + "\"" +
                                   (random() % 2 ? R"(,"include_states":true)" : "")));
      resumed_.fetch_add(1);
      return true;
    });
  }

  bool fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    failures_.push_back("seed " + std::to_string(seed_) + ": " + what);
    return false;
  }

  const unsigned seed_;
  InProcess process_;
  std::atomic<bool> quiet_{false};
  std::atomic<bool> written_{false};
  std::atomic<std::uint64_t> counter_{0};
  std::atomic<unsigned> resumed_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> failures_;
};

unsigned number(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

}  // namespace

TEST_CASE("feeds replayed while writers run leave what the query answers") {
  const unsigned rounds = number("REQLD_FEED_ROUNDS", 2);
  const unsigned seed = number("REQLD_FEED_SEED", std::random_device()() % 1000000);
  for (unsigned i = 0; i < rounds; ++i) {
    CAPTURE(seed + i);
    Round(seed + i).run(std::chrono::milliseconds(number("REQLD_FEED_MS", 300)));
  }
}
