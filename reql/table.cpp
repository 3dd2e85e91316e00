#include "reql/table.hpp"

#include "datum/key_codec.hpp"
#include "reql/error.hpp"
#include "reql/eval.hpp"
#include "reql/feeds/change_source.hpp"
#include "reql/permissions.hpp"
#include "reql/profile.hpp"
#include "reql/system_tables/system_table.hpp"

namespace reqld::reql {

// No key is a prefix of another, so a zero byte appended makes the next possible key.
storage::KeyRange key_range(const Bounds& bounds) {
  storage::KeyRange range{to_key(bounds.lower), to_key(bounds.upper)};
  if (bounds.lower_open) range.lower.push_back('\0');
  if (!bounds.upper_open) range.upper.push_back('\0');
  return range;
}

namespace {

// A scan this long is worth a thread of its own.
constexpr std::size_t kRowsInline = 500;

constexpr std::string_view kPointRead = "Perform read.";

storage::Reader::Limits storage_limits(const BatchLimits& limits) {
  return {std::min<std::size_t>(limits.max_rows, 4096), std::min<std::size_t>(limits.max_bytes, 1u << 20)};
}

class ScanStream : public Stream {
 public:
  ScanStream(std::shared_ptr<const storage::TableInfo> table, const Bounds& bounds, Order order)
      : ScanStream(std::move(table), bounds, key_range(bounds), order) {}
  ScanStream(std::shared_ptr<const storage::TableInfo> table, const Bounds& bounds, storage::KeyRange range, Order order)
      : table_(std::move(table)), bounds_(bounds), range_(std::move(range)), order_(order) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (ended_) return false;
    rows_.clear();
    const auto direction = order_ == Order::kDescending ? storage::Direction::kBackward : storage::Direction::kForward;
    const ProfiledTask task(cx.profile, "Do range scan on primary index.");
    auto resume = cx.database().reader()->scan(*table_, range_, direction,
                                               storage_limits(limits), rows_);
    out.reserve(out.size() + rows_.size());
    for (storage::Row& row : rows_) out.push_back(std::move(row.document));
    if (!resume) {
      ended_ = true;
      return false;
    }
    (direction == storage::Direction::kForward ? range_.lower : range_.upper) = std::move(*resume);
    read_ += rows_.size();
    if (read_ > kRowsInline && cx.suspender) cx.suspender->move_to_pool();
    return true;
  }
  Ref<Stream> split(Context& cx) override {
    if (ended_ || order_ == Order::kDescending) return {};
    auto middle = cx.database().reader()->middle(*table_, range_);
    if (!middle) return {};
    storage::KeyRange later{*middle, std::exchange(range_.upper, *middle)};
    return make_ref<ScanStream>(table_, bounds_, std::move(later), order_);
  }
  bool is_ordered() const override { return order_ != Order::kNone; }
  ChangeSource change_source() const override {
    ChangeSource watched;
    watched.table = table_;
    watched.bounds = bounds_;
    watched.order = order_;
    return watched;
  }

 private:
  const std::shared_ptr<const storage::TableInfo> table_;
  const Bounds bounds_;
  storage::KeyRange range_;
  const Order order_;
  std::size_t read_ = 0;
  std::vector<storage::Row> rows_;
  bool ended_ = false;
};

class StoredIndexCursor : public IndexCursor {
 public:
  StoredIndexCursor(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index,
                    storage::IndexRange range, Order order, IndexRead wanted)
      : table_(std::move(table)), index_(std::move(index)), range_(std::move(range)), order_(order), wanted_(wanted) {}

  bool next(Context& cx, const BatchLimits& limits, std::vector<IndexEntry>& out) override {
    const bool more = read(cx, limits, wanted_);
    out.reserve(out.size() + rows_.size());
    for (storage::Row& row : rows_) out.push_back({std::move(row.index_value), std::move(row.document)});
    return more;
  }
  bool skip(Context& cx, const BatchLimits& limits, std::size_t& skipped) override {
    const bool more = read(cx, limits, IndexRead::kValues);
    skipped += rows_.size();
    return more;
  }

 private:
  /// The next entries, in rows_; false when they are the last.
  bool read(Context& cx, const BatchLimits& limits, IndexRead wanted) {
    rows_.clear();
    if (ended_) return false;
    const auto direction = order_ == Order::kDescending ? storage::Direction::kBackward : storage::Direction::kForward;
    const ProfiledTask task(cx.profile, "Do range scan on secondary index.");
    resume_ = cx.database().reader()->scan_index(*table_, *index_, range_, direction, resume_, storage_limits(limits),
                                                 wanted == IndexRead::kDocuments, rows_);
    ended_ = !resume_;
    read_ += rows_.size();
    if (!ended_ && read_ > kRowsInline && cx.suspender) cx.suspender->move_to_pool();
    return !ended_;
  }

  const std::shared_ptr<const storage::TableInfo> table_;
  const std::shared_ptr<const storage::IndexInfo> index_;
  const storage::IndexRange range_;
  const Order order_;
  const IndexRead wanted_;
  std::size_t read_ = 0;
  std::optional<std::string> resume_;
  std::vector<storage::Row> rows_;
  bool ended_ = false;
};

/// All of an index that is neither multi nor geo, by the rows: one after the other they cost a fraction of looking up
/// the row of each entry.
class RowsByValueCursor : public IndexCursor {
 public:
  RowsByValueCursor(std::shared_ptr<const storage::TableInfo> table, std::shared_ptr<const storage::IndexInfo> index)
      : table_(std::move(table)), index_(std::move(index)) {}

  bool next(Context& cx, const BatchLimits& limits, std::vector<IndexEntry>& out) override {
    if (entries_) return entries_->next(cx, limits, out);
    const bool first = read_ == 0;
    rows_.clear();
    std::optional<std::string> resume;
    {
      const ProfiledTask task(cx.profile, "Do range scan on primary index.");
      resume = cx.database().reader()->scan_with_values(*table_, *index_, range_, storage_limits(limits), rows_);
    }
    read_ += rows_.size();
    std::erase_if(rows_, [](const storage::Row& row) { return row.index_value.is(Type::kNull); });
    // The first rows stand for all: where the index leaves most of them out, its entries are the shorter way.
    if (first && resume && rows_.size() < read_ / 2) {
      entries_ = make_ref<StoredIndexCursor>(table_, index_, storage::IndexRange{}, Order::kNone, IndexRead::kDocuments);
      return entries_->next(cx, limits, out);
    }
    out.reserve(out.size() + rows_.size());
    for (storage::Row& row : rows_) out.push_back({std::move(row.index_value), std::move(row.document)});
    if (!resume) return false;
    range_.lower = std::move(*resume);
    if (read_ > kRowsInline && cx.suspender) cx.suspender->move_to_pool();
    return true;
  }

 private:
  const std::shared_ptr<const storage::TableInfo> table_;
  const std::shared_ptr<const storage::IndexInfo> index_;
  storage::KeyRange range_;
  Ref<IndexCursor> entries_;
  std::size_t read_ = 0;
  std::vector<storage::Row> rows_;
};

class IndexStream : public Stream {
 public:
  IndexStream(Ref<IndexCursor> cursor, IndexRead wanted, std::shared_ptr<const storage::TableInfo> table, std::string index,
              const Bounds& bounds, Order order)
      : cursor_(std::move(cursor)),
        wanted_(wanted),
        table_(std::move(table)),
        index_(std::move(index)),
        bounds_(bounds),
        order_(order) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    entries_.clear();
    const bool more = cursor_->next(cx, limits, entries_);
    out.reserve(out.size() + entries_.size());
    for (IndexEntry& e : entries_) out.push_back(std::move(wanted_ == IndexRead::kDocuments ? e.document : e.value));
    return more;
  }
  bool skip(Context& cx, const BatchLimits& limits, std::size_t& skipped) override {
    return cursor_->skip(cx, limits, skipped);
  }
  bool is_ordered() const override { return order_ != Order::kNone; }
  bool may_revisit() const override { return true; }
  ChangeSource change_source() const override {
    if (wanted_ == IndexRead::kValues) return Stream::change_source();
    ChangeSource watched;
    watched.table = table_;
    watched.index = index_;
    watched.bounds = bounds_;
    watched.order = order_;
    return watched;
  }

 private:
  const Ref<IndexCursor> cursor_;
  const IndexRead wanted_;
  const std::shared_ptr<const storage::TableInfo> table_;
  const std::string index_;
  const Bounds bounds_;
  const Order order_;
  std::vector<IndexEntry> entries_;
};

class StoredTable : public Table {
 public:
  StoredTable(std::string database, std::shared_ptr<const storage::TableInfo> info)
      : database_(std::move(database)), info_(std::move(info)) {}

  const std::string& name() const override { return info_->name; }
  const std::string& database() const override { return database_; }
  std::string primary_key() const override { return info_->primary_key; }
  Datum get(Context& cx, const Datum& key) override {
    require_read(cx);
    const std::string primary_key = to_primary_key(key);
    if (cx.suspender) cx.suspender->gather({info_.get(), primary_key});
    const ProfiledTask task(cx.profile, kPointRead);
    auto row = cx.database().reader()->get(*info_, primary_key);
    return row ? std::move(*row) : Datum();
  }
  std::uint64_t count(Context& cx) override {
    require_read(cx);
    return cx.database().reader()->count(*info_);
  }
  Ref<Stream> scan(Context& cx, const Bounds& bounds, Order order) override {
    require_read(cx);
    return make_ref<ScanStream>(info_, bounds, order);
  }
  void get_many(Context& cx, std::span<const Datum> keys, std::vector<Datum>& rows) override {
    require_read(cx);
    const ProfiledTask task(cx.profile, kPointRead);
    const auto reader = cx.database().reader();
    for (const Datum& key : keys) rows.push_back(reader->get(*info_, to_primary_key(key)).value_or(Datum()));
  }
  Ref<IndexCursor> index_cursor(Context& cx, const std::string& index, const Bounds& bounds, Order order,
                                IndexRead wanted) override {
    require_read(cx);
    // The upper bound is looked at first, as recorded.
    check_secondary_key(bounds.upper);
    check_secondary_key(bounds.lower);
    return make_ref<StoredIndexCursor>(info_, ready_index(index), storage::IndexRange{key_range(bounds)}, order, wanted);
  }
  Ref<IndexCursor> indexed_rows(Context& cx, const std::string& index) override {
    require_read(cx);
    auto info = ready_index(index);
    if (info->multi) return Table::indexed_rows(cx, index);
    return make_ref<RowsByValueCursor>(info_, std::move(info));
  }
  std::shared_ptr<const storage::TableInfo> stored() const override { return info_; }

 private:
  void require_read(Context& cx) const { require_on(cx, Permission::kRead, *info_); }

  std::shared_ptr<const storage::IndexInfo> ready_index(const std::string& name) {
    lookup_index(*this, name);
    auto index = info_->indexes.at(name);
    if (index->geo) {
      throw_logic("Index `" + name +
                  "` is a geospatial index.  Only get_nearest and get_intersecting can use a geospatial index.");
    }
    if (!index->ready) {
      throw_op_failed("Index `" + name + "` on table `" + database_ + "." + info_->name +
                      "` was accessed before its construction was finished.");
    }
    return index;
  }

  const std::string database_;
  const std::shared_ptr<const storage::TableInfo> info_;
};

}  // namespace

void Table::get_many(Context& cx, std::span<const Datum> keys, std::vector<Datum>& rows) {
  for (const Datum& key : keys) rows.push_back(get(cx, key));
}

Ref<IndexCursor> Table::indexed_rows(Context& cx, const std::string& index) {
  return index_cursor(cx, index, Bounds(), Order::kNone, IndexRead::kDocuments);
}

Ref<Stream> Table::index_scan(Context& cx, const std::string& index, const Bounds& bounds, Order order) {
  return make_ref<IndexStream>(index_cursor(cx, index, bounds, order, IndexRead::kDocuments), IndexRead::kDocuments, stored(),
                               index, bounds, order);
}

Ref<Stream> Table::index_values(Context& cx, const std::string& index, const Bounds& bounds) {
  return make_ref<IndexStream>(index_cursor(cx, index, bounds, Order::kAscending, IndexRead::kValues), IndexRead::kValues, stored(),
                               index, bounds, Order::kAscending);
}

RowOutcome Table::write_row(Context&, const Datum&, bool, const RowFunction&) {
  throw_internal("Table `" + database() + "." + name() + "` is not written row by row.");
}

Ref<Table> open_table(Context& cx, const std::string& database, const std::string& name, IdentifierFormat format) {
  if (database == kSystemDatabase) return open_system_table(name, format);
  const auto catalog = cx.database().catalog();
  const storage::DbInfo* db = catalog->db(database);
  if (!db) throw_op_failed("Database `" + database + "` does not exist.");
  auto info = catalog->table(*db, name);
  if (!info) throw_op_failed("Table `" + database + "." + name + "` does not exist.");
  return make_ref<StoredTable>(database, std::move(info));
}

std::string database_id(Context& cx, const std::string& name) {
  if (name == kSystemDatabase) return std::string(kSystemDatabaseId);
  const auto catalog = cx.database().catalog();
  const storage::DbInfo* db = catalog->db(name);
  if (!db) throw_op_failed("Database `" + name + "` does not exist.");
  return db->id;
}

PermissionScope table_scope(Context&, Table& table) {
  if (const auto info = table.stored()) return {info->db_id, info->id};
  return {std::string(kSystemDatabaseId), system_table_id(table.name())};
}

void check_database(Context& cx, const std::string& name) {
  if (name != kSystemDatabase && !cx.database().catalog()->db(name)) {
    throw_op_failed("Database `" + name + "` does not exist.");
  }
}

std::vector<std::string> list_tables(Context& cx, const std::string& database) {
  if (database == kSystemDatabase) return system_table_names();
  const auto catalog = cx.database().catalog();
  const storage::DbInfo* db = catalog->db(database);
  if (!db) throw_op_failed("Database `" + database + "` does not exist.");
  std::vector<std::string> names;
  for (const auto& table : catalog->tables.of_database(db->id)) names.push_back(table->name);
  return names;
}

std::string default_database(Env& env) {
  const Node* node = find_optarg(env.cx.program->global_optargs(), "db");
  if (!node) return "test";
  Env outer{env.cx, nullptr};
  const Value v = eval(*node, outer);
  if (!v.is(ValueKind::kDatabase)) throw_kind_error(env.cx, "DATABASE", v);
  return v.object<DatabaseRef>().name;
}

const Datum& SingleSelection::row(Context& cx) {
  if (!row_) row_ = table->get(cx, key);
  return *row_;
}

void lookup_index(Table& table, const std::string& index) {
  if (index == table.primary_key()) return;
  const auto info = table.stored();
  if (info && info->indexes.contains(index)) return;
  throw_op_failed("Index `" + index + "` was not found on table `" + table.database() + "." + table.name() +
                  (info ? "`." : "`"));
}

namespace {

// The rows of one key. A key that cannot be one, or that there is no such index, is found out when the rows are asked for, as
// recorded.
class LookupStream : public Stream {
 public:
  LookupStream(Ref<Table> table, std::string index, Datum key)
      : table_(std::move(table)), index_(std::move(index)), key_(std::move(key)) {}

  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    if (!rows_) rows_ = open(cx);
    return rows_->next(cx, limits, out);
  }
  bool may_revisit() const override { return index_ != table_->primary_key(); }
  ChangeSource change_source() const override {
    lookup_index(*table_, index_);
    ChangeSource watched;
    watched.table = table_->stored();
    if (!watched.table) {
      watched.kind = ChangeSource::Kind::kSystem;
      watched.system_table = table_;
    }
    if (index_ != table_->primary_key()) watched.index = index_;
    watched.bounds = {key_, key_, false, false};
    return watched;
  }

 private:
  Ref<Stream> open(Context& cx) const {
    lookup_index(*table_, index_);
    const Bounds one{key_, key_, false, false};
    if (index_ == table_->primary_key()) {
      to_primary_key(key_);
      return table_->scan(cx, one, Order::kNone);
    }
    check_secondary_key(key_);
    return table_->index_scan(cx, index_, one, Order::kNone);
  }

  const Ref<Table> table_;
  const std::string index_;
  const Datum key_;
  Ref<Stream> rows_;
};

}  // namespace

Ref<Stream> lookup(Context&, Table& table, const std::string& index, const Datum& key) {
  return make_ref<LookupStream>(Ref<Table>(&table), index, key);
}

Ref<Stream> slice_stream(Context& cx, const TableSlice& slice) {
  if (slice.index.empty() || slice.index == slice.table->primary_key()) {
    return slice.table->scan(cx, slice.bounds, slice.order);
  }
  return slice.table->index_scan(cx, slice.index, slice.bounds, slice.order);
}

}  // namespace reqld::reql
