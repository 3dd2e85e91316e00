#include "storage/tables/background.hpp"

#include "storage/tables/change_log.hpp"
#include "storage/tables/database_impl.hpp"
#include "storage/tables/index_build.hpp"

namespace reqld::storage {

namespace {

// How much one job may do: writes that wait behind it are delayed by a few milliseconds at most.
constexpr std::size_t kDeletesPerJob = 1000;
constexpr std::size_t kDeletedBytesPerJob = 4u << 20;
constexpr std::size_t kChunksPerJob = 2048;
// Blobs that somebody may still read are looked at again after this.
constexpr std::chrono::milliseconds kReclaimPause{200};
constexpr std::chrono::seconds kFailurePause{1};
// How often change logs are looked at.
constexpr std::chrono::seconds kTrimPause{1};

// Deletes logged changes from the front of a table's log as long as `more` says so, within a job's limits.
// Answers whether that ended it.
template <typename More>
bool delete_logged(JobWriter& writer, const KeyRange& range, More more) {
  WriteTxn& txn = writer.txn();
  std::vector<std::string> keys;
  std::vector<std::string> with_blobs;
  std::size_t bytes = 0;
  bool ended = true;
  for (auto c = txn.cursor(range, Direction::kForward); c->valid(); c->next()) {
    const LoggedChange change = parse_logged_change(c->value());
    if (!more(log_position(c->key()), change, c->value().size())) break;
    keys.emplace_back(c->key());
    bytes += c->value().size();
    for (const std::string_view row : {change.old_row, change.new_row})
      if (row_has_blob(row)) with_blobs.emplace_back(row);
    if (keys.size() < kDeletesPerJob && bytes < kDeletedBytesPerJob) continue;
    ended = false;
    break;
  }
  for (const std::string& key : keys) txn.del(key);
  for (const std::string& row : with_blobs) writer.release_blobs(row);
  return ended;
}

Datum logged_row(std::string_view bytes) {
  return row_has_blob(bytes) ? Datum::from_encoded(bytes) : Datum();
}

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
      for (const Step step : {delete_some(), reclaim_some(), build_some(), trim_some()}) {
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
    else if (logs_kept_)
      woken_ |= !changed_.wait_for(lock, kTrimPause, due);
    else
      changed_.wait(lock, due);
    if (stopping_) return;
    woken_ = false;
  }
}

Background::Step Background::delete_some() {
  char kind = 0;
  std::uint32_t space = 0;
  std::string bound;
  {
    const std::unique_ptr<Snapshot> snapshot = database_.engine().snapshot();
    for (auto c = View(*snapshot).cursor(whole_space(kTaskSpace)); c->valid() && !kind; c->next()) {
      const std::string_view key = c->key().substr(kSpaceBytes);
      if (key[0] != kTaskDropRows && key[0] != kTaskDropIndex && key[0] != kTaskDropLog) continue;
      kind = key[0];
      space = load_u32(key.substr(1));
      bound = c->value();
    }
  }
  if (!kind) return Step::kNothing;
  if (kind == kTaskDropLog) return drop_log_step(space, bound);
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

Background::Step Background::drop_log_step(std::uint32_t space, const std::string& bound) {
  const Result<Sequence> done = database_.run_inner(
      [space, &bound](JobWriter& writer, JobOutcome&) -> Result<void> {
        // Meanwhile the table may keep a new log, and may have dropped that too.
        const auto task = writer.txn().get(task_key(kTaskDropLog, space));
        if (!task || *task != bound) return {};
        const ChangePosition last = decode_position(bound);
        const bool ended =
            delete_logged(writer, whole_log(space),
                          [&](ChangePosition at, const LoggedChange&, std::size_t) { return at <= last; });
        if (ended) writer.txn().del(task_key(kTaskDropLog, space));
        return {};
      },
      Durability::kSoft);
  if (!done) throw StorageError(done.error());
  return Step::kMore;
}

Background::Step Background::trim_some() {
  std::map<std::uint32_t, ChangeLogLimits> kept;
  const auto catalog = database_.catalog();
  for (const auto& table : catalog->tables)
    if (table->change_log) kept.emplace(table->space, *table->change_log);
  // Before the pause is looked at: a table may have begun to keep one during it.
  logs_kept_ = !kept.empty();
  const auto now = std::chrono::steady_clock::now();
  if (now < next_trim_) return Step::kNothing;
  for (const auto& [space, limits] : kept) {
    const std::uint64_t age_us = static_cast<std::uint64_t>(std::min(limits.seconds, 1e11) * 1e6);
    const std::uint64_t time = wall_clock_us();
    const std::uint64_t oldest = time > age_us ? time - age_us : 0;
    const auto is_over = [oldest, most = limits.bytes](const LoggedChange& first, std::uint64_t bytes) {
      return first.time_us < oldest || bytes > most;
    };
    {
      const std::unique_ptr<Snapshot> snapshot = database_.engine().snapshot();
      const auto record = snapshot->get(log_head_key(space));
      if (!record) continue;
      const ChangeLogHead head = decode_log_head(*record);
      KeyRange range = whole_log(space);
      range.lower = log_key(space, head.trimmed) + '\0';
      const auto first = snapshot->cursor(range, Direction::kForward);
      if (!first->valid() || !is_over(parse_logged_change(first->value()), head.bytes)) continue;
    }
    const Result<Sequence> done = database_.run_inner(
        [&, space = space](JobWriter& writer, JobOutcome& outcome) -> Result<void> {
          const auto record = writer.txn().get(log_head_key(space));
          if (!record) return {};
          ChangeLogHead head = decode_log_head(*record);
          KeyRange range = whole_log(space);
          range.lower = log_key(space, head.trimmed) + '\0';
          delete_logged(
              writer, range, [&](ChangePosition at, const LoggedChange& change, std::size_t record_bytes) {
                if (!is_over(change, head.bytes)) return false;
                head.trimmed = at;
                if (head.changes > 0) --head.changes;
                head.bytes -= std::min(head.bytes, logged_bytes(record_bytes, logged_row(change.old_row),
                                                                logged_row(change.new_row)));
                return true;
              });
          writer.txn().put(log_head_key(space), encode_log_head(head));
          outcome.background = true;
          return {};
        },
        Durability::kSoft);
    if (!done) throw StorageError(done.error());
    return Step::kMore;
  }
  next_trim_ = now + kTrimPause;
  return Step::kNothing;
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
