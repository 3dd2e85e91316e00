#include "reql/system_tables/system_table.hpp"

#include <algorithm>

#include "reql/error.hpp"
#include "reql/feeds/change_source.hpp"
#include "reql/permissions.hpp"
#include "reql/streams/derived.hpp"
#include "reql/uuid.hpp"

namespace reqld::reql {

const std::string SystemTable::kDatabaseName{kSystemDatabase};

namespace {

using Maker = Ref<Table> (*)(IdentifierFormat);
struct Entry {
  std::string_view name;
  Maker make;
  std::string_view id;
};
constexpr Entry kTables[] = {
    {"_debug_scratch", make_debug_scratch_table, ""},
    {"_debug_stats", make_debug_stats_table, ""},
    {"_debug_table_status", make_debug_table_status_table, ""},
    {"cluster_config", make_cluster_config_table, ""},
    {"current_issues", make_current_issues_table, ""},
    {"db_config", make_db_config_table, "77e2a360-e196-5a6e-8a02-341743cfe122"},
    {"jobs", make_jobs_table, ""},
    {"logs", make_logs_table, ""},
    {"permissions", make_permissions_table, ""},
    {"server_config", make_server_config_table, ""},
    {"server_status", make_server_status_table, ""},
    {"stats", make_stats_table, "e078b99f-bbc4-5960-bd94-c74a5826a77d"},
    {"table_config", make_table_config_table, "4c16a05c-fbdd-5cbf-9e28-57d927474b01"},
    {"table_status", make_table_status_table, "bd984e39-2e8b-5ef3-9ca8-cec6a9de24a1"},
    {"users", make_users_table, ""},
};

bool within(const Datum& key, const Bounds& bounds) {
  const int low = compare(bounds.lower, key);
  const int high = compare(key, bounds.upper);
  return (low < 0 || (low == 0 && !bounds.lower_open)) && (high < 0 || (high == 0 && !bounds.upper_open));
}

}  // namespace

namespace {

// Rows made at once; a feed on them watches the table.
class SystemRows : public DerivedStream {
 public:
  SystemRows(std::vector<Datum> rows, Ref<Table> table, const Bounds& bounds)
      : DerivedStream(stream_of_rows(std::move(rows), false)), table_(std::move(table)), bounds_(bounds) {}
  bool next(Context& cx, const BatchLimits& limits, Batch& out) override {
    return source().next(cx, limits, out);
  }
  bool is_ordered() const override { return true; }
  ChangeSource change_source() const override {
    ChangeSource watched;
    watched.kind = ChangeSource::Kind::kSystem;
    watched.system_table = table_;
    watched.bounds = bounds_;
    return watched;
  }

 private:
  const Ref<Table> table_;
  const Bounds bounds_;
};

}  // namespace

std::vector<Datum> SystemTable::readable_rows(Context& cx) {
  require(cx, Permission::kRead, table_scope(cx, *this));
  return rows(cx);
}

Datum SystemTable::get(Context& cx, const Datum& key) {
  require(cx, Permission::kRead, table_scope(cx, *this));
  return row(cx, key);
}

Datum SystemTable::row(Context& cx, const Datum& key) {
  for (Datum& row : rows(cx)) {
    if (*row.get("id") == key) return std::move(row);
  }
  return Datum();
}

Ref<Stream> SystemTable::scan(Context& cx, const Bounds& bounds, Order order) {
  std::vector<Datum> all = readable_rows(cx);
  std::erase_if(all, [&](const Datum& row) { return !within(*row.get("id"), bounds); });
  std::sort(all.begin(), all.end(), [&](const Datum& a, const Datum& b) {
    return order == Order::kDescending ? *b.get("id") < *a.get("id") : *a.get("id") < *b.get("id");
  });
  return make_ref<SystemRows>(std::move(all), Ref<Table>(this), bounds);
}

Ref<IndexCursor> SystemTable::index_cursor(Context&, const std::string& index, const Bounds&, Order,
                                           IndexRead) {
  lookup_index(*this, index);
  throw_internal("A system table has no secondary index.");
}

RowOutcome SystemTable::write_row(Context&, const Datum&, bool, const RowFunction&) {
  throw_logic("It's illegal to write to the `rethinkdb." + name_ + "` table.");
}

void refuse_fields_but(const Datum& object, std::span<const std::string_view> known) {
  std::string unexpected;
  for (std::size_t i = 0; i < object.object_size(); ++i) {
    const std::string_view name = object.name_at(i);
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    unexpected += (unexpected.empty() ? "`" : ", `") + std::string(name) + "`";
  }
  if (!unexpected.empty()) throw_logic("Unexpected key(s) " + unexpected + ".");
}

Ref<Table> open_system_table(const std::string& name, IdentifierFormat format) {
  for (const Entry& entry : kTables) {
    if (entry.name == name) return entry.make(format);
  }
  throw_op_failed("Table `rethinkdb." + name + "` does not exist.");
}

std::string system_table_id(const std::string& name) {
  for (const Entry& entry : kTables) {
    if (entry.name != name) continue;
    // Where the id that RethinkDB has is not known, one that is always the same.
    return entry.id.empty() ? named_uuid("rethinkdb." + name) : std::string(entry.id);
  }
  return {};
}

std::string system_table_name(const std::string& id) {
  for (const Entry& entry : kTables) {
    const std::string name(entry.name);
    if (system_table_id(name) == id) return name;
  }
  return {};
}

std::vector<std::string> system_table_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kTables) {
    if (!entry.name.starts_with('_')) names.emplace_back(entry.name);
  }
  return names;
}

}  // namespace reqld::reql
