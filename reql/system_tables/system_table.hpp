// Tables of the `rethinkdb` database: rows made when they are asked for.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reql/table.hpp"

namespace reqld::reql {

inline constexpr std::string_view kSystemDatabase = "rethinkdb";
/// The ids that the database and its tables have in every RethinkDB.
inline constexpr std::string_view kSystemDatabaseId = "b99b9572-8e53-5fef-9a2b-5e6aba3edf1c";
std::string system_table_id(const std::string& name);
/// The reverse; empty when there is none.
std::string system_table_name(const std::string& id);

/// Base of the system tables. A table says how its rows are made, and what may be written.
class SystemTable : public Table {
 public:
  SystemTable(std::string name, IdentifierFormat format) : name_(std::move(name)), format_(format) {}

  const std::string& name() const override { return name_; }
  const std::string& database() const override { return kDatabaseName; }
  std::string primary_key() const override { return "id"; }
  Datum get(Context& cx, const Datum& key) override;
  std::uint64_t count(Context& cx) override { return readable_rows(cx).size(); }
  Ref<Stream> scan(Context& cx, const Bounds& bounds, Order order) override;
  Ref<IndexCursor> index_cursor(Context& cx, const std::string& index, const Bounds& bounds, Order order,
                                IndexRead wanted) override;
  /// "It's illegal to write to the `rethinkdb.x` table." unless overridden.
  RowOutcome write_row(Context& cx, const Datum& key, bool key_generated, const RowFunction& compute) override;

 protected:
  /// All rows, in any order.
  virtual std::vector<Datum> rows(Context& cx) = 0;
  /// The one with this key; null datum when there is none. Out of all of them, unless overridden.
  virtual Datum row(Context& cx, const Datum& key);
  IdentifierFormat format() const { return format_; }

 private:
  std::vector<Datum> readable_rows(Context& cx);

  static const std::string kDatabaseName;
  const std::string name_;
  const IdentifierFormat format_;
};

/// Throws "Unexpected key(s) `a`, `b`." when an object has fields that are not `known`.
void refuse_fields_but(const Datum& object, std::span<const std::string_view> known);

/// A table of `rethinkdb`; throws when there is none of that name.
Ref<Table> open_system_table(const std::string& name, IdentifierFormat format);
/// Their names, sorted.
std::vector<std::string> system_table_names();

// The tables, one file each.
Ref<Table> make_db_config_table(IdentifierFormat format);
Ref<Table> make_table_config_table(IdentifierFormat format);
Ref<Table> make_cluster_config_table(IdentifierFormat format);
Ref<Table> make_current_issues_table(IdentifierFormat format);
Ref<Table> make_jobs_table(IdentifierFormat format);
Ref<Table> make_logs_table(IdentifierFormat format);
Ref<Table> make_permissions_table(IdentifierFormat format);
Ref<Table> make_server_config_table(IdentifierFormat format);
Ref<Table> make_server_status_table(IdentifierFormat format);
Ref<Table> make_debug_scratch_table(IdentifierFormat format);
Ref<Table> make_debug_stats_table(IdentifierFormat format);
Ref<Table> make_debug_table_status_table(IdentifierFormat format);
Ref<Table> make_stats_table(IdentifierFormat format);
Ref<Table> make_table_status_table(IdentifierFormat format);
Ref<Table> make_users_table(IdentifierFormat format);

}  // namespace reqld::reql
