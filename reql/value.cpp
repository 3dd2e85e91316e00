#include "reql/value.hpp"

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/function.hpp"
#include "reql/grouping.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kDatum: return "DATUM";
    case ValueKind::kDatabase: return "DATABASE";
    case ValueKind::kTable: return "TABLE";
    case ValueKind::kTableSlice: return "TABLE_SLICE";
    case ValueKind::kSelection: return "SELECTION";
    case ValueKind::kSingleSelection: return "SINGLE_SELECTION";
    case ValueKind::kSequence: return "SEQUENCE";
    case ValueKind::kFunction: return "FUNCTION";
    case ValueKind::kGroupedData: return "GROUPED_DATA";
  }
  return "DATUM";
}

std::string print_value(Context& cx, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kDatum: return to_pretty_json(value.raw_datum());
    case ValueKind::kDatabase: return "db(\"" + value.object<DatabaseRef>().name + "\")";
    case ValueKind::kTable: return "table(\"" + value.object<TableSlice>().table->name() + "\")";
    case ValueKind::kTableSlice: return "SELECTION ON table(" + value.object<TableSlice>().table->name() + ")";
    case ValueKind::kSelection: return "SELECTION ON table(" + value.object<Selection>().table->name() + ")";
    case ValueKind::kSingleSelection: return to_pretty_json(value.object<SingleSelection>().row(cx));
    case ValueKind::kSequence: return "VALUE SEQUENCE";
    case ValueKind::kFunction: return "VALUE FUNCTION";
    case ValueKind::kGroupedData: return to_pretty_json(to_datum(cx, value));
  }
  return {};
}

void throw_kind_error(Context& cx, std::string_view expected, const Value& found) {
  std::string message = "Expected type ";
  message += expected;
  message += " but found ";
  message += kind_name(found.kind());
  message += ":\n";
  message += print_value(cx, found);
  const bool null = (found.is_datum() && found.raw_datum().is_null()) ||
                    (found.is(ValueKind::kSingleSelection) && found.object<SingleSelection>().row(cx).is_null());
  if (null) throw_non_existence(std::move(message));
  throw_logic(std::move(message));
}

Datum to_datum(Context& cx, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kDatum: return value.raw_datum();
    case ValueKind::kSingleSelection: return value.object<SingleSelection>().row(cx);
    case ValueKind::kSequence: {
      auto& stream = value.object<Stream>();
      if (!stream.is_array()) throw_kind_error(cx, "DATUM", value);
      return to_array(cx, stream);
    }
    case ValueKind::kGroupedData: return grouped_to_datum(cx, value.object<GroupedData>());
    default: throw_kind_error(cx, "DATUM", value);
  }
}

Ref<Stream> to_stream(Context& cx, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kSequence: return value.ref<Stream>();
    case ValueKind::kSelection: return value.object<Selection>().stream;
    case ValueKind::kTable:
    case ValueKind::kTableSlice: return slice_stream(cx, value.object<TableSlice>());
    case ValueKind::kDatum: {
      const Datum& d = value.raw_datum();
      if (d.is(Type::kArray)) return stream_of_array(d);
      const std::string message = "Cannot convert " + std::string(type_name(d.type())) + " to SEQUENCE";
      if (d.is_null()) throw_non_existence(message);
      throw_logic(message);
    }
    case ValueKind::kGroupedData: throw_logic("Cannot treat the output of `group` as a stream (did you mean to `ungroup`?).");
    default: throw_kind_error(cx, "SEQUENCE", value);
  }
}

std::string type_of(Context&, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kDatum: return std::string(type_name(value.raw_datum().type()));
    case ValueKind::kDatabase: return "DB";
    case ValueKind::kTable: return "TABLE";
    case ValueKind::kTableSlice: return "TABLE_SLICE";
    case ValueKind::kSelection:
      return value.object<Selection>().stream->is_array() ? "SELECTION<ARRAY>" : "SELECTION<STREAM>";
    case ValueKind::kSingleSelection: return "SELECTION<OBJECT>";  // whether there is a row or not
    case ValueKind::kSequence: return value.object<Stream>().is_array() ? "ARRAY" : "STREAM";
    case ValueKind::kFunction: return "FUNCTION";
    case ValueKind::kGroupedData: return value.object<GroupedData>().is_stream() ? "GROUPED_STREAM" : "GROUPED_DATA";
  }
  return {};
}

}  // namespace reqld::reql
