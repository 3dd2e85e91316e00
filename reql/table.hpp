// Tables as the language sees them: stored ones, and those of the `rethinkdb` system database.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datum/datum.hpp"
#include "reql/feeds/system_change.hpp"
#include "reql/index_cursor.hpp"
#include "reql/stream.hpp"
#include "reql/value.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

struct Env;

/// How rows of system tables name databases and tables: optional argument `identifier_format`.
enum class IdentifierFormat : std::uint8_t { kName, kUuid };

enum class Order : std::uint8_t { kNone, kAscending, kDescending };

/// Bounds on the values of an index. Minval/maxval stand for no bound.
struct Bounds {
  Datum lower = Datum::minval();
  Datum upper = Datum::maxval();
  bool lower_open = false;
  bool upper_open = false;
};

/// What is wanted of an index.
enum class IndexRead : std::uint8_t { kDocuments, kValues };

/// The keys within bounds: of rows, or of values of a secondary index.
storage::KeyRange key_range(const Bounds& bounds);

/// Options of a write, from optional arguments and table settings.
struct WriteOptions {
  std::optional<storage::Durability> durability;  ///< unset: the table's
  enum class ReturnChanges : std::uint8_t { kNo, kYes, kAlways } return_changes = ReturnChanges::kNo;
  bool ignore_write_hook = false;
};

/// How the write of one row came out.
struct RowOutcome {
  Datum old_row;                     ///< null: there was none
  Datum new_row;                     ///< null: there is none now
  std::optional<std::string> error;  ///< the row is as it was
};

/// Computes a row's new state from its present one (null datums: no row). Throws EvalError or DatumError to
/// leave it as it is. Called with the Context of the thread it runs on.
using RowFunction = std::function<Datum(Context& cx, const Datum& old_row)>;

/// One table of one query. Not thread-safe.
class Table : public Object {
 public:
  virtual const std::string& name() const = 0;
  virtual const std::string& database() const = 0;
  virtual std::string primary_key() const = 0;
  /// The row with this primary key; null datum when there is none.
  virtual Datum get(Context& cx, const Datum& key) = 0;
  virtual std::uint64_t count(Context& cx) = 0;
  /// Rows whose primary key lies within bounds.
  virtual Ref<Stream> scan(Context& cx, const Bounds& bounds, Order order) = 0;
  /// The rows with these primary keys, in their order; null datums where there is none. Reads one snapshot
  /// where it can.
  virtual void get_many(Context& cx, std::span<const Datum> keys, std::vector<Datum>& rows);
  /// The entries of a secondary index within bounds, in its order (or any, for kNone). Throws when the index
  /// is missing or not ready.
  virtual Ref<IndexCursor> index_cursor(Context& cx, const std::string& index, const Bounds& bounds,
                                        Order order, IndexRead wanted) = 0;
  /// Every entry of a secondary index with its document, those of one value in the order of primary keys.
  /// Reads rows in place of entries where that is cheaper. Throws likewise.
  virtual Ref<IndexCursor> indexed_rows(Context& cx, const std::string& index);
  /// Rows by a secondary index: a row once per entry that lies within bounds.
  Ref<Stream> index_scan(Context& cx, const std::string& index, const Bounds& bounds, Order order);
  /// The values of a secondary index within bounds, in ascending order, one per entry; rows are not read.
  Ref<Stream> index_values(Context& cx, const std::string& index, const Bounds& bounds);
  /// Writes one row of a table that is not stored; those answer by themselves what may be written. Stored
  /// tables are written through RowWriter.
  virtual RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute);
  /// The stored table behind; null for system tables.
  virtual std::shared_ptr<const storage::TableInfo> stored() const { return nullptr; }
  /// For feeds on a table that is not stored.
  virtual SystemChange changed_by() const { return SystemChange::kRecords; }
};

/// Looks up a table by names. Throws "Database `x` does not exist." / "Table `a.b` does not exist.".
/// `format` matters to tables of `rethinkdb` only.
Ref<Table> open_table(Context& cx, const std::string& database, const std::string& name,
                      IdentifierFormat format = IdentifierFormat::kName);
/// Throws "Database `x` does not exist." when it does not.
void check_database(Context& cx, const std::string& name);
/// The id of a database. Throws when it does not exist.
std::string database_id(Context& cx, const std::string& name);
/// The names of a database's tables, sorted. Throws when there is no such database.
std::vector<std::string> list_tables(Context& cx, const std::string& database);
/// The database named by global optarg `db`, or "test".
std::string default_database(Env& env);

class TableSlice : public Object {
 public:
  explicit TableSlice(Ref<Table> t) : table(std::move(t)) {}
  Ref<Table> table;
  std::string index;  ///< empty: primary key
  Bounds bounds;
  bool bounded = false;
  Order order = Order::kNone;
};

class SingleSelection : public Object {
 public:
  SingleSelection(Ref<Table> t, Datum k, std::optional<Datum> known_row = std::nullopt)
      : table(std::move(t)), key(std::move(k)), row_(std::move(known_row)) {}
  /// Of a row that was read already.
  SingleSelection(Ref<Table> t, Datum k, Datum row)
      : table(std::move(t)), key(std::move(k)), row_(std::move(row)) {}
  const Ref<Table> table;
  const Datum key;
  /// The row, read now if that has not happened.
  const Datum& row(Context& cx);

 private:
  std::optional<Datum> row_;
};

class Selection : public Object {
 public:
  Selection(Ref<Table> t, Ref<Stream> s) : table(std::move(t)), stream(std::move(s)) {}
  const Ref<Table> table;
  const Ref<Stream> stream;  ///< documents
};

/// Throws "Index `x` was not found on table `db.t`." unless `index` is an index of `table` or its primary
/// key.
void lookup_index(Table& table, const std::string& index);
/// The rows whose primary key or index value is `key`.
Ref<Stream> lookup(Context& cx, Table& table, const std::string& index, const Datum& key);

/// The rows of a slice. Throws when its index is missing or not ready.
Ref<Stream> slice_stream(Context& cx, const TableSlice& slice);

}  // namespace reqld::reql
