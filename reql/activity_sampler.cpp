#include "reql/activity_sampler.hpp"

#include <algorithm>

#include "reql/running_queries.hpp"

namespace reqld::reql {

namespace {
constexpr std::chrono::seconds kWindow{1};
}

double ActivitySpan::per_second(std::uint64_t before, std::uint64_t now) const {
  const std::chrono::duration<double> span = now_->at - before_->at;
  // A table that is dropped and made again between two samples has counted from zero.
  return now <= before ? 0 : static_cast<double>(now - before) / std::max(span.count(), 0.001);
}

storage::RowCounts ActivitySpan::of(const ActivitySample& sample, const storage::Uuid& table) {
  const auto at = sample.tables.find(table);
  return at == sample.tables.end() ? storage::RowCounts() : at->second;
}

ActivitySampler::ActivitySampler(storage::Database& database, RunningQueries& running)
    : database_(database), running_(running), previous_(sample()), latest_(previous_) {}

ActivitySpan ActivitySampler::look() {
  const std::lock_guard lock(mutex_);
  const auto now = sample();
  if (now->at - latest_->at >= kWindow) {
    previous_ = std::move(latest_);
    latest_ = now;
  }
  return {previous_, now};
}

std::shared_ptr<const ActivitySample> ActivitySampler::sample() {
  auto sample = std::make_shared<ActivitySample>();
  sample->at = std::chrono::steady_clock::now();
  sample->queries = running_.started();
  sample->rows = database_.activity();
  const auto catalog = database_.catalog();
  for (const auto& table : catalog->tables) {
    if (table->activity) sample->tables.emplace(table->id, table->activity->counts());
  }
  return sample;
}

}  // namespace reqld::reql
