#include "tests/crash/history.hpp"

#include <algorithm>
#include <functional>

namespace reqld::crash {

using storage::Sequence;

Fingerprint fingerprint(std::string_view value) {
  return {std::hash<std::string_view>{}(value), value.size(), false};
}

void History::add(Sequence sequence, const JobWrites& job) {
  std::lock_guard lock(mutex_);
  commits_[sequence].push_back(job);
}

void History::seal() {
  keys_.clear();
  live_keys_.clear();
  std::uint64_t live = 0;
  live_keys_[0] = 0;
  for (const auto& [sequence, jobs] : commits_) {
    for (const auto& job : jobs) {
      for (const auto& [key, value] : job.writes) {
        auto& versions = keys_[key];
        const bool was = !versions.empty() && !versions.back().value.gone;
        if (!value.gone && !was) ++live;
        if (value.gone && was) --live;
        if (!versions.empty() && versions.back().sequence == sequence) {
          versions.back().value = value;
        } else {
          versions.push_back({sequence, value});
        }
      }
    }
    live_keys_[sequence] = live;
  }
}

std::unique_ptr<History> History::until(Sequence sequence) const {
  auto out = std::make_unique<History>();
  for (const auto& [s, jobs] : commits_) {
    if (s <= sequence) out->commits_[s] = jobs;
  }
  return out;
}

Sequence History::last() const {
  return commits_.empty() ? 0 : commits_.rbegin()->first;
}

std::optional<std::string> History::check(storage::Snapshot& snapshot) const {
  return check(snapshot, snapshot.sequence());
}

std::optional<std::string> History::check(storage::Snapshot& snapshot, Sequence sequence) const {
  if (sequence > last()) return "commit " + std::to_string(sequence) + " was never made";
  std::uint64_t seen = 0;
  std::string previous;
  for (auto cursor = snapshot.cursor({"", ""}, storage::Direction::kForward); cursor->valid();
       cursor->next()) {
    const std::string_view key = cursor->key();
    if (seen++ > 0 && key <= previous) return "keys out of order at " + std::string(key);
    previous = key;
    const auto found = keys_.find(key);
    if (found == keys_.end()) return "a key that was never written: " + std::string(key.substr(0, 40));
    const auto& versions = found->second;
    auto after = std::upper_bound(versions.begin(), versions.end(), sequence,
                                  [](Sequence s, const Version& v) { return s < v.sequence; });
    const std::string where = std::string(key.substr(0, 40)) + " after commit " + std::to_string(sequence);
    if (after == versions.begin()) return "written too early: " + where;
    const Version& expected = *std::prev(after);
    if (expected.value.gone) return "should be gone: " + where;
    if (expected.value != fingerprint(cursor->value())) {
      for (const Version& v : versions) {
        if (v.value == fingerprint(cursor->value())) {
          return "has the value of commit " + std::to_string(v.sequence) + " instead of " +
                 std::to_string(expected.sequence) + ": " + where;
        }
      }
      return "wrong value: " + where;
    }
  }
  const std::uint64_t live = std::prev(live_keys_.upper_bound(sequence))->second;
  if (seen != live) {
    return std::to_string(seen) + " keys instead of " + std::to_string(live) + " after commit " +
           std::to_string(sequence);
  }
  return std::nullopt;
}

}  // namespace reqld::crash
