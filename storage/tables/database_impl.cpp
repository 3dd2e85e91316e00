#include "storage/tables/database_impl.hpp"

#include <algorithm>
#include <future>
#include <random>

#include "datum/key_codec.hpp"
#include "storage/tables/reader.hpp"

namespace reqld::storage {

namespace {

/// The rows of so many keys fit in the caches of a core; those of more would push each other out.
constexpr std::size_t kMostExpected = 128;

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Result<std::unique_ptr<Database>> open_database(std::unique_ptr<Engine> engine, DatabaseOptions options) {
  auto database = std::make_unique<DatabaseImpl>(std::move(engine), std::move(options));
  try {
    if (Result<void> started = database->start(); !started) return started.error();
  } catch (const StorageError& e) {
    return Error{e.kind(), e.what()};
  }
  return std::unique_ptr<Database>(std::move(database));
}

DatabaseImpl::DatabaseImpl(std::unique_ptr<Engine> engine, DatabaseOptions options)
    : options_(std::move(options)),
      engine_(std::move(engine)),
      blobs_(std::make_shared<BlobStore>(*engine_)),
      parts_(options_.index_functions, options_.change_log),
      incarnation_(random_number()),
      tables_(parts_),
      context_{.tables = tables_,
               .notes = notes_,
               .numbers = numbers_,
               .blobs = *blobs_,
               .blob_threshold = options_.blob_threshold,
               .wanted =
                   [this](const TableInfo& table) {
                     if (!has_listeners_.load(std::memory_order_relaxed)) return false;
                     std::lock_guard lock(listeners_mutex_);
                     return std::any_of(listeners_.begin(), listeners_.end(),
                                        [&](ChangeListener* l) { return l->wants(table); });
                   }},
      background_(*this) {}

DatabaseImpl::~DatabaseImpl() {
  background_.stop();
  blobs_->close();
  engine_.reset();
}

Result<void> DatabaseImpl::start() {
  first_sequence_ = engine_->last_sequence();
  engine_->set_commit_listener([this](Sequence sequence) { on_commit(sequence); });
  const bool fresh = !engine_->snapshot()->get(space_key(kMetaSpace, kMetaFormat));
  if (fresh && options_.engine.read_only)
    return Error{ErrorKind::kNotFound, "There is no database in " + options_.engine.directory + "."};
  if (fresh) {
    set_catalog(std::make_shared<const Catalog>());
    const Uuid id = make_uuid();
    const DbInfo test{.id = make_uuid(), .name = "test"};
    const Result<Sequence> made = run_inner(
        [&](JobWriter& writer, JobOutcome& outcome) -> Result<void> {
          WriteTxn& txn = writer.txn();
          std::string format;
          append_u32(kFormat, format);
          txn.put(space_key(kMetaSpace, kMetaFormat), format);
          txn.put(space_key(kMetaSpace, kMetaDatabaseId), id);
          txn.put(db_record_key(test.id), encode_db(test));
          txn.put(db_name_key(test.name), test.id);
          outcome.dbs.push_back(test.id);
          return {};
        },
        Durability::kHard);
    if (!made) return made.error();
  }

  const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
  const View view(*snapshot);
  const auto format = view.get(space_key(kMetaSpace, kMetaFormat));
  if (!format || format->size() != 4 || load_u32(*format) != kFormat)
    return Error{ErrorKind::kCorrupt, "The data in " + options_.engine.directory +
                                          " has a format that this version does not know."};
  const auto id = view.get(space_key(kMetaSpace, kMetaDatabaseId));
  if (!id) return Error{ErrorKind::kCorrupt, "The data in " + options_.engine.directory + " has no id."};
  id_ = *id;
  for (auto heads = view.cursor(whole_space(kHeadSpace)); heads->valid(); heads->next())
    next_stamp_ = std::max(next_stamp_, decode_head(heads->value()).stamp + 1);
  set_catalog(load_catalog(view, parts_));
  if (options_.engine.read_only) return {};
  if (Result<void> done = start_change_logs(); !done) return done;
  background_.start();
  return {};
}

std::shared_ptr<const Catalog> DatabaseImpl::catalog() const {
  // Every query asks, on every thread: each keeps the newest catalog with a count of its own, so that they
  // share neither a lock nor a counter. A function of its own, since a coroutine may come back on another
  // thread.
  struct Newest {
    std::uint64_t version = 0;
    std::shared_ptr<const std::shared_ptr<const Catalog>> catalog;
  };
  thread_local Newest newest;
  if (newest.version != catalog_version_.load(std::memory_order_acquire)) {
    std::lock_guard lock(catalog_mutex_);
    newest.catalog = std::make_shared<const std::shared_ptr<const Catalog>>(catalog_);
    newest.version = catalog_version_.load(std::memory_order_relaxed);
  }
  return {newest.catalog, newest.catalog->get()};
}

void DatabaseImpl::set_catalog(std::shared_ptr<const Catalog> catalog) {
  static std::atomic<std::uint64_t> versions{0};  // of all databases of the process
  std::lock_guard lock(catalog_mutex_);
  catalog_ = std::move(catalog);
  catalog_version_.store(versions.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_release);
}

std::unique_ptr<Reader> DatabaseImpl::reader() {
  return std::make_unique<SnapshotReader>(*engine_, *blobs_);
}

Result<void> DatabaseRequest::run(WriteTxn& txn) {
  return database_->run(outcome_, [this](JobWriter& writer) { return write(writer); }, txn);
}

void DatabaseRequest::finished(Result<Sequence> result) {
  DatabaseImpl::count_activity(*outcome_, result);
  done(std::move(result));
}

void DatabaseImpl::submit(Job job, Durability durability, Done done) {
  submit_inner([job = std::move(job)](JobWriter& writer, JobOutcome&) { return job(writer); }, durability, std::move(done));
}

void DatabaseImpl::submit(DatabaseRequest& request, const ExpectedRows& expected) {
  std::vector<std::string> keys;
  const std::size_t count = std::min(expected.keys.size(), kMostExpected);
  keys.reserve(count);
  for (std::size_t i = 0; i < count; ++i) keys.push_back(space_key(expected.table->space, expected.keys[i]));
  request.expect(std::move(keys));
  request.database_ = this;
  request.outcome_ = std::make_shared<JobOutcome>();
  engine_->submit(request);
}

void DatabaseImpl::submit_inner(InnerJob job, Durability durability, Done done) {
  auto outcome = std::make_shared<JobOutcome>();
  engine_->submit(
      [this, outcome, job = std::move(job)](WriteTxn& txn) {
        return run(outcome, [&](JobWriter& writer) { return job(writer, *outcome); }, txn);
      },
      durability,
      [outcome, done = std::move(done)](Result<Sequence> result) {
        count_activity(*outcome, result);
        if (done) done(std::move(result));
      });
}

void DatabaseImpl::count_activity(JobOutcome& outcome, const Result<Sequence>& result) {
  if (!result) outcome.failed.store(true);
  if (result)
    for (const auto& [table, counts] : outcome.activity) table->wrote(counts.rows_written, counts.bytes_written);
}

Result<Sequence> DatabaseImpl::run_inner(InnerJob job, Durability durability) {
  std::promise<Result<Sequence>> promise;
  std::future<Result<Sequence>> future = promise.get_future();
  submit_inner(std::move(job), durability,
               [&promise](Result<Sequence> result) { promise.set_value(std::move(result)); });
  return future.get();
}

template <typename Body>
Result<void> DatabaseImpl::run(const std::shared_ptr<JobOutcome>& outcome, const Body& body, WriteTxn& txn) {
  begin_run(*outcome, txn.sequence());
  JobWriter writer(context_, txn, *outcome);
  if (Result<void> result = body(writer); !result) return result;
  writer.finish();
  if (outcome->anything()) {
    outcome->pending = true;
    pending_.push_back(outcome);
  }
  return {};
}

void DatabaseImpl::begin_run(JobOutcome& outcome, Sequence sequence) {
  // A job that waits already is being run again: so will those be that came after it.
  std::size_t keep = pending_.size();
  if (outcome.pending)
    keep =
        std::find_if(pending_.begin(), pending_.end(), [&](const auto& p) { return p.get() == &outcome; }) -
        pending_.begin();
  // What waits for another commit than the coming one lost it: that commit failed.
  if (keep > 0 && pending_[keep - 1]->sequence != sequence) {
    std::for_each(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(keep),
                  [](const auto& p) { p->pending = false; });
    keep = 0;
  }
  for (std::size_t i = keep; i < pending_.size(); ++i) pending_[i]->pending = false;
  pending_.resize(keep);
  outcome.clear();
  outcome.sequence = sequence;
}

void DatabaseImpl::on_commit(Sequence sequence) {
  if (pending_.empty()) return;
  std::vector<std::shared_ptr<JobOutcome>> outcomes;
  outcomes.swap(pending_);
  std::vector<RowChange> changes;
  std::vector<Uuid> dbs, tables;
  bool background = false;
  std::uint32_t job = 0;
  for (const auto& outcome : outcomes) {
    outcome->pending = false;
    if (outcome->sequence != sequence || outcome->failed.load()) continue;
    for (RowChange& change : outcome->changes) change.job = job;
    ++job;
    if (changes.empty())
      changes = std::move(outcome->changes);
    else
      std::move(outcome->changes.begin(), outcome->changes.end(), std::back_inserter(changes));
    dbs.insert(dbs.end(), outcome->dbs.begin(), outcome->dbs.end());
    tables.insert(tables.end(), outcome->tables.begin(), outcome->tables.end());
    background |= outcome->background;
  }
  if (!changes.empty()) {
    std::lock_guard lock(listeners_mutex_);
    const std::vector<ChangeListener*> listeners = listeners_;
    for (ChangeListener* listener : listeners)
      if (std::find(listeners_.begin(), listeners_.end(), listener) != listeners_.end())
        listener->on_changes(changes);
  }
  if (!dbs.empty() || !tables.empty()) publish_catalog(sequence, dbs, tables);
  // A change of the catalog may be work too: a table that keeps a change log from now on, or a shorter one.
  if (background || !dbs.empty() || !tables.empty()) background_.wake();
}

void DatabaseImpl::publish_catalog(Sequence sequence, const std::vector<Uuid>& dbs,
                                   const std::vector<Uuid>& tables) {
  const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
  const View view(*snapshot);
  const std::shared_ptr<const Catalog> before = catalog();
  auto after = std::make_shared<Catalog>(*before);
  // All old names go before the first new one comes: names may have been swapped.
  std::erase_if(after->dbs, [&](const auto& db) {
    return std::find(dbs.begin(), dbs.end(), db.second->id) != dbs.end();
  });
  for (const Uuid& id : tables) after->tables.remove(id);
  for (const Uuid& id : dbs)
    if (auto db = load_db(view, id)) after->dbs.emplace(db->name, std::move(db));
  for (const Uuid& id : tables) {
    after->tables.remove(id);
    if (auto table = load_table(view, id, parts_)) after->tables.add(std::move(table));
  }
  set_catalog(after);
  for (const Uuid& id : tables) {
    const auto old = before->tables.by_id(id);
    if (!old) continue;
    const auto now = after->tables.by_id(id);
    for (const auto& [name, index] : old->indexes) {
      const IndexInfo* same = nullptr;
      if (now)
        for (const auto& [other_name, other] : now->indexes)
          if (other->id == index->id) same = other.get();
      if (!same) parts_.drop_index(index->id);
      if (!same || same->ready) notes_.forget(index->space);
    }
    if (!now) {
      tables_.forget(old->space);
      parts_.drop_table(id);
    }
  }
  std::lock_guard lock(listeners_mutex_);
  const CatalogChange change{sequence, before, after};
  const std::vector<ChangeListener*> listeners = listeners_;
  for (ChangeListener* listener : listeners)
    if (std::find(listeners_.begin(), listeners_.end(), listener) != listeners_.end())
      listener->on_catalog(change);
}

void DatabaseImpl::add_listener(ChangeListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(listener);
  has_listeners_.store(true);
}

void DatabaseImpl::remove_listener(ChangeListener* listener) {
  std::lock_guard lock(listeners_mutex_);
  std::erase(listeners_, listener);
  has_listeners_.store(!listeners_.empty());
}

std::uint64_t DatabaseImpl::table_bytes(const TableInfo& table) {
  constexpr std::size_t kSample = 64;
  SnapshotReader reader(*engine_, *blobs_);
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  for (auto c = reader.snapshot().cursor(whole_space(table.space), Direction::kForward);
       c->valid() && rows < kSample; c->next()) {
    bytes += c->key().size() + c->value().size();
    ++rows;
    if (!row_has_blob(c->value())) continue;
    std::vector<BlobRef> refs;
    collect_blobs(Datum::from_encoded(c->value()), refs);
    for (const BlobRef& ref : refs) bytes += ref.length;
  }
  return rows == 0 ? 0 : bytes * reader.count(table) / rows;
}

namespace {

std::string system_key(const std::string& collection, const std::string& key) {
  std::string rest = collection;
  rest.push_back('\0');
  return space_key(kSystemSpace, rest + key);
}

}  // namespace

std::optional<Datum> DatabaseImpl::get_system(const std::string& collection, const std::string& key) {
  const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
  const auto value = snapshot->get(system_key(collection, key));
  if (!value) return std::nullopt;
  return Datum::from_encoded(*value);
}

std::vector<std::pair<std::string, Datum>> DatabaseImpl::list_system(const std::string& collection) {
  const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
  const std::string prefix = system_key(collection, "");
  std::vector<std::pair<std::string, Datum>> out;
  for (auto c = View(*snapshot).prefix(prefix); c->valid(); c->next())
    out.emplace_back(c->key().substr(prefix.size()), Datum::from_encoded(c->value()));
  return out;
}

void DatabaseImpl::put_system(const std::string& collection, const std::string& key, const Datum& value,
                              Done done) {
  std::string stored = system_key(collection, key);
  if (stored.size() > engine_->max_key_size() || collection.find('\0') != std::string::npos) {
    if (done) done(Error{ErrorKind::kKeyTooLong, "The name of a system record is too long."});
    return;
  }
  submit_inner(
      [stored = std::move(stored), value](JobWriter& writer, JobOutcome&) -> Result<void> {
        if (value.is_null())
          writer.txn().del(stored);
        else
          writer.txn().put(stored, value.encoded());
        return {};
      },
      Durability::kHard, std::move(done));
}

}  // namespace reqld::storage
