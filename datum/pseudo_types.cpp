// $reql_type$ objects <-> the values they stand for.
#include <fmt/format.h>

#include <atomic>

#include "datum/base64.hpp"
#include "datum/encoding.hpp"
#include "datum/json.hpp"
#include "datum/time.hpp"

namespace reqld {

using namespace encoding;

namespace {

[[noreturn]] void fail(const std::string& message) {
  throw DatumError(DatumErrorKind::kLogic, message);
}

std::atomic<GeometryCheck> geometry_check{nullptr};

[[noreturn]] void refuse_time(const Datum& object, const std::string& why) {
  fail(fmt::format("Invalid time object constructed ({}):\n{}", why, to_shown_json(object)));
}

Datum time_from_object(const Datum& object) {
  std::optional<Datum> epoch, zone;
  for (std::size_t i = 0; i < object.object_size(); ++i) {
    const std::string_view name = object.name_at(i);
    const Datum value = object.value_at(i);
    if (name == "epoch_time") {
      if (!value.is(Type::kNumber))
        refuse_time(object, fmt::format("field `epoch_time` must be a number (got `{}` of type {})",
                                        to_shown_json(value), type_name(value.type())));
      epoch = value;
    } else if (name == "timezone") {
      if (!value.is(Type::kString))
        refuse_time(object, fmt::format("field `timezone` must be a string (got `{}` of type {})",
                                        to_shown_json(value), type_name(value.type())));
      zone = value;
    } else if (name != kReqlType) {
      refuse_time(object, fmt::format("unrecognized field `{}`", name));
    }
  }
  if (!epoch) refuse_time(object, "no field `epoch_time`");
  if (!zone) refuse_time(object, "no field `timezone`");
  std::int16_t zone_minutes = 0;
  try {
    zone_minutes = parse_timezone(zone->as_string());
  } catch (const DatumError&) {
    refuse_time(object, fmt::format("invalid timezone string `{}`", to_shown_json(*zone)));
  }
  return to_datum({epoch->as_number(), zone_minutes});
}

/// The base64 text of a well-formed binary object.
std::string_view binary_text(const Container& object) {
  const std::uint8_t* data = nullptr;
  for (std::uint32_t i = 0; i < object.count(); ++i) {
    const std::string_view name = object.name(i);
    if (name == "data")
      data = object.value(i);
    else if (name != kReqlType)
      fail(fmt::format("Invalid binary pseudotype: illegal `{}` key.", name));
  }
  if (!data) fail("Invalid binary pseudotype: lacking `data` key.");
  if (tag_at(data) != Tag::kString) throw_type_error(type_name(Type::kString), type_of(tag_at(data)));
  return text_at(data);
}

Datum geometry_from_object(const Datum& object) {
  ObjectBuilder builder(object);
  (void)builder.erase(kReqlType);
  const Datum geojson = builder.finish();
  for (const std::string_view name : {"type", "coordinates"}) {
    if (!geojson.get(name))
      throw DatumError(DatumErrorKind::kNonExistence,
                       fmt::format("Field `{}` not found in geometry object.", name));
  }
  if (const GeometryCheck check = geometry_check.load(std::memory_order_acquire)) check(geojson);
  return Datum::geometry(geojson);
}

std::string reql_type_of(const Datum& object) {
  const Datum type = *object.get(kReqlType);
  if (!type.is(Type::kString))
    fail(fmt::format("Error: Field `$reql_type$` must be a string (got `{}` of type {}):\n{}",
                     to_shown_json(type), type_name(type.type()), to_shown_json(object)));
  return std::string(type.as_string());
}

}  // namespace

void set_geometry_check(GeometryCheck check) {
  geometry_check.store(check, std::memory_order_release);
}

Datum from_pseudo_object(const Datum& object) {
  if (!object.is(Type::kObject) || !object.get(kReqlType)) return object;
  const std::string type = reql_type_of(object);
  if (type == "TIME") return time_from_object(object);
  if (type == "BINARY") return binary_from_base64(binary_text(Container(object.slice_data())));
  if (type == "GEOMETRY") return geometry_from_object(object);
  if (type == "LITERAL")
    fail(
        "Stray literal keyword found: literal is only legal inside of the object passed to merge or update "
        "and cannot nest inside other literals.");
  fail(fmt::format("Unknown $reql_type$ `PTYPE<{}>`.", type));
}

void replace_pseudo_object(DatumWriter& writer) {
  const Container object(writer.last_value());
  const std::uint8_t* type = object.find(kReqlType);
  if (type && tag_at(type) == Tag::kString && text_at(type) == "BINARY") {
    // Where the bytes are many: they are decoded in place, before the text they come from.
    const std::string_view text = binary_text(object);
    std::uint8_t* const start = writer.rewrite_last_value();
    constexpr std::size_t kHead = 1 + 10;
    const std::size_t size = decode_base64(text, start + kHead);
    start[0] = static_cast<std::uint8_t>(Tag::kBinary);
    std::uint8_t* const bytes = write_varint(start + 1, size);
    std::memmove(bytes, start + kHead, size);
    writer.resize_last_value(static_cast<std::size_t>(bytes - start) + size);
    return;
  }
  writer.replace_last_value(from_pseudo_object(writer.copy_last_value()));
}

Datum to_pseudo_object(const Datum& d) {
  ObjectBuilder builder;
  switch (d.type()) {
    case Type::kTime:
      builder.set(kReqlType, Datum::string("TIME"));
      builder.set("epoch_time", Datum::number(d.as_time().epoch_seconds));
      builder.set("timezone", Datum::string(format_timezone(d.as_time().zone_minutes)));
      return builder.finish();
    case Type::kBinary: {
      std::string text;
      append_base64(d.inline_binary() ? *d.inline_binary() : std::string_view(d.binary_bytes()), text);
      builder.set(kReqlType, Datum::string("BINARY"));
      builder.set("data", Datum::string(text));
      return builder.finish();
    }
    case Type::kGeometry: {
      ObjectBuilder geojson(d.geometry_object());
      geojson.set(kReqlType, Datum::string("GEOMETRY"));
      return geojson.finish();
    }
    default:
      return d;
  }
}

}  // namespace reqld
