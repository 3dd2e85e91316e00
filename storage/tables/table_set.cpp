#include "storage/table_set.hpp"

#include <algorithm>
#include <utility>

#include "storage/database.hpp"

namespace reqld::storage {
namespace {

using Table = TableSet::Table;

std::string_view id_of(const Table& table) { return table->id; }
std::string_view database_of(const Table& table) { return table->db_id; }
std::pair<std::string_view, std::string_view> name_of(const Table& table) { return {table->db_id, table->name}; }

}  // namespace

TableSet::TableSet(std::vector<Table> tables) : by_name_(tables), by_id_(std::move(tables)) {
  std::ranges::sort(by_name_, {}, name_of);
  std::ranges::sort(by_id_, {}, id_of);
}

Table TableSet::by_id(std::string_view id) const {
  const auto at = std::ranges::lower_bound(by_id_, id, {}, id_of);
  return at != by_id_.end() && id_of(*at) == id ? *at : nullptr;
}

Table TableSet::by_name(std::string_view database_id, std::string_view name) const {
  const std::pair wanted(database_id, name);
  const auto at = std::ranges::lower_bound(by_name_, wanted, {}, name_of);
  return at != by_name_.end() && name_of(*at) == wanted ? *at : nullptr;
}

std::span<const Table> TableSet::of_database(std::string_view database_id) const {
  return {std::ranges::lower_bound(by_name_, database_id, {}, database_of),
          std::ranges::upper_bound(by_name_, database_id, {}, database_of)};
}

void TableSet::add(Table table) {
  by_id_.insert(std::ranges::lower_bound(by_id_, id_of(table), {}, id_of), table);
  by_name_.insert(std::ranges::lower_bound(by_name_, name_of(table), {}, name_of), std::move(table));
}

void TableSet::remove(std::string_view id) {
  const auto at = std::ranges::lower_bound(by_id_, id, {}, id_of);
  if (at == by_id_.end() || id_of(*at) != id) return;
  by_name_.erase(std::ranges::lower_bound(by_name_, name_of(*at), {}, name_of));
  by_id_.erase(at);
}

}  // namespace reqld::storage
