// Databases, tables and indexes as records of the catalog space.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/database.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

inline constexpr std::size_t kUuidBytes = 36;
/// Names are part of a key.
inline constexpr std::size_t kMaxNameBytes = 400;

Uuid make_uuid();

std::string db_record_key(const Uuid& db);
std::string db_name_key(std::string_view name);  ///< value: the database's id
std::string table_record_key(const Uuid& table);
std::string table_name_key(const Uuid& db, std::string_view name);  ///< value: the table's id
std::string index_record_key(const Uuid& table, const Uuid& index);
std::string index_record_prefix(const Uuid& table);
std::string db_record_prefix();
std::string table_record_prefix();
std::string table_name_prefix(const Uuid& db);
std::string head_key(std::uint32_t space);
std::string task_key(char kind, std::uint32_t space);

std::string encode_db(const DbInfo& db);
std::string encode_table(const TableInfo& table);
std::string encode_index(const IndexInfo& index);
DbInfo decode_db(const Uuid& id, std::string_view record);        ///< these throw StorageError(kCorrupt)
TableInfo decode_table(const Uuid& id, std::string_view record);  ///< without its indexes
IndexInfo decode_index(const Uuid& id, std::string_view record);  ///< without its function

/// The record of an index that is being built: everything below `next` is in it.
struct BuildTask {
  Uuid table;
  Uuid index;
  std::uint64_t rows = 0;  ///< rows below `next`
  std::string next;        ///< a primary key
};
std::string encode_build_task(const BuildTask& task);
BuildTask decode_build_task(std::string_view record);  ///< throws StorageError(kCorrupt)

/// Reads of either kind of transaction.
class View {
 public:
  explicit View(Snapshot& snapshot) : snapshot_(&snapshot) {}
  explicit View(WriteTxn& txn) : txn_(&txn) {}
  std::optional<std::string_view> get(std::string_view key) const {
    return snapshot_ ? snapshot_->get(key) : txn_->get(key);
  }
  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction = Direction::kForward) const {
    return snapshot_ ? snapshot_->cursor(range, direction) : txn_->cursor(range, direction);
  }
  std::unique_ptr<Cursor> prefix(const std::string& prefix) const;

 private:
  Snapshot* snapshot_ = nullptr;
  WriteTxn* txn_ = nullptr;
};

/// What all versions of a table or an index share: compiled functions, progress, whether it is dropped.
/// Thread-safe.
class SharedParts {
 public:
  explicit SharedParts(IndexFunctionFactory factory, std::optional<ChangeLogLimits> change_log = std::nullopt)
      : factory_(std::move(factory)), change_log_(change_log) {}

  /// Fills in `index.function` and `index.built_rows`. An index whose function cannot be made keeps a null
  /// one.
  void complete(IndexInfo& index);
  void complete(TableInfo& table);
  /// Marks the index as dropped for everybody who still has a version of it.
  void drop_index(const Uuid& id);
  /// Marks the table as dropped for everybody who still has a version of it.
  void drop_table(const Uuid& id);
  /// Of all tables there have been.
  RowCounts activity();

 private:
  struct IndexPart {
    std::shared_ptr<const IndexFunction> function;
    Progress built_rows;
    std::shared_ptr<std::atomic<bool>> dropped = std::make_shared<std::atomic<bool>>(false);
  };
  struct TablePart {
    std::shared_ptr<std::atomic<bool>> dropped = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<TableActivity> activity = std::make_shared<TableActivity>();
  };
  std::mutex mutex_;
  IndexFunctionFactory factory_;
  const std::optional<ChangeLogLimits> change_log_;
  std::unordered_map<Uuid, IndexPart> indexes_;
  std::unordered_map<Uuid, TablePart> tables_;
  RowCounts dropped_activity_;  ///< of tables that are gone
};

/// Null when it is not there.
std::shared_ptr<const DbInfo> load_db(const View& view, const Uuid& id);
std::shared_ptr<const TableInfo> load_table(const View& view, const Uuid& id, SharedParts& parts);
std::shared_ptr<const Catalog> load_catalog(const View& view, SharedParts& parts);

}  // namespace reqld::storage
