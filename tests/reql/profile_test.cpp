// The profile of a query: the tree of what was done.

#include "reql/profile.hpp"

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

const std::string kTable = R"([15,["t"]])";

struct WithRows {
  WithRows() {
    process.value(R"([60,["t"],{"durability":"soft"}])");
    process.value("[56,[" + kTable + R"(,[2,[{"id":1,"a":1},{"id":2,"a":2},{"id":3,"a":3}]]]])");
  }
  Datum profile(const std::string& term) {
    const auto query = process.query("[1," + term + R"(,{"profile":true}])");
    const Reply reply = query->start(process.suspender());
    REQUIRE_MESSAGE(static_cast<int>(reply.type) < static_cast<int>(ReplyType::kClientError), reply.rows);
    CHECK(!reply.rows.empty());
    return parse_json(reply.profile);
  }
  InProcess process;
};

double number(const Datum& task, std::string_view field) {
  return task.get(field)->as_number();
}

/// "map(table(datum), func) x3": descriptions, what is in them, and how often where that is not once. Checks
/// each task's fields.
std::string outline(const Datum& tasks) {
  std::string out;
  double sum = 0;
  for (std::size_t i = 0; i < tasks.array_size(); ++i) {
    const Datum task = tasks.at(i);
    std::string name(task.get("description")->as_string());
    if (name.starts_with("Evaluating ")) name = name.substr(11);
    name.pop_back();
    if (!out.empty()) out += ", ";
    out += name;
    const auto parts = task.get("sub_tasks");
    if (parts && parts->array_size() > 0) out += "(" + outline(*parts) + ")";
    if (task.get("n_samples")) {
      CHECK(number(task, "n_samples") > 1);
      CHECK(number(task, "mean_duration(ms)") >= 0);
      out += " x" + std::to_string(static_cast<int>(number(task, "n_samples")));
    } else {
      CHECK(parts);
      double inside = 0;
      for (std::size_t p = 0; p < parts->array_size(); ++p) {
        if (const auto d = parts->at(p).get("duration(ms)")) inside += d->as_number();
      }
      CHECK(number(task, "duration(ms)") >= inside);
      sum += inside;
    }
  }
  CHECK(sum < 60'000);
  return out;
}

}  // namespace

TEST_CASE("a profile has a task for each term, within that which asks for it") {
  WithRows t;
  CHECK(outline(t.profile("[24,[1,[26,[2,3]]]]")) == "add(datum, mul(datum, datum)), Encoding the reply");
  CHECK(outline(t.profile("[16,[" + kTable + ",1]]")) ==
        "get(table(datum), datum), Perform read, Encoding the reply");
}

TEST_CASE("what is done for each row is one task with a number of samples") {
  WithRows t;
  const std::string add_one = "[69,[[2,[1]],[24,[[170,[[10,[1]],\"a\"]],1]]]]";
  CHECK(outline(t.profile("[38,[" + kTable + "," + add_one + "]]")) ==
        "map(table(datum), func), Do range scan on primary index, add(bracket(var x3, datum x3) x3, datum "
        "x3) x3, "
        "Encoding the reply");
}

TEST_CASE("a profile shows writes and sorts") {
  WithRows t;
  CHECK(outline(t.profile("[56,[" + kTable + R"(,{"id":9}]])")) ==
        "insert(table(datum), datum, Perform write), Encoding the reply");
  CHECK(outline(t.profile("[41,[" + kTable + R"(,"a"]])")).find("Sorting in-memory") != std::string::npos);
}

TEST_CASE("a profile outlives the functions that it names: a write hook's is gone with the write") {
  WithRows t;
  const std::string hook = R"([69,[[2,[1,2,3]],[35,[[10,[3]],{"by":[170,[[10,[1]],"primary_key"]]}]]]])";
  t.process.value("[189,[" + kTable + "," + hook + "]]");
  CHECK(outline(t.profile("[56,[" + kTable + R"(,{"id":9}]])")) ==
        "insert(table(datum), datum, Perform write(merge(make_obj(bracket(var, datum)), var))), Encoding the reply");
}

TEST_CASE("only who asks for a profile gets one, with the first reply, and errors have none") {
  WithRows t;
  const auto plain = t.process.query("[1,[24,[1,2]],{}]");
  CHECK(plain->start(t.process.suspender()).profile.empty());
  const auto failing = t.process.query(R"([1,[24,[1,"x"]],{"profile":true}])");
  CHECK(failing->start(t.process.suspender()).profile.empty());
  const auto stream = t.process.query("[1," + kTable + R"(,{"profile":true,"max_batch_rows":1}])");
  const Reply first = stream->start(t.process.suspender());
  CHECK(first.type == ReplyType::kPartial);
  CHECK(!first.profile.empty());
  CHECK(stream->next(t.process.suspender()).profile.empty());
}
