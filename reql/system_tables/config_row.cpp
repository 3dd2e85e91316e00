#include "reql/system_tables/config_row.hpp"

#include <algorithm>

#include "datum/json.hpp"
#include "reql/error.hpp"

namespace reqld::reql {

void wrong_format(const std::string& table, const std::string& why) {
  throw_logic("The change you're trying to make to `rethinkdb." + table + "` has the wrong format. " + why);
}

Datum required_field(const std::string& table, const Datum& row, std::string_view name) {
  auto field = row.get(name);
  if (!field) wrong_format(table, "Expected a field named `" + std::string(name) + "`.");
  return std::move(*field);
}

std::string text_field(const std::string& table, const Datum& row, std::string_view name) {
  const Datum field = required_field(table, row, name);
  if (!field.is(Type::kString)) {
    wrong_format(table, "In `" + std::string(name) + "`: Expected a string; got " + to_pretty_json(field));
  }
  return std::string(field.as_string());
}

void check_fields(const std::string& table, const Datum& old_row, const Datum& new_row,
                  std::initializer_list<std::string_view> read_only, std::initializer_list<std::string_view> optional) {
  for (std::size_t i = 0; i < new_row.object_size(); ++i) {
    const std::string_view name = new_row.name_at(i);
    if (!old_row.get(name) && std::find(optional.begin(), optional.end(), name) == optional.end()) {
      wrong_format(table, "Unexpected key(s) `" + std::string(name) + "`.");
    }
  }
  for (const std::string_view name : read_only) {
    const auto now = new_row.get(name);
    if (!now || !(*now == *old_row.get(name))) {
      wrong_format(table, "The `" + std::string(name) + "` field is read-only.");
    }
  }
}

}  // namespace reqld::reql
