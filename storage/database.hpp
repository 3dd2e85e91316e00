// Databases, tables, rows, indexes and blobs over the key-value engine.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datum/datum.hpp"
#include "storage/activity.hpp"
#include "storage/engine.hpp"
#include "storage/result.hpp"
#include "storage/table_set.hpp"

namespace reqld::storage {

using Uuid = std::string;  ///< textual, 36 characters

/// What a Reader throws: kNotFound when the table or the index has been dropped meanwhile, kCorrupt when what
/// is stored contradicts itself.
class StorageError : public std::runtime_error {
 public:
  explicit StorageError(const Error& error) : std::runtime_error(error.message), kind_(error.kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// A counter that all copies share, so that an immutable catalog shows how far a build has come.
class Progress {
 public:
  std::uint64_t rows() const { return state_->rows.load(std::memory_order_relaxed); }
  operator std::uint64_t() const { return rows(); }  // NOLINT: reads like a number
  void set(std::uint64_t rows) const { state_->rows.store(rows, std::memory_order_relaxed); }
  std::chrono::duration<double> age() const { return std::chrono::steady_clock::now() - state_->began; }

 private:
  struct State {
    std::atomic<std::uint64_t> rows{0};
    const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// What makes the keys of a secondary index; `reql` implements it, storage only calls it. Thread-safe.
class IndexFunction {
 public:
  virtual ~IndexFunction() = default;
  /// Appends the index values of `row`: none when the row is left out (missing field, error), one, or many
  /// (multi, geo). A value that is there twice makes two entries. Called on the writer thread, on the
  /// background thread and on readers' threads.
  virtual void keys(const Datum& row, std::vector<Datum>& out) const = 0;
};
/// Makes the function from its stored definition (an opaque datum that reql wrote into the catalog).
using IndexFunctionFactory = std::function<std::shared_ptr<const IndexFunction>(const Datum& definition)>;

/// How long the changes of a table are kept for feeds that resume.
struct ChangeLogLimits {
  double seconds = 24 * 3600;
  std::uint64_t bytes = std::uint64_t{1} << 30;
};

struct IndexInfo {
  std::string name;
  Uuid id;
  std::uint32_t space = 0;
  bool multi = false;
  bool geo = false;
  bool ready = false;
  Progress built_rows;  ///< progress of the build while not ready
  Datum definition;     ///< opaque: what the factory takes
  std::shared_ptr<const IndexFunction> function;
  std::shared_ptr<std::atomic<bool>>
      dropped;  ///< storage's: shared by every version of this index, true once it is gone
};

struct TableInfo {
  Uuid id;
  Uuid db_id;
  std::string name;
  std::string primary_key = "id";
  Durability durability = Durability::kHard;
  std::uint32_t space = 0;
  Datum write_hook;  ///< opaque definition or null
  Datum settings;    ///< opaque object: further settings that reql keeps with the table (e.g. write_acks).
                   ///< Storage itself reads `change_log`: {retention_seconds, retention_bytes}, or false
  std::optional<ChangeLogLimits>
      change_log;  ///< storage's: from the settings, else DatabaseOptions::change_log
  std::map<std::string, std::shared_ptr<const IndexInfo>> indexes;
  std::shared_ptr<std::atomic<bool>>
      dropped;  ///< storage's: shared by every version of this table, true once it is gone
  std::shared_ptr<TableActivity>
      activity;  ///< storage's: likewise. Reads count what a Reader answers, writes what was committed
};

struct DbInfo {
  Uuid id;
  std::string name;
};

/// An immutable view of what exists. Hold it as long as you like; a dropped table stays readable as an object
/// but its rows answer kNotFound.
struct Catalog {
  std::map<std::string, std::shared_ptr<const DbInfo>> dbs;  ///< by name
  TableSet tables;
  const DbInfo* db(const std::string& name) const;
  const DbInfo* db_by_id(std::string_view id) const;
  std::shared_ptr<const TableInfo> table(const DbInfo& db, const std::string& name) const;
};

/// Where a change stands among all changes of the database: commits in order, and within one as they were
/// made.
struct ChangePosition {
  Sequence sequence = 0;
  std::uint32_t ordinal = 0;
  auto operator<=>(const ChangePosition&) const = default;
};
/// Behind every change of the commits up to `sequence`.
constexpr ChangePosition end_of(Sequence sequence) {
  return {sequence, 0xffffffffu};
}

/// One change of one row, published in commit order. `old_row`/`new_row` are null datums when there was / is
/// none. A row that one job writes twice has two changes.
struct RowChange {
  ChangePosition at;
  std::uint32_t job = 0;  ///< numbers the jobs of one commit; 0 for what comes from a change log
  std::shared_ptr<const TableInfo> table;
  std::string key;
  Datum old_row;
  Datum new_row;
};

/// A change of the catalog (table or index dropped, created, renamed, ready).
struct CatalogChange {
  Sequence sequence;
  std::shared_ptr<const Catalog> before;
  std::shared_ptr<const Catalog> after;
};

/// Called on the writer thread, in commit order, right after a commit is visible. Must not block.
/// A job that ran before wants() turned true may still be about to commit: who wants every change after a
/// snapshot makes wants() true, submits an empty job, and takes the snapshot when that is done.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  /// Whether changes of this table are wanted; asked before old and new rows are gathered, so that nobody
  /// listening costs nothing.
  virtual bool wants(const TableInfo& table) = 0;
  virtual void on_changes(const std::vector<RowChange>& changes) = 0;
  virtual void on_catalog(const CatalogChange& change) = 0;
};

/// A key in a secondary index: the indexed value, and the primary key of its row.
struct IndexRange {
  KeyRange values;  ///< over to_key(value): lower inclusive, upper exclusive (append a zero byte / take
                    ///< prefix_successor for the others)
};

/// One row as read.
struct Row {
  std::string key;    ///< encoded primary key
  Datum index_value;  ///< for index reads: the untruncated value this entry stands for
  Datum document;
};

/// How reading a change log came out.
enum class ChangeLogRead : std::uint8_t {
  kMore,  ///< there are more changes than were asked for
  kEnd,   ///< that is all that the snapshot has
  kGone,  ///< changes after the position are not kept (any more), or no log is kept
};

/// Where a row is, whether there is one or not.
struct RowPlace {
  const TableInfo* table = nullptr;
  std::string_view key;  ///< primary key
};

/// Reads within one snapshot. Bounded life: see Snapshot. One thread at a time. Throws StorageError; a table
/// that was made after the snapshot is empty in it.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual Sequence sequence() const = 0;

  virtual std::optional<Datum> get(const TableInfo& table, std::string_view key) = 0;
  /// A hint that these rows will be read next, see Snapshot::prefetch.
  virtual void prefetch(std::span<const RowPlace> rows) = 0;
  virtual std::uint64_t count(const TableInfo& table) = 0;

  /// Appends up to `max_rows` rows (or `max_bytes`; at least one) of a range of primary keys to `out`;
  /// returns where to go on (an exclusive bound in the given direction: pass it as the new lower or upper),
  /// nullopt at the end of the range. Rows of one call share buffers, each a few tens of KB.
  struct Limits {
    std::size_t max_rows = 1000;
    std::size_t max_bytes = 1u << 20;
  };
  virtual std::optional<std::string> scan(const TableInfo& table, const KeyRange& keys, Direction direction,
                                          Limits limits, std::vector<Row>& out) = 0;
  /// A key that has about as many possible keys before as behind it, of those from `keys.lower` to the last row there is:
  /// for reading a range in parts. Rows may lie all on one side. nullopt: the range has less than two rows, or about so.
  virtual std::optional<std::string> middle(const TableInfo& table, const KeyRange& keys) = 0;
  /// The same over an index, ordered by (value, primary key); the bound returned is opaque: pass it back as
  /// `resume`. `want_documents` false leaves Row::document null (counting, distinct values).
  virtual std::optional<std::string> scan_index(const TableInfo& table, const IndexInfo& index,
                                                const IndexRange& range, Direction direction,
                                                const std::optional<std::string>& resume, Limits limits,
                                                bool want_documents, std::vector<Row>& out) = 0;
  /// `scan` forward, with Row::index_value as an index has it of each row, computed anew; null for rows that it
  /// leaves out. Requires an index that is neither multi nor geo.
  virtual std::optional<std::string> scan_with_values(const TableInfo& table, const IndexInfo& index,
                                                      const KeyRange& keys, Limits limits,
                                                      std::vector<Row>& out) = 0;

  /// Appends the logged changes after a position, in order, up to `max_rows` or `max_bytes` (at least one).
  virtual ChangeLogRead read_change_log(const std::shared_ptr<const TableInfo>& table, ChangePosition after,
                                        Limits limits, std::vector<RowChange>& out) = 0;
};

/// What a row write answers; what a job computes with.
struct RowWrite {
  Datum old_row;  ///< null: there was none
  Datum new_row;  ///< null: there is none now. As stored (blobs out of line).
};

/// Writes within one job on the writer thread.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual WriteTxn& txn() = 0;
  /// The current row, this job's own writes included; kNotFound when the table is dropped.
  virtual Result<std::optional<Datum>> get(const TableInfo& table, std::string_view key) = 0;
  /// Stores `document` under `key` (to_primary_key of its primary key field, which the caller guarantees).
  /// Large binaries go out of line, indexes, count and blobs follow in the same commit, the change is
  /// published.
  virtual Result<RowWrite> put(const TableInfo& table, std::string_view key, const Datum& document) = 0;
  /// Removes the row if it is there.
  virtual Result<RowWrite> erase(const TableInfo& table, std::string_view key) = 0;
};

/// Rows that a job will read or write: a hint, so that their places in memory are waited for together.
struct ExpectedRows {
  const TableInfo* table = nullptr;
  std::vector<std::string_view> keys;
};

struct DatabaseOptions {
  EngineOptions engine;
  std::uint64_t blob_threshold = 16 * 1024;  ///< binaries of at least this many bytes are stored out of line
  IndexFunctionFactory index_functions;
  std::optional<ChangeLogLimits> change_log;  ///< for tables that have no such setting of their own
};

/// What is known of a sequence number that an earlier start of the database gave out.
enum class SequenceState : std::uint8_t {
  kKnown,    ///< stands for the commit it stood for then
  kUnknown,  ///< of another database, or of a history that this one does not go on with
  kLost,     ///< its commit was not on disk when the machine failed
};

class DatabaseImpl;
struct JobOutcome;

/// As EngineRequest, for a job that writes rows. Its owner destroys it only after done() was called.
class DatabaseRequest : private EngineRequest {
 public:
  explicit DatabaseRequest(Durability durability) : EngineRequest(durability) {}
  virtual Result<void> write(Writer& writer) = 0;
  virtual void done(Result<Sequence> result) = 0;

 private:
  friend class DatabaseImpl;
  Result<void> run(WriteTxn& txn) final;
  void finished(Result<Sequence> result) final;

  DatabaseImpl* database_ = nullptr;
  std::shared_ptr<JobOutcome> outcome_;
};

class Database {
 public:
  static Result<std::unique_ptr<Database>> open(DatabaseOptions options);
  virtual ~Database() = default;

  virtual Engine& engine() = 0;
  virtual Uuid id() const = 0;  ///< of the data directory: made once, kept in the catalog
  virtual std::shared_ptr<const Catalog> catalog() const = 0;
  virtual std::unique_ptr<Reader> reader() = 0;

  using Job = std::function<Result<void>(Writer&)>;
  using Done = Engine::Done;
  /// See EngineRequest and Engine::submit for threads, order and repeated runs.
  virtual void submit(DatabaseRequest& request, const ExpectedRows& expected) = 0;
  /// The same with a request of its own.
  virtual void submit(Job job, Durability durability, Done done) = 0;

  // Catalog changes: hard, answered through `done`, visible in catalog() before that. kExists/kNotFound name
  // what.
  virtual void create_db(DbInfo db, Done done) = 0;  ///< an empty id is filled in
  virtual void drop_db(const Uuid& db, Done done) = 0;  ///< with its tables
  virtual void rename_db(const Uuid& db, const std::string& name, Done done) = 0;
  /// An empty `table.id`, and spaces, are filled in by storage.
  virtual void create_table(const Uuid& db, TableInfo table, Done done) = 0;
  virtual void drop_table(const Uuid& table,
                          Done done) = 0;  ///< returns at once; space is reclaimed in the background
  /// Changes name, durability, primary_key (only that of an empty table), write_hook or settings.
  virtual void alter_table(const Uuid& table, std::function<Result<void>(TableInfo&)> change, Done done) = 0;
  /// Starts an online build in the background, in bounded steps while writes go on.
  virtual void create_index(const Uuid& table, IndexInfo index, Done done) = 0;
  virtual void drop_index(const Uuid& table, const std::string& name, Done done) = 0;
  virtual void rename_index(const Uuid& table, const std::string& from, const std::string& to, bool overwrite,
                            Done done) = 0;

  /// Small server-wide records (users, permissions, cluster settings) of the `rethinkdb` database: key ->
  /// datum, per collection.
  virtual std::optional<Datum> get_system(const std::string& collection, const std::string& key) = 0;
  virtual std::vector<std::pair<std::string, Datum>> list_system(const std::string& collection) = 0;
  virtual void put_system(const std::string& collection, const std::string& key, const Datum& value,
                          Done done) = 0;  ///< null removes

  /// Identifies this start of the database; goes with sequence numbers that are to be used after it.
  virtual std::uint64_t incarnation() const = 0;
  /// Only incarnations in which some table kept a change log are remembered.
  virtual SequenceState check_sequence(std::uint64_t incarnation, Sequence sequence) const = 0;

  virtual void add_listener(ChangeListener* listener) = 0;
  /// Not called any more when this returns. Not while holding a lock that the listener takes.
  virtual void remove_listener(ChangeListener* listener) = 0;

  /// Bytes on disk of one table's rows, estimated; for info() and stats.
  virtual std::uint64_t table_bytes(const TableInfo& table) = 0;
  /// The activity of all tables since the database was opened, of dropped ones too.
  virtual RowCounts activity() = 0;
};

}  // namespace reqld::storage
