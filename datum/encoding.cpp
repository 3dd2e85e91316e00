#include "datum/encoding.hpp"

#include <cmath>
#include <limits>

#include "datum/limits.hpp"

namespace reqld {

namespace encoding {
namespace {

template <typename T>
std::uint8_t* put(std::uint8_t* p, Tag tag, T v) {
  *p = static_cast<std::uint8_t>(tag);
  std::memcpy(p + 1, &v, sizeof v);
  return p + 1 + sizeof v;
}

template <typename T>
bool fits(std::int64_t n) {
  return n >= std::numeric_limits<T>::min() && n <= std::numeric_limits<T>::max();
}

}  // namespace

ContainerHeader::ContainerHeader(std::size_t count_in, std::size_t data_bytes_in)
    : count(count_in), data_bytes(data_bytes_in), width(0) {
  check_value_bytes(data_bytes);
  constexpr std::uint64_t kLimits[] = {0xff, 0xffff, 0xffffffff};
  while (data_bytes + ((count + 1) << width) > kLimits[width]) {
    if (++width == 3)
      throw DatumError(DatumErrorKind::kResource, "Array or object too large: its encoding is over 4 GiB.");
  }
}

std::uint8_t* ContainerHeader::write(std::uint8_t* p, Tag tag, std::uint8_t flags) const {
  *p++ = static_cast<std::uint8_t>(tag);
  *p++ = static_cast<std::uint8_t>(width | flags);
  store_width(p, static_cast<std::uint32_t>(data_bytes + ((count + 1) << width)), width);
  p += std::size_t{1} << width;
  store_width(p, static_cast<std::uint32_t>(count), width);
  return p + (std::size_t{1} << width);
}

std::uint8_t* write_number(std::uint8_t* p, double d) {
  if (std::fabs(d) <= kMaxWhole) {
    const auto n = static_cast<std::int64_t>(d);
    if (static_cast<double>(n) == d && !(n == 0 && std::signbit(d))) {
      if (fits<std::int8_t>(n)) return put(p, Tag::kInt8, static_cast<std::int8_t>(n));
      if (fits<std::int16_t>(n)) return put(p, Tag::kInt16, static_cast<std::int16_t>(n));
      if (fits<std::int32_t>(n)) return put(p, Tag::kInt32, static_cast<std::int32_t>(n));
      return put(p, Tag::kInt64, n);
    }
  }
  return put(p, Tag::kDouble, d);
}

void append_number(std::string& out, double d) {
  std::uint8_t bytes[9];
  const std::uint8_t* end = write_number(bytes, d);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

void append_string(std::string& out, std::string_view s) {
  out.push_back(static_cast<char>(Tag::kString));
  append_varint(out, s.size());
  out.append(s);
}

const std::uint8_t* encoded_bytes(const Datum& d, std::uint8_t (&scratch)[kMaxScalarBytes]) {
  if (const std::uint8_t* bytes = d.slice_data()) return bytes;
  switch (d.type()) {
    case Type::kNull:
      scratch[0] = static_cast<std::uint8_t>(Tag::kNull);
      break;
    case Type::kBool:
      scratch[0] = static_cast<std::uint8_t>(d.as_bool() ? Tag::kTrue : Tag::kFalse);
      break;
    case Type::kNumber:
      write_number(scratch, d.as_number());
      break;
    case Type::kTime: {
      const TimeValue t = d.as_time();
      put(scratch, Tag::kTime, t.epoch_seconds);
      std::memcpy(scratch + 9, &t.zone_minutes, sizeof t.zone_minutes);
      break;
    }
    case Type::kMinVal:
      scratch[0] = static_cast<std::uint8_t>(Tag::kMinVal);
      break;
    case Type::kMaxVal:
      scratch[0] = static_cast<std::uint8_t>(Tag::kMaxVal);
      break;
    default: {
      const std::string_view s = d.as_string();
      scratch[0] = static_cast<std::uint8_t>(Tag::kString);
      scratch[1] = static_cast<std::uint8_t>(s.size());
      std::memcpy(scratch + 2, s.data(), s.size());
    }
  }
  return scratch;
}

}  // namespace encoding

std::size_t encoded_size_at(const std::uint8_t* p) {
  using namespace encoding;
  switch (tag_at(p)) {
    case Tag::kNull:
    case Tag::kFalse:
    case Tag::kTrue:
    case Tag::kMinVal:
    case Tag::kMaxVal:
      return 1;
    case Tag::kInt8:
      return 2;
    case Tag::kInt16:
      return 3;
    case Tag::kInt32:
      return 5;
    case Tag::kInt64:
    case Tag::kDouble:
      return 9;
    case Tag::kTime:
      return 11;
    case Tag::kBlob:
      return 17;
    case Tag::kString:
    case Tag::kBinary: {
      const std::uint8_t* q = p + 1;
      const std::uint64_t n = read_varint(q);
      return static_cast<std::size_t>(q - p) + n;
    }
    case Tag::kGeometry:
      return 1 + encoded_size_at(p + 1);
    case Tag::kArray:
    case Tag::kObject: {
      const unsigned width = p[1] & kContainerWidthMask;
      return 2 + (std::size_t{1} << width) + load_width(p + 2, width);
    }
  }
  throw DatumError(DatumErrorKind::kInternal, "A stored value has an unknown tag.");
}

}  // namespace reqld
