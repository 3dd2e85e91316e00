// The memory of a query's values, counted.

#include "datum/memory_account.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "datum/json.hpp"

using namespace reqld;

namespace {

/// The calling thread counts in `account`.
class Counting {
 public:
  explicit Counting(MemoryAccount* account) { MemoryAccount::set_of_thread(account); }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { MemoryAccount::set_of_thread(nullptr); }
};

Datum text(std::size_t bytes) {
  return Datum::string(std::string(bytes, 'x'));
}

}  // namespace

TEST_CASE("buffers count as long as they live, wherever they go") {
  const MemoryAccount::Owner account = MemoryAccount::open(1 << 20);
  Datum kept;
  {
    const Counting counting(account.get());
    kept = text(1000);
    CHECK(account->bytes() >= 1000);
    CHECK(account->bytes() < 1200);
    const Datum other = text(1000);
    CHECK(account->bytes() >= 2000);
    const Datum number = Datum::number(1), same = kept;
    CHECK(account->bytes() < 2400);
  }
  CHECK(account->bytes() < 1200);
  // Made without an account, it is nobody's.
  const Datum free = text(1000);
  CHECK(account->bytes() < 1200);
  std::thread([moved = std::move(kept)]() mutable { moved = Datum(); }).join();
  CHECK(account->bytes() == 0);
}

TEST_CASE("a value outlives the owner of its account") {
  Datum kept;
  {
    const MemoryAccount::Owner account = MemoryAccount::open(1 << 20);
    const Counting counting(account.get());
    kept = parse_json(R"(["one value that is too long to be kept inline", 2, 3])");
  }
  CHECK(kept.array_size() == 3);
  kept = Datum();
}

TEST_CASE("what would be too much is refused, and is not counted") {
  const MemoryAccount::Owner account = MemoryAccount::open(1 << 20);
  const Counting counting(account.get());
  std::vector<Datum> kept;
  const auto fill = [&] {
    for (;;) kept.push_back(text(100'000));
  };
  CHECK_THROWS_WITH_AS(fill(), doctest::Contains("Query too large"), DatumError);
  CHECK(kept.size() == 10);
  const std::size_t full = account->bytes();
  CHECK_THROWS_AS(text(100'000), DatumError);
  ArrayBuilder builder;
  const auto build = [&] {
    for (;;) builder.add(Datum::number(1));
  };
  CHECK_THROWS_AS(build(), DatumError);
  builder = ArrayBuilder();
  CHECK(account->bytes() == full);
  {
    const MemoryAccount::Pause pause;
    const Datum uncounted = text(1'000'000);
    CHECK(account->bytes() == full);
  }
  kept.pop_back();
  CHECK_NOTHROW(text(100'000));
  kept.clear();
  CHECK(account->bytes() == 0);
}

TEST_CASE("a buffer that grows and shrinks counts with its size") {
  const MemoryAccount::Owner account = MemoryAccount::open(1 << 20);
  const Counting counting(account.get());
  Ref<Buffer> buffer = Buffer::make(1000);
  const std::size_t overhead = account->bytes() - 1000;
  buffer = Buffer::resize(std::move(buffer), 5000);
  CHECK(account->bytes() == 5000 + overhead);
  buffer = Buffer::resize(std::move(buffer), 10);
  CHECK(account->bytes() == 10 + overhead);
  CHECK_THROWS_AS(Buffer::resize(std::move(buffer), 2 << 20), DatumError);
  CHECK(account->bytes() == 0);
}

TEST_CASE("charges move, and end with what they are for") {
  const MemoryAccount::Owner account = MemoryAccount::open(1000);
  const Counting counting(account.get());
  MemoryCharge charge;
  charge.add(400);
  {
    MemoryCharge moved = std::move(charge);
    moved.add(400);
    CHECK(account->bytes() == 800);
    CHECK_THROWS_AS(moved.add(400), DatumError);
    CHECK(account->bytes() == 800);
  }
  CHECK(account->bytes() == 0);
}
