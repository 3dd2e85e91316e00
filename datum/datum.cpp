#include "datum/datum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "datum/encoding.hpp"
#include "datum/limits.hpp"

namespace reqld {

using namespace encoding;

std::string_view type_name(Type type) {
  constexpr std::string_view kNames[] = {"MINVAL",      "ARRAY",  "BOOL",          "NULL",
                                         "NUMBER",      "OBJECT", "PTYPE<BINARY>", "PTYPE<GEOMETRY>",
                                         "PTYPE<TIME>", "STRING", "MAXVAL"};
  return kNames[static_cast<std::size_t>(type)];
}

void throw_type_error(std::string_view expected, Type found) {
  throw DatumError(found == Type::kNull ? DatumErrorKind::kNonExistence : DatumErrorKind::kLogic,
                   fmt::format("Expected type {} but found {}.", expected, type_name(found)));
}

Datum Datum::slice(const std::uint8_t* bytes, Buffer* owner) {
  owner->retain();
  return Datum(static_cast<std::uint64_t>(Rep::kSlice) | (reinterpret_cast<std::uint64_t>(owner) << 8),
               reinterpret_cast<std::uint64_t>(bytes));
}

Datum Datum::number(double d) {
  if (!std::isfinite(d)) [[unlikely]]
    throw DatumError(DatumErrorKind::kLogic, fmt::format("Non-finite number: {}", std::isnan(d) ? "nan"
                                                                                  : d > 0       ? "inf"
                                                                                                : "-inf"));
  return finite(d);
}

Datum Datum::string(std::string_view s) {
  if (s.size() <= kMaxShortString) {
    Datum d(Rep::kShortString);
    d.w0_ |= s.size() << 8;
    if (!s.empty()) std::memcpy(reinterpret_cast<char*>(&d) + 2, s.data(), s.size());
    return d;
  }
  check_value_bytes(s.size());
  const Ref<Buffer> buffer = Buffer::make(1 + varint_size(s.size()) + s.size());
  std::uint8_t* p = buffer->data();
  *p++ = static_cast<std::uint8_t>(Tag::kString);
  p = write_varint(p, s.size());
  std::memcpy(p, s.data(), s.size());
  return slice(buffer->data(), buffer.get());
}

Datum Datum::binary(std::string_view bytes) {
  const Ref<Buffer> buffer = Buffer::make(1 + varint_size(bytes.size()) + bytes.size());
  std::uint8_t* p = buffer->data();
  *p++ = static_cast<std::uint8_t>(Tag::kBinary);
  p = write_varint(p, bytes.size());
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  return slice(buffer->data(), buffer.get());
}

Datum Datum::blob(BlobRef ref, BlobSource* source) {
  const Ref<Buffer> buffer = Buffer::make(17);
  buffer->data()[0] = static_cast<std::uint8_t>(Tag::kBlob);
  std::memcpy(buffer->data() + 1, &ref.id, 8);
  std::memcpy(buffer->data() + 9, &ref.length, 8);
  buffer->add_blob_source(source);
  return slice(buffer->data(), buffer.get());
}

Datum Datum::time(double epoch_seconds, std::int16_t zone_minutes) {
  return Datum(static_cast<std::uint64_t>(Rep::kTime) |
                   (std::uint64_t{static_cast<std::uint16_t>(zone_minutes)} << 16),
               std::bit_cast<std::uint64_t>(epoch_seconds));
}

Datum Datum::geometry(const Datum& object) {
  const std::string_view bytes = object.slice_bytes();
  if (object.type() != Type::kObject) object.wrong_type(Type::kObject);
  const Ref<Buffer> buffer = Buffer::make(1 + bytes.size());
  buffer->data()[0] = static_cast<std::uint8_t>(Tag::kGeometry);
  std::memcpy(buffer->data() + 1, bytes.data(), bytes.size());
  buffer->add_blob_source(object.has_blob() ? object.blob_source() : nullptr);
  return slice(buffer->data(), buffer.get());
}

Datum Datum::from_encoded(const std::uint8_t* bytes, Buffer& owner) {
  switch (tag_at(bytes)) {
    case Tag::kNull:
      return Datum();
    case Tag::kFalse:
      return Datum(Rep::kFalse);
    case Tag::kTrue:
      return Datum(Rep::kTrue);
    case Tag::kDouble:
    case Tag::kInt8:
    case Tag::kInt16:
    case Tag::kInt32:
    case Tag::kInt64:
      return finite(number_at(bytes));
    case Tag::kString: {
      const std::string_view s = text_at(bytes);
      return s.size() <= kMaxShortString ? string(s) : slice(bytes, &owner);
    }
    case Tag::kTime: {
      const TimeValue t = time_at(bytes);
      return time(t.epoch_seconds, t.zone_minutes);
    }
    case Tag::kMinVal:
      return minval();
    case Tag::kMaxVal:
      return maxval();
    default:
      return slice(bytes, &owner);
  }
}

Datum Datum::from_encoded(std::string_view encoded) {
  const Ref<Buffer> buffer = Buffer::copy(encoded.data(), encoded.size());
  return from_encoded(buffer->data(), *buffer);
}

std::string_view Datum::long_string() const {
  if (!is_slice_of(Tag::kString)) wrong_type(Type::kString);
  return text_at(bytes());
}

std::int64_t Datum::as_integer() const {
  const double d = as_number();
  // The layout of the number follows the recordings, which print these with %.20g.
  if (d > kMaxWhole)
    throw DatumError(DatumErrorKind::kLogic, fmt::format("Number not an integer (>2^53): {:.20g}", d));
  if (d < -kMaxWhole)
    throw DatumError(DatumErrorKind::kLogic, fmt::format("Number not an integer (<-2^53): {:.20g}", d));
  const auto n = static_cast<std::int64_t>(d);
  if (static_cast<double>(n) != d)
    throw DatumError(DatumErrorKind::kLogic, fmt::format("Number not an integer: {}", d));
  return n;
}

TimeValue Datum::as_time() const {
  if (rep() != Rep::kTime) wrong_type(Type::kTime);
  return {std::bit_cast<double>(w1_), static_cast<std::int16_t>(w0_ >> 16)};
}

Datum Datum::geometry_object() const {
  if (!is_slice_of(Tag::kGeometry)) wrong_type(Type::kGeometry);
  return slice(bytes() + 1, owner());
}

const std::uint8_t* Datum::container(Tag wanted) const {
  if (!is_slice_of(wanted)) wrong_type(type_of(wanted));
  return bytes();
}

std::size_t Datum::array_size() const {
  return Container(container(Tag::kArray)).count();
}

Datum Datum::at(std::size_t i) const {
  return from_encoded(Container(container(Tag::kArray)).at(static_cast<std::uint32_t>(i)), *owner());
}

std::size_t Datum::object_size() const {
  return Container(container(Tag::kObject)).count();
}

std::string_view Datum::name_at(std::size_t i) const {
  return Container(container(Tag::kObject)).name(static_cast<std::uint32_t>(i));
}

Datum Datum::value_at(std::size_t i) const {
  return from_encoded(Container(container(Tag::kObject)).value(static_cast<std::uint32_t>(i)), *owner());
}

std::optional<Datum> Datum::get(std::string_view name) const {
  const std::uint8_t* value = Container(container(Tag::kObject)).find(name);
  if (!value) return std::nullopt;
  return from_encoded(value, *owner());
}

std::uint64_t Datum::binary_size() const {
  if (is_slice_of(Tag::kBlob)) return blob_at(bytes()).length;
  if (!is_slice_of(Tag::kBinary)) wrong_type(Type::kBinary);
  return text_at(bytes()).size();
}

std::string Datum::binary_slice(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t size = binary_size();
  offset = std::min(offset, size);
  length = std::min(length, size - offset);
  if (tag() == Tag::kBinary) return std::string(text_at(bytes()).substr(offset, length));
  std::string out;
  if (length == 0) return out;
  if (!blob_source())
    throw DatumError(DatumErrorKind::kInternal, "A stored binary has lost the source of its bytes.");
  out.reserve(length);
  blob_source()->read(blob_at(bytes()).id, offset, length, out);
  return out;
}

std::optional<std::string_view> Datum::inline_binary() const& {
  if (is_slice_of(Tag::kBlob)) return std::nullopt;
  if (!is_slice_of(Tag::kBinary)) wrong_type(Type::kBinary);
  return text_at(bytes());
}

std::optional<BlobRef> Datum::blob_ref() const {
  if (!is_slice_of(Tag::kBlob)) return std::nullopt;
  return blob_at(bytes());
}

bool Datum::has_blob() const {
  return rep() == Rep::kSlice && (flags_at(bytes()) & kContainerHasBlob) != 0;
}

bool Datum::has_extreme() const {
  if (rep() == Rep::kSlice) return (flags_at(bytes()) & kContainerHasExtreme) != 0;
  return rep() == Rep::kMinVal || rep() == Rep::kMaxVal;
}

bool Datum::has_literal() const {
  return rep() == Rep::kSlice && (flags_at(bytes()) & kContainerHasLiteral) != 0;
}

Datum Datum::compact() const {
  if (rep() != Rep::kSlice) return *this;
  const std::string_view encoding = slice_bytes();
  if (encoding.size() == owner()->size()) return *this;
  const Ref<Buffer> buffer = Buffer::copy(encoding.data(), encoding.size());
  if (has_blob()) buffer->add_blob_source(blob_source());
  return slice(buffer->data(), buffer.get());
}

std::string_view Datum::slice_bytes() const {
  if (rep() != Rep::kSlice) return {};
  return {reinterpret_cast<const char*>(bytes()), encoded_size_at(bytes())};
}

void Datum::encode(std::string& out) const {
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* p = encoded_bytes(*this, scratch);
  out.append(reinterpret_cast<const char*>(p), encoded_size_at(p));
}

std::size_t Datum::encoded_size() const {
  std::uint8_t scratch[kMaxScalarBytes];
  return encoded_size_at(encoded_bytes(*this, scratch));
}

}  // namespace reqld
