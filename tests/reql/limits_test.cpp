// Limits end the query that meets them with a clear error, and nothing else.

#include <pthread.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/reql/support/in_process.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

/// `inside` with so much of `before` and `after` around it.
std::string nested(const std::string& before, const std::string& inside, const std::string& after,
                   std::size_t depth) {
  return repeated(before, depth) + inside + repeated(after, depth);
}

bool failed(const Reply& reply) {
  return static_cast<int>(reply.type) >= static_cast<int>(ReplyType::kClientError);
}

/// Runs `body` on a stack as small as that of a query in the server.
void on_small_stack(const std::function<void()>& body) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::size_t kStackBytes = 4 * 1024 * 1024;
#else
  constexpr std::size_t kStackBytes = 1024 * 1024;
#endif
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, kStackBytes) == 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&body)) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

/// The first reply to a term, evaluated on a small stack.
Reply first_reply(InProcess& process, const std::string& term) {
  const auto query = process.query("[1," + term + ",{}]");
  Reply reply;
  on_small_stack([&] {
    BlockingSuspender suspender;
    reply = query->start(suspender);
  });
  return reply;
}

void check_alive(InProcess& process) {
  CHECK(process.value("[24,[1,2]]") == "3");
}

}  // namespace

TEST_CASE("terms may nest deeply, and deeper ones are refused") {
  InProcess process;
  const auto sum = [](std::size_t depth) { return nested("[24,[", "1", ",1]]", depth); };
  CHECK(first_reply(process, sum(100)).rows == "101");
  // Whatever the depth: an answer, or one of the two errors.
  for (const std::size_t depth : {500, 1000, 1500, 1999, 2001, 5000, 100'000, 1'000'000}) {
    CAPTURE(depth);
    const Reply reply = first_reply(process, sum(depth));
    if (!failed(reply)) {
      CHECK(reply.rows == std::to_string(depth + 1));
    } else if (depth > 2000) {
      CHECK(reply.type == ReplyType::kCompileError);
      CHECK(reply.rows == "\"Query nested too deeply (more than 2000 levels).\"");
    } else {
      CHECK(reply.type == ReplyType::kRuntimeError);
      CHECK(reply.error == ErrorCode::kResourceLimit);
      CHECK(reply.rows == "\"Maximum recursion depth of a query exceeded.\"");
    }
  }
  check_alive(process);
}

TEST_CASE("functions within functions, and functions that call deeply") {
  InProcess process;
  for (const std::size_t depth : {50, 300, 1000, 3000}) {
    CAPTURE(depth);
    const Reply reply = first_reply(process, nested("[64,[[69,[[2,[1]],", "[10,[1]]", "]],1]]", depth));
    CHECK((reply.rows == "1" || reply.error == ErrorCode::kResourceLimit ||
           reply.type == ReplyType::kCompileError));
    if (depth == 50) CHECK(reply.rows == "1");
    if (depth == 3000) CHECK(reply.type == ReplyType::kCompileError);
  }
  check_alive(process);
}

TEST_CASE("values may nest deeply, and deeper ones are refused, wherever they come from") {
  InProcess process;
  struct Source {
    const char* what;
    std::function<std::string(std::size_t)> term;
  };
  const Source sources[] = {
      {"array literal", [](std::size_t depth) { return nested("[2,[", "1", "]]", depth); }},
      {"object literal", [](std::size_t depth) { return nested(R"({"a":)", "1", "}", depth); }},
      {"plain datum", [](std::size_t depth) { return "[1," + nested("[", "1", "]", depth) + "]"; }},
      {"r.json", [](std::size_t depth) { return "[98,[\"" + nested("[", "1", "]", depth) + "\"]]"; }},
      {"reduce",
       [](std::size_t depth) {
         return "[37,[[173,[" + std::to_string(depth) + "]],[69,[[2,[1,2]],[2,[[10,[1]]]]]]]]";
       }},
      {"fold",
       [](std::size_t depth) {
         return "[187,[[173,[" + std::to_string(depth) + "]],1,[69,[[2,[1,2]],[2,[[10,[1]]]]]]]]";
       }},
  };
  for (const Source& source : sources) {
    CAPTURE(source.what);
    CHECK(!failed(first_reply(process, source.term(100))));
    for (const std::size_t depth : {400, 900, 1900}) {
      const Reply reply = first_reply(process, source.term(depth));
      CHECK_MESSAGE((!failed(reply) || reply.error == ErrorCode::kResourceLimit ||
                     reply.error == ErrorCode::kQueryLogic),
                    reply.rows);
    }
    const Reply reply = first_reply(process, source.term(50'000));
    CHECK(failed(reply));
    CHECK_MESSAGE(
        (reply.rows.find("nest") != std::string::npos || reply.rows.find("Nest") != std::string::npos ||
         reply.rows.find("recursion depth") != std::string::npos),
        reply.rows);
  }
  check_alive(process);
}

TEST_CASE("a document that nests as deeply as a value may is stored, found and compared") {
  InProcess process;
  process.value(R"([60,["t"],{"durability":"soft"}])");
  for (const std::size_t depth : {50, 200, 500, 1500}) {
    CAPTURE(depth);
    const Reply inserted =
        first_reply(process, R"([56,[[15,["t"]],{"id":1,"a":)" + nested("[2,[", "1", "]]", depth) +
                                 R"(}],{"conflict":"replace"}])");
    if (failed(inserted) || inserted.rows.find("\"errors\":0") == std::string::npos) continue;
    const Reply same = first_reply(process, R"([17,[[16,[[15,["t"]],1]],[16,[[15,["t"]],1]]]])");
    CHECK_MESSAGE((same.rows == "true" || same.error == ErrorCode::kResourceLimit), same.rows);
  }
  check_alive(process);
}

TEST_CASE("arrays are as long as array_limit allows, however they are made") {
  InProcess process;
  const std::string range = "[173,[11]]";
  const std::string to_array = "[51,[" + range + R"(,"array"]])";
  const std::string same = "[69,[[2,[1]],[10,[1]]]]";
  const std::vector<std::string> terms = {
      to_array,
      "[2,[0,1,2,3,4,5,6,7,8,9,10]]",
      R"([98,["[0,1,2,3,4,5,6,7,8,9,10]"]])",
      "[29,[[51,[[173,[10]],\"array\"]],1]]",      // append
      "[24,[[2,[1,2,3,4,5,6]],[2,[1,2,3,4,5]]]]",  // add
      "[26,[[2,[1,2,3,4]],3]]",                    // mul
      "[41,[" + range + "," + same + "]]",         // order_by
      "[42,[" + range + "]]",                      // distinct
      "[144,[" + range + "," + same + "]]",        // group
      "[37,[[38,[" + range +
          ",[69,[[2,[1]],[2,[[10,[1]]]]]]]],[69,[[2,[1,2]],[24,[[10,[1]],[10,[2]]]]]]]]",  // reduce
  };
  for (const std::string& term : terms) {
    CAPTURE(term);
    const Reply reply = process.run(term, R"({"array_limit":10})");
    CHECK(reply.type == ReplyType::kRuntimeError);
    CHECK(reply.error == ErrorCode::kResourceLimit);
    CHECK_MESSAGE(reply.rows.find("ver size limit `10`") != std::string::npos, reply.rows);
    CHECK(!failed(process.run(term, R"({"array_limit":12})")));
  }
}

TEST_CASE("all that a query keeps is bounded") {
  InProcess process({}, {.query_memory_bytes = 8u << 20});
  const std::string options = R"({"array_limit":100000000})";
  const std::string kilobyte = '"' + std::string(1000, 'x') + '"';
  // So many documents of a kilobyte each, all different.
  const auto documents = [&](std::size_t count) {
    return "[38,[[173,[" + std::to_string(count) + "]],[69,[[2,[1]],{\"n\":[10,[1]],\"text\":[24,[" +
           kilobyte + ",[51,[[10,[1]],\"string\"]]]]}]]]]";
  };
  const auto checked = [&](const std::string& what,
                           const std::function<std::string(const std::string&)>& term) {
    CAPTURE(what);
    const Reply few = process.run(term(documents(1000)), options);
    CHECK_MESSAGE(!failed(few), few.rows);
    const Reply many = process.run(term(documents(100'000)), options);
    CHECK(many.type == ReplyType::kRuntimeError);
    CHECK(many.error == ErrorCode::kResourceLimit);
    CHECK_MESSAGE(many.rows.find("too large") != std::string::npos, many.rows);
    check_alive(process);
  };
  const std::string by_n = R"("n")";
  checked("to array", [](const std::string& rows) { return "[43,[[51,[" + rows + R"(,"array"]]]])"; });
  checked("order_by", [](const std::string& rows) { return "[43,[[41,[" + rows + R"(,"n"]]]])"; });
  checked("distinct", [](const std::string& rows) { return "[43,[[42,[" + rows + "]]]]"; });
  checked("group", [](const std::string& rows) { return "[43,[[150,[[144,[" + rows + R"(,"n"]]]]]])"; });
  checked("group by much",
          [](const std::string& rows) { return "[43,[[150,[[43,[[144,[" + rows + R"(,"text"]]]]]]]])"; });
  checked("reduce", [](const std::string& rows) {
    return "[43,[[37,[[38,[" + rows +
           ",[69,[[2,[3]],[2,[[10,[3]]]]]]]],[69,[[2,[4,5]],[24,[[10,[4]],[10,[5]]]]]]]]]]";
  });
  // What is not kept may be any number.
  CHECK(process.value("[43,[" + documents(100'000) + "]]") == "100000");
  CHECK(process.value("[43,[[39,[" + documents(20'000) +
                      R"(,[69,[[2,[9]],[17,[[170,[[10,[9]],"n"]],-1]]]]]]]])") == "0");
}

TEST_CASE("a literal that is larger than a query's memory is refused") {
  InProcess process({}, {.query_memory_bytes = 1u << 20});
  const std::string text = '"' + std::string(3 << 20, 'x') + '"';
  for (const std::string& term :
       {"{\"a\":" + text + "}", "[2,[1," + text + "]]", "{\"a\":" + text + ",\"b\":[13,[]]}",
        "{\"b\":[13,[]],\"a\":{\"c\":" + text + "}}", "[2,[[13,[]],{\"a\":" + text + "}]]"}) {
    CAPTURE(term.substr(0, 20));
    const Reply reply = process.run(term);
    CHECK(reply.type == ReplyType::kRuntimeError);
    CHECK(reply.error == ErrorCode::kResourceLimit);
    CHECK_MESSAGE(reply.rows.find("too large") != std::string::npos, reply.rows.substr(0, 200));
    check_alive(process);
  }
}

TEST_CASE("the few rows that a filter keeps do not keep the memory of those around them") {
  InProcess process({}, {.query_memory_bytes = 8u << 20});
  const std::string table = R"([15,["t"]])";
  REQUIRE(!process.value(R"([60,["t"]])").empty());
  const std::string pad(600, 'x');
  for (int from = 0; from < 40'000; from += 4'000) {
    const std::string rows = "[38,[[173,[" + std::to_string(from) + "," + std::to_string(from + 4'000) +
                             "]],[69,[[2,[1]],{\"id\":[10,[1]],\"kept\":[17,[[28,[[10,[1]],100]],0]],\"pad\":\"" + pad + "\"}]]]]";
    REQUIRE(process.value("[170,[[56,[" + table + "," + rows + R"(],{"durability":"soft"}],"inserted"]])") == "4000");
  }
  // 400 rows of 600 bytes, each read into the same 32 KiB as its neighbours.
  CHECK(process.value("[43,[[41,[[39,[" + table + R"(,{"kept":true}]],"pad"]]]])") == "400");
  CHECK(process.run("[43,[[41,[" + table + R"(,"pad"]]]])").error == ErrorCode::kResourceLimit);
}

TEST_CASE("numbers in sets and groups take memory too") {
  InProcess process({}, {.query_memory_bytes = 8u << 20});
  const std::string options = R"({"array_limit":100000000})";
  for (const char* term : {"[43,[[42,[[173,[1000000]]]]]]",
                           "[43,[[150,[[43,[[144,[[173,[1000000]],[69,[[2,[1]],[10,[1]]]]]]]]]]]]"}) {
    CAPTURE(term);
    const Reply reply = process.run(term, options);
    CHECK(reply.error == ErrorCode::kResourceLimit);
    CHECK_MESSAGE(reply.rows.find("Query too large") != std::string::npos, reply.rows);
  }
}

TEST_CASE(
    "variables that together are too large end a query, and queries side by side have limits of their own") {
  InProcess process({}, {.query_memory_bytes = 16u << 20});
  const std::string megabytes3 =
      R"([51,[[38,[[173,[3000]],[69,[[2,[9]],")" + std::string(1000, 'x') + R"("]]]],"array"]])";
  const auto with_variables = [&](int count) {
    std::string term = "[64,[[69,[[2,[";
    for (int i = 1; i <= count; ++i) term += (i > 1 ? "," : "") + std::to_string(i);
    term += "]],[43,[[10,[1]]]]]]";
    for (int i = 1; i <= count; ++i) term += "," + megabytes3;
    return term + "]]";
  };
  CHECK(process.value(with_variables(1)) == "3000");
  CHECK(process.run(with_variables(8)).error == ErrorCode::kResourceLimit);
  // An open cursor keeps what it keeps.
  const auto open =
      process.query("[1,[41,[" + megabytes3 + R"(,[69,[[2,[1]],[10,[1]]]]]],{"max_batch_rows":10}])");
  const Reply first = open->start(process.suspender());
  CHECK_MESSAGE(!failed(first), first.rows);
  CHECK(process.value(with_variables(1)) == "3000");
}
