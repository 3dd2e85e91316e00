#include "storage/engine/memtable.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace reqld::storage {
namespace {

std::string get(const Memtable& memtable, std::string_view key, Sequence at) {
  const Memtable::Version* found = memtable.find(key, at);
  if (found == nullptr) return "-";
  return found->gone ? "gone" : std::string(found->value);
}

/// All that a reader of commit `at` sees, in order.
std::string all(const Memtable& memtable, Sequence at) {
  std::string out;
  for (const auto* node = memtable.at_or_after({}); node != nullptr; node = Memtable::next(node)) {
    const auto* version = Memtable::version(node, at);
    if (version == nullptr) continue;
    out += std::string(Memtable::key(node)) + "=" + (version->gone ? "gone" : std::string(version->value)) + " ";
  }
  return out;
}

std::string number(int n) {
  std::string digits = std::to_string(n);
  return "k" + std::string(6 - digits.size(), '0') + digits;
}

}  // namespace

TEST_CASE("a memtable shows each reader the versions of its commit") {
  Memtable memtable(10);
  CHECK(memtable.empty());
  CHECK(memtable.newest() == 10);
  memtable.put(11, "b", "1", false);
  memtable.put(11, "a", "1", false);
  CHECK(memtable.empty());
  CHECK(get(memtable, "a", memtable.newest()) == "-");
  CHECK(get(memtable, "a", kNewest) == "1");
  memtable.publish(11);
  CHECK_FALSE(memtable.empty());
  CHECK(get(memtable, "a", memtable.newest()) == "1");
  memtable.put(12, "a", "2", false);
  memtable.put(12, "b", {}, true);
  memtable.put(12, "c", "2", false);
  memtable.publish(12);
  CHECK(all(memtable, 10).empty());
  CHECK(all(memtable, 11) == "a=1 b=1 ");
  CHECK(all(memtable, 12) == "a=2 b=gone c=2 ");
  CHECK(memtable.keys() == 3);
}

TEST_CASE("what is taken back of a memtable was never there") {
  Memtable memtable(0);
  memtable.put(1, "a", "1", false);
  memtable.publish(1);
  const auto begin = memtable.mark();
  memtable.put(2, "a", "2", false);
  const auto second = memtable.mark();
  memtable.put(2, "a", "3", false);
  memtable.put(2, "b", "3", false);
  memtable.rollback(second);
  CHECK(all(memtable, kNewest) == "a=2 ");
  memtable.put(2, "b", "4", false);
  CHECK(all(memtable, kNewest) == "a=2 b=4 ");
  std::vector<iovec> pieces;
  memtable.entries().pieces(begin.entries, pieces);
  REQUIRE(pieces.size() == 1);
  std::string_view log(static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len);
  LogEntry entry;
  REQUIRE(parse_entry(log, entry));
  CHECK(entry.key == "a");
  CHECK(entry.value == "2");
  REQUIRE(parse_entry(log, entry));
  CHECK(entry.key == "b");
  CHECK(entry.value == "4");
  CHECK(log.empty());
  memtable.rollback(begin);
  CHECK(all(memtable, kNewest) == "a=1 ");
  // The number is given again, to a commit with other writes.
  memtable.put(2, "c", "5", false);
  memtable.publish(2);
  CHECK(all(memtable, 2) == "a=1 c=5 ");
}

TEST_CASE("a memtable finds its way in any order of keys") {
  std::mt19937 random(7);
  for (const int kind : {0, 1, 2}) {
    Memtable memtable(0);
    std::map<std::string, std::string> model;
    for (int i = 0; i < 3000; ++i) {
      const int n = kind == 0 ? i : kind == 1 ? 3000 - i : static_cast<int>(random() % 2000);
      memtable.put(1, number(n), std::to_string(i), false);
      model[number(n)] = std::to_string(i);
    }
    memtable.publish(1);
    std::string expected;
    for (const auto& [key, value] : model) expected += key + "=" + value + " ";
    CHECK(all(memtable, 1) == expected);
    CHECK(memtable.keys() == model.size());
    for (int i = 0; i < 500; ++i) {
      const std::string key = number(static_cast<int>(random() % 3200)) + (random() % 2 == 0 ? "x" : "");
      const auto after = model.lower_bound(key);
      const auto* node = memtable.at_or_after(key);
      REQUIRE((node == nullptr) == (after == model.end()));
      if (node != nullptr) CHECK(Memtable::key(node) == after->first);
      const auto* before = memtable.before(key);
      REQUIRE((before == nullptr) == (after == model.begin()));
      if (before != nullptr) CHECK(Memtable::key(before) == std::prev(after)->first);
    }
    REQUIRE(memtable.last() != nullptr);
    CHECK(Memtable::key(memtable.last()) == std::prev(model.end())->first);
  }
}

TEST_CASE("a memtable is read while it is written") {
  // Each commit sets two keys far apart to its number, and adds one key.
  Memtable memtable(0);
  constexpr Sequence kCommits = 3000;
  std::atomic<bool> torn{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (memtable.newest() < kCommits) {
        const Sequence at = memtable.newest();
        if (at == 0) continue;
        const std::string expected = std::to_string(at);
        Sequence keys = 0;
        for (const auto* node = memtable.at_or_after("k"); node != nullptr; node = Memtable::next(node)) {
          if (Memtable::key(node) < "z" && Memtable::version(node, at) != nullptr) ++keys;
        }
        if (get(memtable, "a", at) != expected || get(memtable, "z", at) != expected || keys != at) torn = true;
      }
    });
  }
  std::mt19937 random(1);
  for (Sequence sequence = 1; sequence <= kCommits; ++sequence) {
    const std::string value = std::to_string(sequence);
    if (random() % 4 == 0) {
      const auto mark = memtable.mark();
      memtable.put(sequence, "a", "never", false);
      memtable.put(sequence, "k-never", "never", false);
      memtable.rollback(mark);
    }
    memtable.put(sequence, "a", value, false);
    memtable.put(sequence, "k" + std::to_string(random() % 1000) + "-" + value, "", false);
    memtable.put(sequence, "z", value, false);
    memtable.publish(sequence);
  }
  for (auto& reader : readers) reader.join();
  CHECK_FALSE(torn);
}

}  // namespace reqld::storage
