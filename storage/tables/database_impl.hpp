// The Database over an Engine.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/background.hpp"
#include "storage/tables/blobs.hpp"
#include "storage/tables/records.hpp"
#include "storage/tables/writer.hpp"

namespace reqld::storage {

/// Database::open on an engine that is open already.
Result<std::unique_ptr<Database>> open_database(std::unique_ptr<Engine> engine, DatabaseOptions options);

class DatabaseImpl final : public Database {
 public:
  DatabaseImpl(std::unique_ptr<Engine> engine, DatabaseOptions options);
  ~DatabaseImpl() override;
  /// Makes or reads the catalog; call once before anything else.
  Result<void> start();

  Engine& engine() override { return *engine_; }
  Uuid id() const override { return id_; }
  std::shared_ptr<const Catalog> catalog() const override;
  std::unique_ptr<Reader> reader() override;
  void submit(DatabaseRequest& request, const ExpectedRows& expected) override;
  void submit(Job job, Durability durability, Done done) override;

  void create_db(DbInfo db, Done done) override;
  void drop_db(const Uuid& db, Done done) override;
  void rename_db(const Uuid& db, const std::string& name, Done done) override;
  void create_table(const Uuid& db, TableInfo table, Done done) override;
  void drop_table(const Uuid& table, Done done) override;
  void alter_table(const Uuid& table, std::function<Result<void>(TableInfo&)> change, Done done) override;
  void create_index(const Uuid& table, IndexInfo index, Done done) override;
  void drop_index(const Uuid& table, const std::string& name, Done done) override;
  void rename_index(const Uuid& table, const std::string& from, const std::string& to, bool overwrite,
                    Done done) override;

  std::optional<Datum> get_system(const std::string& collection, const std::string& key) override;
  std::vector<std::pair<std::string, Datum>> list_system(const std::string& collection) override;
  void put_system(const std::string& collection, const std::string& key, const Datum& value,
                  Done done) override;

  std::uint64_t incarnation() const override { return incarnation_; }
  SequenceState check_sequence(std::uint64_t incarnation, Sequence sequence) const override;

  void add_listener(ChangeListener* listener) override;
  void remove_listener(ChangeListener* listener) override;
  std::uint64_t table_bytes(const TableInfo& table) override;
  RowCounts activity() override { return parts_.activity(); }

  /// A job of storage itself: sees the JobWriter, and may add to the outcome what changed.
  using InnerJob = std::function<Result<void>(JobWriter&, JobOutcome&)>;
  void submit_inner(InnerJob job, Durability durability, Done done);
  /// The same, waiting for it. Not on an engine thread.
  Result<Sequence> run_inner(InnerJob job, Durability durability);

  BlobStore& blobs() { return *blobs_; }
  BuildNotes& build_notes() { return notes_; }
  /// Within a job: makes every writer after this see the table's records anew.
  void touch_table(WriteTxn& txn, const TableInfo& table, JobOutcome& outcome);

 private:
  friend class DatabaseRequest;
  using CatalogChangeJob = std::function<Result<void>(WriteTxn&, JobOutcome&)>;
  void change_catalog(CatalogChangeJob job, Done done);
  void drop_table_records(WriteTxn& txn, const TableInfo& table, JobOutcome& outcome);
  void drop_index_records(WriteTxn& txn, const TableInfo& table, const IndexInfo& index);
  void start_log(WriteTxn& txn, std::uint32_t space);
  void drop_log(WriteTxn& txn, std::uint32_t space, JobOutcome& outcome);
  void note_incarnation(WriteTxn& txn);
  Result<void> start_change_logs();
  Result<std::shared_ptr<const TableInfo>> find_table(WriteTxn& txn, const Uuid& table);

  /// `body` is called with a JobWriter.
  template <typename Body>
  Result<void> run(const std::shared_ptr<JobOutcome>& outcome, const Body& body, WriteTxn& txn);
  static void count_activity(JobOutcome& outcome, const Result<Sequence>& result);
  void begin_run(JobOutcome& outcome, Sequence sequence);
  void on_commit(Sequence sequence);
  void publish_catalog(Sequence sequence, const std::vector<Uuid>& dbs, const std::vector<Uuid>& tables);

  DatabaseOptions options_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<BlobStore> blobs_;
  Uuid id_;

  void set_catalog(std::shared_ptr<const Catalog> catalog);

  mutable std::mutex catalog_mutex_;
  std::shared_ptr<const Catalog> catalog_;
  std::atomic<std::uint64_t> catalog_version_{
      ~std::uint64_t{0}};  ///< no two catalogs of the process have the same
  SharedParts parts_;

  // A listener may be removed from within a call to another; never taken while the catalog's mutex is held.
  std::recursive_mutex listeners_mutex_;
  std::vector<ChangeListener*> listeners_;
  std::atomic<bool> has_listeners_{false};

  const std::uint64_t incarnation_;
  Sequence first_sequence_ = 0;  // the newest one when this incarnation began
  std::vector<std::pair<std::uint64_t, Sequence>>
      incarnations_;  // with their first sequences; set by start()

  // Writer thread only.
  WriterTables tables_;
  BuildNotes notes_;
  ChangeNumbers numbers_;
  WriterContext context_;
  std::vector<std::shared_ptr<JobOutcome>> pending_;
  std::uint64_t next_stamp_ = 1;

  Background background_;
};

}  // namespace reqld::storage
