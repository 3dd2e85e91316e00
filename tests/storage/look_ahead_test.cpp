#include "storage/tables/look_ahead.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace reqld::storage {
namespace {

/// Remembers what is asked for.
class Asked final : public Snapshot {
 public:
  Sequence sequence() const override { return 0; }
  std::optional<std::string_view> get(std::string_view) override { return std::nullopt; }
  std::unique_ptr<Cursor> cursor(const KeyRange&, Direction) override { return nullptr; }
  void prefetch(std::span<const std::string_view> keys) override { times.emplace_back(keys.begin(), keys.end()); }

  std::vector<std::vector<std::string>> times;
};

}  // namespace

TEST_CASE("keys are looked for together, as often as asked") {
  Asked snapshot;
  LookAhead ahead;
  ahead.prefetch(snapshot);
  CHECK(snapshot.times.empty());

  std::vector<std::string> expected;
  for (std::uint32_t i = 0; !ahead.full(); ++i) {
    const std::string rest(i * 10, static_cast<char>('a' + i));
    ahead.add(300 + i, rest);
    expected.push_back(space_key(300 + i, rest));
    CHECK(ahead.size() == expected.size());
  }
  CHECK(expected.size() == kPrefetchKeys);
  ahead.prefetch(snapshot);
  CHECK(ahead.size() == 0);
  ahead.add(7, "again");
  ahead.prefetch(snapshot);
  ahead.prefetch(snapshot);
  REQUIRE(snapshot.times.size() == 2);
  CHECK(snapshot.times[0] == expected);
  CHECK(snapshot.times[1] == std::vector{space_key(7, "again")});
}

}  // namespace reqld::storage
