// Sequences read by several threads come to what one thread makes of them.

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

TEST_SUITE_BEGIN("threads");

namespace {

/// Has a few threads of its own to share work with.
class SharingSuspender : public BlockingSuspender {
 public:
  ~SharingSuspender() override {
    for (std::thread& thread : threads_) thread.join();
  }
  bool can_share() const override { return running_.load() < 3; }
  void share(std::function<bool()> turn) override {
    ++running_;
    ++shares_;
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, turn = std::move(turn)] {
      while (turn()) {
      }
      --running_;
    });
  }
  int shares() const { return shares_.load(); }

 private:
  std::atomic<int> running_{0};
  std::atomic<int> shares_{0};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

constexpr int kRows = 40'000;

/// A table `t`: `id(i)` is the JSON of a primary key, fields n, g and, in every third row, odd.
void make_table(InProcess& process, const std::function<std::string(int)>& id) {
  REQUIRE(!process.value(R"([60,["t"]])").empty());
  for (int from = 0; from < kRows; from += 10'000) {
    std::string rows;
    for (int i = from; i < from + 10'000; ++i) {
      rows += (i > from ? ",{\"id\":" : "{\"id\":") + id(i) + ",\"n\":" + std::to_string(i * 7919L % kRows) +
              ",\"g\":" + std::to_string(i % 7) + (i % 3 == 0 ? ",\"odd\":true}" : "}");
    }
    REQUIRE(process.value(R"([170,[[56,[[15,["t"]],[2,[)" + rows + R"(]]],{"durability":"soft"}],"inserted"]])") == "10000");
  }
}

struct Outcome {
  std::string wire;
  int shares = 0;
};

Outcome run_shared(InProcess& process, const std::string& term, const std::string& options = "{}") {
  SharingSuspender suspender;
  const auto query = process.query("[1," + term + "," + options + "]");
  const Reply reply = query->start(suspender);
  return {as_wire(reply), suspender.shares()};
}

/// The number of parts that others had.
int check_same(InProcess& process, const std::string& term) {
  CAPTURE(term);
  const std::string alone = as_wire(process.run(term));
  const Outcome shared = run_shared(process, term);
  CHECK(shared.wire == alone);
  return shared.shares;
}

std::string row(const std::string& field) { return R"([170,[[10,[1]],")" + field + "\"]]"; }
std::string function(const std::string& body) { return "[69,[[2,[1]]," + body + "]]"; }
const std::string kTable = R"([15,["t"]])";
const std::string kSmall = "[39,[" + kTable + "," + function("[19,[" + row("n") + ",12345]]") + "]]";

std::string int_id(int i) { return std::to_string(i * 31L % kRows); }
std::string text_id(int i) { return "\"row" + std::to_string(100'000 + i * 31L % kRows) + "\""; }
std::string uuid_id(int i) {
  char id[40];
  std::snprintf(id, sizeof id, "\"%08x-0000-4000-8000-000000000000\"", static_cast<unsigned>(i) * 2654435761U);
  return id;
}
/// Most of them in one corner of all possible keys.
std::string skewed_id(int i) {
  if (i == 0) return "-1e300";
  if (i == 1) return "[2,[true,[2,[\"z\"]]]]";
  if (i % 3 == 0) return "[2,[\"the same for all\"," + std::to_string(i) + "]]";
  return std::to_string(1'000'000'000'000'000 + i);
}

}  // namespace

TEST_CASE("folds on several threads answer what one thread does") {
  for (const auto& id : {int_id, text_id, uuid_id, skewed_id}) {
    InProcess process;
    make_table(process, id);
    int shares = 0;
    shares += check_same(process, "[43,[" + kSmall + "]]");
    shares += check_same(process, "[43,[" + kTable + "," + function("[17,[[28,[" + row("n") + ",5]],2]]") + "]]");
    shares += check_same(process, "[145,[" + kSmall + R"(,"n"]])");
    shares += check_same(process, "[146,[" + kTable + R"(,"n"]])");
    shares += check_same(process, "[145,[[38,[" + kSmall + "," + function("[26,[" + row("n") + ",3]]") + "]]]]");
    // The first of those that are equal.
    for (const char* extreme : {"[147,[", "[148,["}) shares += check_same(process, extreme + kTable + R"(,"g"]])");
    // In the order of the rows, though the parts are put together afterwards.
    const auto of = [](int var, const char* field) { return "[170,[[10,[" + std::to_string(var) + "]],\"" + field + "\"]]"; };
    shares += check_same(process, "[37,[[38,[" + kTable + "," + function(R"({"a":)" + row("id") + R"(,"z":)" + row("id") + R"(,"n":1})") +
                                      "]],[69,[[2,[1,2]],{\"a\":" + of(1, "a") + ",\"z\":" + of(2, "z") + ",\"n\":[24,[" + of(1, "n") + "," + of(2, "n") + "]]}]]]]");
    shares += check_same(process, "[43,[[32,[" + kTable + R"(,"odd"]]]])");
    shares += check_same(process, "[145,[[33,[" + kTable + R"(,"n","g"]],"n"]])");
    shares += check_same(process, "[150,[[43,[[144,[" + kTable + R"(,"g"]]]]]])");
    shares += check_same(process, "[150,[[145,[[144,[" + kSmall + R"(,"g"]],"n"]]]])");
    shares += check_same(process, "[150,[[147,[[39,[[144,[" + kTable + R"(,"g"]],)" + function("[32,[[10,[1]],\"odd\"]]") + R"(]],"n"]]]])");
    shares += check_same(process, "[43,[[39,[[182,[" + kTable + ",[180,[]],[181,[]]]]," + function("[22,[" + row("n") + ",100]]") + "]]]]");
    shares += check_same(process, "[43,[[39,[[41,[" + kTable + "],{\"index\":\"id\"}]," + function("[22,[" + row("n") + ",100]]") + "]]]]");
    // Sorting: those that are equal stay in their order, and of some only the first are wanted.
    shares += check_same(process, "[33,[[71,[[41,[" + kTable + R"(,"g"]],5000]],"id"]])");
    shares += check_same(process, "[33,[[71,[[41,[" + kTable + R"(,[74,["g"]],"n"]],7]],"id"]])");
    shares += check_same(process, "[41,[" + kSmall + "," + function("[27,[" + row("n") + ",100]]") + "]]");
    shares += check_same(process, "[42,[[38,[" + kTable + "," + function("[28,[" + row("n") + ",999]]") + "]]]]");
    CHECK(shares > 20);
  }
}

TEST_CASE("the error of the first row that has one ends a fold on several threads") {
  InProcess process;
  make_table(process, int_id);
  const auto failing = [](const std::string& when) {
    return "[43,[[39,[" + kTable + "," + function("[65,[" + when + ",[12,[[24,[\"row \",[51,[" + row("id") + ",\"string\"]]]]]],true]]") + "]]]]";
  };
  for (const int first : {0, 5'000, 19'999, 20'000, 30'001, 39'999}) {
    const std::string term = failing("[22,[" + row("id") + "," + std::to_string(first) + "]]");
    check_same(process, term);
    CHECK(run_shared(process, term).wire.find("row " + std::to_string(first)) != std::string::npos);
  }
  // A type that does not fit, in the function of the aggregation, of a group, and of a step behind it.
  const std::string wrong = "[65,[[17,[" + row("id") + ",33333]],\"text\"," + row("n") + "]]";
  check_same(process, "[145,[" + kTable + "," + function(wrong) + "]]");
  check_same(process, "[145,[[144,[" + kTable + R"(,"g"]],)" + function(wrong) + "]]");
  check_same(process, "[43,[[38,[[144,[" + kTable + R"(,"g"]],)" + function("[24,[" + wrong + ",1]]") + "]]]]");
}

TEST_CASE("what may answer otherwise on another thread stays on one") {
  InProcess process;
  make_table(process, int_id);
  for (const std::string& term : {
           "[43,[[39,[" + kTable + "," + function("[22,[[151,[1]],2]]") + "]]]]",                                // random
           "[43,[[39,[" + kTable + "," + function("[17,[[43,[" + kTable + "]],1]]") + "]]]]",                    // reads a table
           "[43,[[71,[" + kTable + ",30000]]]]",                                                                // limit
           "[43,[[41,[" + kTable + "],{\"index\":[74,[\"id\"]]}]," + function("[22,[" + row("n") + ",100]]") + "]]",  // backwards
           "[187,[" + kTable + ",0,[69,[[2,[1,2]],[24,[[10,[1]],1]]]]]]",                                       // fold
       }) {
    const Outcome outcome = run_shared(process, term);
    CHECK_MESSAGE(outcome.shares == 0, term << " " << outcome.wire);
    CHECK_MESSAGE(outcome.wire.starts_with("{\"t\":1,"), term << " " << outcome.wire);
  }
  CHECK(run_shared(process, "[43,[" + kSmall + "]]", R"({"profile":true})").shares == 0);
}

TEST_CASE("a fold on several threads is cancelled, and keeps to the query's memory") {
  EngineOptions options;
  options.query_memory_bytes = 8u << 20;
  InProcess process({}, options);
  make_table(process, int_id);
  // Every row a group of its own: too many to keep.
  const std::string large = "[65,[true," + row("id") + ",0]]";
  const std::string wide = "[38,[" + kTable + "," + function("[35,[[10,[1]],{\"pad\":\"" + std::string(2000, 'x') + "\"}]]") + "]]";
  const std::string term = "[43,[[144,[" + wide + "," + function("[2,[" + row("id") + "," + row("pad") + "]]") + "]]]]";
  const Outcome outcome = run_shared(process, term);
  CHECK_MESSAGE(outcome.wire.find("Query too large") != std::string::npos, outcome.wire.substr(0, 200));

  SharingSuspender suspender;
  const auto query = process.query("[1,[43,[" + kSmall + "]],{}]");
  query->cancel();
  CHECK(as_wire(query->start(suspender)).find("terminated") != std::string::npos);
}

namespace {

/// All rows of a query that answers a stream, read with as many threads.
struct Rows {
  std::string text;
  int shares = 0;
  int batches = 0;
};

Rows read_shared(InProcess& process, const std::string& term, const std::string& options = "{}") {
  SharingSuspender suspender;
  Rows out;
  const auto query = process.query("[1," + term + "," + options + "]");
  for (Reply reply = query->start(suspender);; reply = query->next(suspender)) {
    ++out.batches;
    if (!out.text.empty() && !reply.rows.empty()) out.text += ',';
    out.text += reply.rows;
    if (reply.type == ReplyType::kPartial) continue;
    if (reply.type != ReplyType::kSequence) out.text = as_wire(reply);
    out.shares = suspender.shares();
    return out;
  }
}

}  // namespace

TEST_CASE("several threads find the rows that one thread does, in the same order") {
  for (const auto& id : {int_id, skewed_id}) {
    InProcess process;
    make_table(process, id);
    int shares = 0;
    for (const int most : {0, 30, 3'000, 40'000}) {
      const std::string found = "[39,[" + kTable + "," + function("[19,[" + row("n") + "," + std::to_string(most) + "]]") + "]]";
      for (const std::string& term : {found, "[38,[" + found + "," + function(row("id")) + "]]", "[33,[" + found + ",\"n\"]]",
                                      "[44,[" + found + "," + kTable + "]]", "[71,[" + found + ",20]]"}) {
        CAPTURE(term);
        for (const char* options : {"{}", R"({"max_batch_rows":7})", R"({"max_batch_bytes":3000})"}) {
          if (most > 30 && options[1] == '"') continue;
          const Rows shared = read_shared(process, term, options);
          CHECK((shared.text == process.run(term).rows));
          shares += shared.shares;
        }
      }
    }
    CHECK(shares > 10);
  }
}

TEST_CASE("rows found before an error are delivered, then the error of the first row that has one") {
  InProcess process;
  make_table(process, int_id);
  for (const int first : {500, 20'000, 39'999}) {
    const std::string fails = "[22,[" + row("id") + "," + std::to_string(first) + "]]";
    const std::string term = "[39,[" + kTable + "," +
                             function("[65,[" + fails + ",[12,[[51,[" + row("id") + ",\"string\"]]]],[19,[" + row("n") + ",20]]]]") + "]]";
    const Rows shared = read_shared(process, term, R"({"max_batch_rows":2})");
    CHECK(shared.text == as_wire(process.run(term, R"({"max_batch_rows":2})")));
    CHECK(shared.text.find("\"r\":[\"" + std::to_string(first) + "\"]") != std::string::npos);
  }
}

TEST_SUITE_END();
