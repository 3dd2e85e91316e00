#include "server/token_table.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "server/reactor.hpp"
#include "server/session.hpp"
#include "server/task.hpp"

using namespace reqld::server;

namespace {
Task* make_task(std::uint64_t token) {
  // The table looks at the token only; neither is ever reached.
  alignas(64) static char nowhere[64];
  return new Task(reinterpret_cast<Session&>(nowhere), reinterpret_cast<Reactor&>(nowhere), token, nullptr, 0);
}
}  // namespace

TEST_CASE("finds what was put in, under random changes") {
  for (const std::uint64_t spread :
       {std::uint64_t{1}, std::uint64_t{1} << 32, std::uint64_t{0x123456789abcdef}}) {
    std::mt19937 random(5);
    TokenTable table;
    std::map<std::uint64_t, Task*> model;
    for (int step = 0; step < 20'000; ++step) {
      const std::uint64_t token = (random() % 200) * spread;
      if (step % 4000 < 2500 ? random() % 3 != 0 : random() % 3 == 0) {
        if (model.count(token) == 0) table.insert(*(model[token] = make_task(token)));
      } else if (model.count(token) != 0) {
        table.erase(token);
        model[token]->release();
        model.erase(token);
      } else {
        table.erase(token);
      }
      CHECK(table.size() == model.size());
      const std::uint64_t probe = (random() % 200) * spread;
      CHECK(table.find(probe) == (model.count(probe) != 0 ? model[probe] : nullptr));
    }
    CHECK(table.all().size() == model.size());
    for (auto& [token, task] : model) {
      table.erase(token);
      task->release();
    }
    CHECK(table.size() == 0);
    CHECK(table.find(0) == nullptr);
  }
}
