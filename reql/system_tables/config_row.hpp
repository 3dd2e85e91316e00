// Checks of the rows that are written to configuration tables. `table` is for the messages.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld::reql {

/// Throws "The change you're trying to make to `rethinkdb.x` has the wrong format. " and why.
[[noreturn]] void wrong_format(const std::string& table, const std::string& why);

/// A field that must be there.
Datum required_field(const std::string& table, const Datum& row, std::string_view name);
/// The text of a field that must be one.
std::string text_field(const std::string& table, const Datum& row, std::string_view name);

/// Nothing but the fields of the present row and those that are `optional` may be there, and those that are `read_only` must be as
/// they are.
void check_fields(const std::string& table, const Datum& old_row, const Datum& new_row,
                  std::initializer_list<std::string_view> read_only, std::initializer_list<std::string_view> optional = {});

}  // namespace reqld::reql
