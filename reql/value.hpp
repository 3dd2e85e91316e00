// What a term evaluates to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"
#include "reql/object.hpp"
#include "reql/program.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

class Function;
class GroupedData;
class Table;

enum class ValueKind : std::uint8_t {
  kDatum,
  kDatabase,
  kTable,
  kTableSlice,       ///< a table with bounds or an order: between, order_by(index)
  kSelection,        ///< a stream of rows of one table
  kSingleSelection,  ///< one row of a table (or none)
  kSequence,         ///< a stream
  kFunction,
  kGroupedData,
};
/// As error messages name them: "DATUM", "DATABASE", "TABLE_SLICE", …
std::string_view kind_name(ValueKind kind);

/// A database by name; not looked up before it is used.
class DatabaseRef : public Object {
 public:
  explicit DatabaseRef(std::string n) : name(std::move(n)) {}
  const std::string name;
};

/// A table with bounds on an index (or the primary key) and an order. Becomes a stream when it is read.
/// Made by TABLE, narrowed by between and order_by; see reql/table.hpp.
class TableSlice;
/// One row by primary key, read when it is needed.
class SingleSelection;
/// A stream of rows of one table.
class Selection;

/// The result of evaluating a term: a datum or one of the objects above.
class Value {
 public:
  Value() = default;                                       ///< null datum
  Value(Datum d) : datum_(std::move(d)) {}                 // NOLINT: meant to be implicit
  Value(ValueKind kind, Ref<Object> object) : object_(std::move(object)), kind_(kind) {}
  Value(Ref<Stream> stream) : object_(std::move(stream)), kind_(ValueKind::kSequence) {}  // NOLINT

  ValueKind kind() const { return kind_; }
  bool is_datum() const { return kind_ == ValueKind::kDatum; }
  bool is(ValueKind k) const { return kind_ == k; }
  const Datum& raw_datum() const { return datum_; }  ///< requires is_datum()
  Datum take_datum() { return std::move(datum_); }
  /// The object behind; requires the kind to match T.
  template <typename T>
  T& object() const {
    return static_cast<T&>(*object_);
  }
  template <typename T>
  Ref<T> ref() const {
    return Ref<T>(static_cast<T*>(object_.get()));
  }

 private:
  Datum datum_;
  Ref<Object> object_;
  ValueKind kind_ = ValueKind::kDatum;
};

/// Whether a value counts as true: anything but false and null does.
inline bool truth(const Datum& d) { return !(d.is_null() || (d.is(Type::kBool) && !d.as_bool())); }

// Conversions. They throw the recorded errors without a position.

/// Datum of any value that has one: array-like streams become arrays (array_limit), a single selection its row, grouped data its
/// pseudo-type. Otherwise "Expected type DATUM but found TABLE:\ntable("x")".
Datum to_datum(Context& cx, const Value& value);
/// Arrays, streams, tables, selections; otherwise "Cannot convert NUMBER to SEQUENCE".
Ref<Stream> to_stream(Context& cx, const Value& value);
/// The text after "but found KIND:\n".
std::string print_value(Context& cx, const Value& value);
[[noreturn]] void throw_kind_error(Context& cx, std::string_view expected, const Value& found);
/// What type_of answers: "TABLE", "SELECTION<STREAM>", "STREAM", "ARRAY", "NUMBER", …
std::string type_of(Context& cx, const Value& value);

}  // namespace reqld::reql
