#include "tests/crash/model.hpp"

#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::crash {
namespace {

using storage::Cursor;
using storage::Direction;
using storage::Durability;
using storage::Engine;
using storage::EngineOptions;
using storage::Error;
using storage::ErrorKind;
using storage::KeyRange;
using storage::Result;
using storage::Sequence;
using storage::WriteTxn;

using Map = std::map<std::string, std::string, std::less<>>;

class Model {
 public:
  Model(std::uint64_t seed, const std::string& directory) : random_(seed) {
    options_.directory = directory;
    options_.map_bytes = 1u << 20;
    options_.checkpoint_bytes = 256u << 10 << up_to(6);
    options_.checkpoint_seconds = up_to(3) == 0 ? 0.01 : 60;
    options_.batch_bytes = 1u << up_to(20);
    key_space_ = 1 + up_to(up_to(1) == 0 ? 20 : 3000);
    prefix_bytes_ = up_to(2) == 0 ? up_to(490) : up_to(20);
    huge_ = up_to(199) == 0;
  }

  std::optional<std::string> run() {
    const std::size_t steps = 20 + up_to(60);
    std::optional<std::string> problem = reopen();
    for (std::size_t i = 0; i < steps && !problem; ++i) {
      switch (up_to(9)) {
        case 0:
          problem = reopen();
          break;
        case 1:
          problem = compare_snapshot();
          break;
        case 2:
          problem = several_jobs();
          break;
        default:
          problem = one_job();
      }
    }
    if (!problem && huge_) problem = huge_value();
    if (!problem) problem = reopen();
    if (!problem) problem = compare_snapshot();
    return problem;
  }

 private:
  std::size_t up_to(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n)(random_); }

  std::string key() {
    std::string out(prefix_bytes_, static_cast<char>(up_to(30) == 0 ? 0xff : 'p'));
    // Those that begin with four ff are the engine's own.
    if (out.size() > 3 && out[3] == '\xff') out[3] = '\xfe';
    out += std::to_string(up_to(key_space_));
    if (up_to(50) == 0) out.resize(511, '\0');
    if (up_to(50) == 0) out = std::string(1, static_cast<char>(up_to(255)));
    return out;
  }

  std::string value() {
    static constexpr std::size_t kSizes[] = {0, 1, 10, 100, 1000, 2030, 2040, 4080, 5000, 20000, 300000};
    std::size_t most = kSizes[up_to(up_to(20) == 0 ? 10 : 7)];
    std::string out(up_to(most), '\0');
    for (std::size_t i = 0; i < out.size(); i += 7) out[i] = static_cast<char>(random_());
    return out;
  }

  KeyRange range() {
    KeyRange out;
    if (up_to(2) != 0) out.lower = key();
    if (up_to(2) != 0) out.upper = key();
    if (up_to(20) == 0) out.upper += std::string(600, 'z');  // longer than any key
    if (up_to(20) == 0) out.upper = std::string(1 + up_to(10), '\xff');
    return out;
  }

  std::optional<std::string> reopen() {
    engine_.reset();
    auto opened = Engine::open(options_);
    if (!opened) return "open: " + opened.error().message;
    engine_ = std::move(*opened);
    if (engine_->last_sequence() != sequence_) return "the sequence after a restart is wrong";
    return std::nullopt;
  }

  /// A cursor against the map: the whole range, or jumping about in it.
  std::optional<std::string> compare_cursor(Cursor& cursor, const KeyRange& range, Direction direction,
                                            const Map& map) {
    auto lower = map.lower_bound(range.lower);
    auto upper = range.upper.empty() ? map.end() : map.lower_bound(range.upper);
    if (!range.upper.empty() && range.upper <= range.lower) upper = lower;
    std::vector<Map::const_iterator> expected;
    for (auto it = lower; it != upper; ++it) expected.push_back(it);
    if (direction == Direction::kBackward) std::reverse(expected.begin(), expected.end());
    std::size_t at = 0;
    for (std::size_t steps = 0; steps < expected.size() + 5; ++steps) {
      if (cursor.valid() != (at < expected.size())) return "a cursor ends at the wrong place";
      if (cursor.valid()) {
        if (cursor.key() != expected[at]->first) return "a cursor is on the wrong key";
        if (cursor.value() != expected[at]->second) return "a cursor has the wrong value";
      }
      if (up_to(15) == 0) {
        const std::string to = key();
        cursor.seek(to);
        at = 0;
        while (at < expected.size() &&
               (direction == Direction::kForward ? expected[at]->first < to : expected[at]->first >= to)) {
          ++at;
        }
      } else if (at < expected.size()) {
        cursor.next();
        ++at;
      }
    }
    return std::nullopt;
  }

  template <typename View>
  std::optional<std::string> compare(View& view, const Map& map) {
    for (int i = 0; i < 10; ++i) {
      const std::string k = key();
      const auto found = map.find(k);
      const auto got = view.get(k);
      if (got.has_value() != (found != map.end())) return "get finds what is not there, or not what is";
      if (got && *got != found->second) return "get has the wrong value";
    }
    for (const auto direction : {Direction::kForward, Direction::kBackward}) {
      const KeyRange r = range();
      if (auto problem = compare_cursor(*view.cursor(r, direction), r, direction, map)) return problem;
    }
    return std::nullopt;
  }

  std::optional<std::string> compare_snapshot() {
    auto snapshot = engine_->snapshot();
    if (snapshot->sequence() != sequence_) return "the snapshot is of the wrong commit";
    if (auto problem = compare(*snapshot, map_)) return problem;
    const KeyRange all;
    for (const auto direction : {Direction::kForward, Direction::kBackward}) {
      std::size_t n = 0;
      for (auto cursor = snapshot->cursor(all, direction); cursor->valid(); cursor->next()) ++n;
      if (n != map_.size())
        return "a full scan has " + std::to_string(n) + " keys, not " + std::to_string(map_.size());
    }
    return std::nullopt;
  }

  /// Random writes on `txn` and `map` alike, with looks in between.
  std::optional<std::string> write_some(WriteTxn& txn, Map& map) {
    const std::size_t n = up_to(up_to(9) == 0 ? 400 : 6);
    for (std::size_t i = 0; i < n; ++i) {
      const std::string k = key();
      if (up_to(3) == 0) {
        txn.del(k);
        map.erase(k);
      } else {
        std::string v = value();
        txn.put(k, v);
        map[k] = std::move(v);
      }
      if (up_to(30) == 0) {
        if (auto problem = compare(txn, map)) return "within a job: " + *problem;
      }
    }
    return compare(txn, map);
  }

  std::optional<std::string> one_job() {
    Map after = map_;
    std::optional<std::string> problem;
    const std::size_t kind = up_to(9);
    std::promise<Result<Sequence>> promise;
    engine_->submit(
        [&](WriteTxn& txn) -> Result<void> {
          after = map_;
          problem = write_some(txn, after);
          if (kind == 0) return Error{ErrorKind::kInvalid, "meant to fail"};
          if (kind == 1) txn.put(std::string(512, 'k'), "too long");
          return {};
        },
        up_to(1) == 0 ? Durability::kHard : Durability::kSoft,
        [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
    const Result<Sequence> result = promise.get_future().get();
    if (problem) return problem;
    if (kind <= 1) {
      if (result) return "a job succeeded that must fail";
      if (kind == 1 && result.error().kind != ErrorKind::kKeyTooLong)
        return "the wrong error: " + result.error().message;
      return std::nullopt;
    }
    if (!result) return "a job failed: " + result.error().message;
    map_ = std::move(after);
    sequence_ = *result;
    return std::nullopt;
  }

  /// Jobs that find themselves in one commit, some of them failing.
  std::optional<std::string> several_jobs() {
    const std::size_t n = 2 + up_to(6);
    std::vector<std::future<Result<Sequence>>> results;
    std::optional<std::string> problem;
    Map current = map_;
    std::promise<void> go;
    auto gate = go.get_future().share();
    for (std::size_t i = 0; i < n; ++i) {
      const bool fails = up_to(3) == 0;
      auto promise = std::make_shared<std::promise<Result<Sequence>>>();
      results.push_back(promise->get_future());
      engine_->submit(
          [&, gate, fails](WriteTxn& txn) -> Result<void> {
            gate.wait();
            Map mine = current;
            if (auto p = write_some(txn, mine)) problem = p;
            if (fails) return Error{ErrorKind::kInvalid, "meant to fail"};
            current = std::move(mine);
            return {};
          },
          up_to(1) == 0 ? Durability::kHard : Durability::kSoft,
          [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
    }
    go.set_value();
    // All of them, whatever comes out: until then they use what is here.
    for (auto& r : results) {
      const auto result = r.get();
      if (!result && result.error().message != "meant to fail") problem = "a job failed: " + result.error().message;
    }
    if (problem) return problem;
    map_ = std::move(current);
    sequence_ = engine_->last_sequence();
    return std::nullopt;
  }

  std::optional<std::string> huge_value() {
    const std::size_t size = (1u << 20) + up_to((64u << 20) - (1u << 20));
    std::promise<Result<Sequence>> promise;
    std::string v(size, 'h');
    for (std::size_t i = 0; i < size; i += 4093) v[i] = static_cast<char>(random_());
    engine_->submit(
        [&](WriteTxn& txn) -> Result<void> {
          txn.put("huge", v);
          return {};
        },
        Durability::kHard, [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
    const auto result = promise.get_future().get();
    if (!result) return "a huge value failed: " + result.error().message;
    map_["huge"] = std::move(v);
    sequence_ = *result;
    return compare_snapshot();
  }

  std::mt19937_64 random_;
  EngineOptions options_;
  std::size_t key_space_ = 0;
  std::size_t prefix_bytes_ = 0;
  bool huge_ = false;
  std::unique_ptr<Engine> engine_;
  Map map_;
  Sequence sequence_ = 0;
};

}  // namespace

std::optional<std::string> run_model(std::uint64_t seed, const std::string& directory) {
  std::filesystem::remove_all(directory);
  auto problem = Model(seed, directory).run();
  if (!problem) std::filesystem::remove_all(directory);
  return problem;
}

}  // namespace reqld::crash
