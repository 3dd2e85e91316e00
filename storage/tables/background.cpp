#include "storage/tables/background.hpp"

#include "storage/tables/database_impl.hpp"
#include "storage/tables/index_build.hpp"

namespace reqld::storage {

namespace {

// How much one job may do: writes that wait behind it are delayed by a few milliseconds at most.
constexpr std::size_t kDeletesPerJob = 1000;
constexpr std::size_t kDeletedBytesPerJob = 4u << 20;
constexpr std::size_t kChunksPerJob = 128;
// Blobs that somebody may still read are looked at again after this.
constexpr std::chrono::milliseconds kReclaimPause{200};
constexpr std::chrono::seconds kFailurePause{1};

}  // namespace

Background::Background(DatabaseImpl& database) : database_(database) {}
Background::~Background() {
  stop();
}

void Background::start() {
  thread_ = std::thread(&Background::run, this);
}

void Background::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Background::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Background::run() {
  for (;;) {
    bool more = false;
    bool waiting = false;
    bool failed = false;
    try {
      for (const Step step : {delete_some(), reclaim_some(), build_some()}) {
        more |= step == Step::kMore;
        waiting |= step == Step::kWaiting;
      }
    } catch (const std::exception&) {
      // Damaged records or a failing disk: whoever reads or writes is told; here it is only tried again.
      failed = true;
    }
    std::unique_lock lock(mutex_);
    const auto due = [this] { return stopping_ || woken_; };
    if (failed)
      changed_.wait_for(lock, kFailurePause, [this] { return stopping_; });
    else if (more)
      woken_ = true;
    else if (waiting)
      woken_ |= !changed_.wait_for(lock, kReclaimPause, due);
    else
      changed_.wait(lock, due);
    if (stopping_) return;
    woken_ = false;
  }
}

Background::Step Background::delete_some() {
  char kind = 0;
  std::uint32_t space = 0;
  {
    const std::unique_ptr<Snapshot> snapshot = database_.engine().snapshot();
    for (auto c = View(*snapshot).cursor(whole_space(kTaskSpace)); c->valid() && !kind; c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key[0] != kTaskDropRows && key[0] != kTaskDropIndex) continue;
      kind = key[0];
      space = load_u32(key.substr(1));
    }
  }
  if (!kind) return Step::kNothing;
  const Result<Sequence> done = database_.run_inner(
      [kind, space](JobWriter& writer, JobOutcome&) -> Result<void> {
        WriteTxn& txn = writer.txn();
        std::vector<std::string> keys;
        std::vector<std::string> with_blobs;
        std::size_t bytes = 0;
        auto c = txn.cursor(whole_space(space), Direction::kForward);
        for (; c->valid() && keys.size() < kDeletesPerJob && bytes < kDeletedBytesPerJob; c->next()) {
          keys.emplace_back(c->key());
          bytes += c->value().size();
          if (kind == kTaskDropRows && row_has_blob(c->value())) with_blobs.emplace_back(c->value());
        }
        const bool last = !c->valid();
        c.reset();
        for (const std::string& key : keys) txn.del(key);
        for (const std::string& row : with_blobs) writer.release_blobs(row);
        if (last) txn.del(task_key(kind, space));
        return {};
      },
      Durability::kSoft);
  if (!done) throw StorageError(done.error());
  return Step::kMore;
}

Background::Step Background::reclaim_some() {
  Engine& engine = database_.engine();
  // Only what a visible commit has buried: its readers' snapshots can be told apart by their sequence.
  const Sequence newest = engine.last_sequence();
  const Sequence oldest = database_.blobs().epochs().oldest(newest);
  {
    const std::unique_ptr<Snapshot> snapshot = engine.snapshot();
    const auto graves = View(*snapshot).cursor(whole_space(kGraveyardSpace));
    if (!graves->valid()) return Step::kNothing;
    if (load_u64(graves->key().substr(kSpaceBytes)) > oldest) return Step::kWaiting;
  }
  const Result<Sequence> done = database_.run_inner(
      [oldest](JobWriter& writer, JobOutcome&) -> Result<void> {
        reclaim_blobs(writer.txn(), oldest, kChunksPerJob);
        return {};
      },
      Durability::kSoft);
  if (!done) throw StorageError(done.error());
  return Step::kMore;
}

void Background::find_builds() {
  std::map<std::uint32_t, BuildTask> tasks;
  const std::unique_ptr<Snapshot> snapshot = database_.engine().snapshot();
  std::string prefix = space_key(kTaskSpace);
  prefix.push_back(kTaskBuild);
  for (auto c = View(*snapshot).prefix(prefix); c->valid(); c->next())
    tasks.emplace(load_u32(c->key().substr(prefix.size())), decode_build_task(c->value()));
  std::erase_if(builds_, [&](const auto& build) { return !tasks.contains(build.first); });
  for (const auto& [space, task] : tasks)
    if (!builds_.contains(space))
      builds_.emplace(space, std::make_unique<IndexBuild>(database_, space, task));
}

Background::Step Background::build_some() {
  find_builds();
  Step result = Step::kNothing;
  for (auto it = builds_.begin(); it != builds_.end();) {
    bool more;
    try {
      more = it->second->step();
    } catch (const std::exception&) {
      // Its function cannot be made, or rows are damaged: the others go on.
      if (result == Step::kNothing) result = Step::kWaiting;
      ++it;
      continue;
    }
    result = Step::kMore;
    if (more)
      ++it;
    else
      it = builds_.erase(it);
  }
  return result;
}

}  // namespace reqld::storage
