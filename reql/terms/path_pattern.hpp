// Nested path patterns: the arguments of pluck, without, has_fields, with_fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"

namespace reqld::reql {

class Context;

/// A set of paths into a document: "a" is that field, ["a", "b"] each of them, {a: …} what the inner pattern says of field a, with
/// true for all of it.
class PathPattern {
 public:
  /// Each of `patterns`. Throws "Invalid path argument `1`.".
  PathPattern(const Context& cx, const std::vector<Datum>& patterns);

  /// The parts of `document` that are named. Arrays on the way are gone through element by element.
  Datum pluck(const Context& cx, const Datum& document) const;
  /// The other parts.
  Datum without(const Context& cx, const Datum& document) const;
  /// Whether every part is there, and not null. Nothing is found inside arrays.
  bool found_in(const Context& cx, const Datum& document) const;

 private:
  struct Field;
  // Sorted by name.
  using Fields = std::vector<Field>;

  static void add(const Context& cx, Fields& fields, const Datum& pattern);
  static Field& field_of(Fields& fields, std::string_view name);
  static std::optional<Datum> pluck(const Context& cx, const Fields& fields, const Datum& value, bool into_arrays);
  static std::optional<Datum> without(const Context& cx, const Fields& fields, const Datum& value, bool into_arrays);
  static bool found(const Context& cx, const Fields& fields, const Datum& value);

  Fields fields_;
};

struct PathPattern::Field {
  std::string name;
  bool whole = false;   ///< all of it
  bool deeper = false;  ///< `inner` says which parts, even if that is empty
  Fields inner;
};

}  // namespace reqld::reql
