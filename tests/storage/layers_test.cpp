#include "storage/engine/layers.hpp"

#include <thread>

#include "storage/engine/read_view.hpp"
#include "tests/storage/engine_fixture.hpp"

namespace reqld::storage {

TEST_CASE("layers are overtaken when LMDB gets what is newer than their active memtable") {
  CurrentLayers current;
  const auto memtable = std::make_shared<Memtable>(0);
  current.set({.number = 1, .frozen = nullptr, .active = memtable});
  const auto first = current.get();
  CHECK_FALSE(current.overtaken(*first));
  current.set({.number = 2, .frozen = memtable, .active = std::make_shared<Memtable>(3)});
  current.begin_moving(1);
  CHECK_FALSE(current.overtaken(*first));
  current.begin_moving(2);
  CHECK(current.overtaken(*first));
  CHECK_FALSE(current.overtaken(*current.get()));
}

TEST_CASE("a view waits for layers that belong to its transaction") {
  const TempDirectory directory;
  auto env = LmdbEnv::open({.directory = directory.path(), .read_only = false, .map_bytes = 1u << 24});
  REQUIRE(env.ok());
  CurrentLayers current;
  current.set({.number = 1, .frozen = nullptr, .active = std::make_shared<Memtable>(4)});
  CHECK(ReadView(**env, current, ReadView::Of::kNewestCommit).sequence() == 4);
  CHECK(ReadView(**env, current, ReadView::Of::kWriter).sequence() == kNewest);
  current.begin_moving(2);
  Sequence seen = 0;
  std::thread reader([&] { seen = ReadView(**env, current, ReadView::Of::kNewestCommit).sequence(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // more than it would need if it did not wait
  current.set({.number = 2, .frozen = nullptr, .active = std::make_shared<Memtable>(5)});
  reader.join();
  CHECK(seen == 5);
}

}  // namespace reqld::storage
