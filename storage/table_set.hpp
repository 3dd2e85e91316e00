// The tables of a catalog.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace reqld::storage {

struct TableInfo;

/// Tables, each found by its id, and by its name within its database. Copies share the tables; a table that is in a set never
/// changes. As const as it is used thread-safe.
class TableSet {
 public:
  using Table = std::shared_ptr<const TableInfo>;
  TableSet() = default;
  /// No two with the same id, or name in the same database.
  explicit TableSet(std::vector<Table> tables);

  /// In the order of (database id, name).
  auto begin() const { return by_name_.begin(); }
  auto end() const { return by_name_.end(); }
  std::size_t size() const { return by_name_.size(); }
  bool empty() const { return by_name_.empty(); }

  /// These answer null when there is none.
  Table by_id(std::string_view id) const;
  Table by_name(std::string_view database_id, std::string_view name) const;
  /// In the order of their names.
  std::span<const Table> of_database(std::string_view database_id) const;

  /// As in the constructor. Time grows with the number of tables.
  void add(Table table);
  void remove(std::string_view id);

 private:
  // Twice the same tables, sorted.
  std::vector<Table> by_name_;
  std::vector<Table> by_id_;
};

}  // namespace reqld::storage
