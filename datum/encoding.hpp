// The encoded form read in place. Inside datum/ only: everybody else uses Datum.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"

namespace reqld::encoding {

inline constexpr double kMaxWhole = 9007199254740992.0;  ///< 2^53
inline constexpr std::size_t kMaxScalarBytes = 32;       ///< room for any value that a Datum holds inline

template <typename T>
T load(const std::uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <typename T>
void append(std::string& out, T v) {
  char bytes[sizeof v];
  std::memcpy(bytes, &v, sizeof v);
  out.append(bytes, sizeof v);
}

inline std::uint32_t load_width(const std::uint8_t* p, unsigned width_log2) {
  switch (width_log2) {
    case 0:
      return *p;
    case 1:
      return load<std::uint16_t>(p);
    default:
      return load<std::uint32_t>(p);
  }
}

inline void store_width(std::uint8_t* p, std::uint32_t v, unsigned width_log2) {
  switch (width_log2) {
    case 0:
      *p = static_cast<std::uint8_t>(v);
      break;
    case 1: {
      const auto narrow = static_cast<std::uint16_t>(v);
      std::memcpy(p, &narrow, sizeof narrow);
      break;
    }
    default:
      std::memcpy(p, &v, sizeof v);
  }
}

/// Reads a varint (LEB128, 64 bits) and advances `p` past it.
inline std::uint64_t read_varint(const std::uint8_t*& p) {
  std::uint64_t v = *p++;
  if (v < 0x80) [[likely]]
    return v;
  v &= 0x7f;
  for (unsigned shift = 7;; shift += 7) {
    const std::uint64_t b = *p++;
    v |= (b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
}

inline std::size_t varint_size(std::uint64_t v) {
  std::size_t n = 1;
  for (; v >= 0x80; v >>= 7) ++n;
  return n;
}

inline std::uint8_t* write_varint(std::uint8_t* p, std::uint64_t v) {
  for (; v >= 0x80; v >>= 7) *p++ = static_cast<std::uint8_t>(v | 0x80);
  *p++ = static_cast<std::uint8_t>(v);
  return p;
}

inline void append_varint(std::string& out, std::uint64_t v) {
  std::uint8_t bytes[10];
  const std::uint8_t* end = write_varint(bytes, v);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

inline Tag tag_at(const std::uint8_t* p) {
  return static_cast<Tag>(*p);
}

inline Type type_of(Tag tag) {
  constexpr Type kTypes[] = {
      Type::kNull,   Type::kNull,     Type::kBool,   Type::kBool,   Type::kNumber, Type::kNumber,
      Type::kNumber, Type::kNumber,   Type::kNumber, Type::kString, Type::kBinary, Type::kBinary,
      Type::kTime,   Type::kGeometry, Type::kArray,  Type::kObject, Type::kMinVal, Type::kMaxVal,
  };
  return kTypes[static_cast<std::size_t>(tag)];
}

/// Requires a number's tag at `p`.
inline double number_at(const std::uint8_t* p) {
  switch (tag_at(p)) {
    case Tag::kInt8:
      return load<std::int8_t>(p + 1);
    case Tag::kInt16:
      return load<std::int16_t>(p + 1);
    case Tag::kInt32:
      return load<std::int32_t>(p + 1);
    case Tag::kInt64:
      return static_cast<double>(load<std::int64_t>(p + 1));
    default:
      return load<double>(p + 1);
  }
}

/// The bytes behind a varint length at `p`.
inline std::string_view sized_bytes(const std::uint8_t* p) {
  const std::uint64_t n = read_varint(p);
  return {reinterpret_cast<const char*>(p), static_cast<std::size_t>(n)};
}

/// Requires kString or kBinary at `p`.
inline std::string_view text_at(const std::uint8_t* p) {
  return sized_bytes(p + 1);
}
inline BlobRef blob_at(const std::uint8_t* p) {
  return {load<std::uint64_t>(p + 1), load<std::uint64_t>(p + 9)};
}
inline TimeValue time_at(const std::uint8_t* p) {
  return {load<double>(p + 1), load<std::int16_t>(p + 9)};
}

/// The field of an object on the wire that says which pseudo-type it stands for.
inline constexpr std::string_view kReqlType = "$reql_type$";
/// The one pseudo-type that is an object in memory too: what `r.literal` makes.
inline constexpr std::string_view kLiteralType = "LITERAL";

/// An array or object opened for reading.
class Container {
 public:
  Container() = default;  // to be assigned before use
  explicit Container(const std::uint8_t* p) {
    width_ = p[1] & kContainerWidthMask;
    const unsigned w = 1u << width_;
    const std::uint32_t size = load_width(p + 2, width_);
    count_ = load_width(p + 2 + w, width_);
    offsets_ = p + 2 + 2 * w;
    data_ = offsets_ + std::size_t{count_} * w;
    end_ = p + 2 + w + size;
  }
  std::uint32_t count() const { return count_; }
  const std::uint8_t* data() const { return data_; }
  const std::uint8_t* end() const { return end_; }
  std::uint32_t offset(std::uint32_t i) const {
    return load_width(offsets_ + (std::size_t{i} << width_), width_);
  }
  /// An array's value or an object's field.
  const std::uint8_t* at(std::uint32_t i) const { return data_ + offset(i); }
  std::string_view name(std::uint32_t i) const { return sized_bytes(at(i)); }
  const std::uint8_t* value(std::uint32_t i) const {
    const std::string_view n = name(i);
    return reinterpret_cast<const std::uint8_t*>(n.data()) + n.size();
  }
  /// The value of a field, null when there is none.
  const std::uint8_t* find(std::string_view wanted) const {
    std::uint32_t low = 0, high = count_;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      const std::string_view n = name(middle);
      const int order = n.compare(wanted);
      if (order == 0) return reinterpret_cast<const std::uint8_t*>(n.data()) + n.size();
      if (order < 0)
        low = middle + 1;
      else
        high = middle;
    }
    return nullptr;
  }

 private:
  const std::uint8_t* offsets_;
  const std::uint8_t* data_;
  const std::uint8_t* end_;
  std::uint32_t count_;
  unsigned width_;
};

/// What stands before a container's data: how wide it is and how many bytes. Throws DatumError(kResource)
/// above 4 GiB.
struct ContainerHeader {
  ContainerHeader(std::size_t count, std::size_t data_bytes);
  std::size_t bytes() const { return 2 + ((count + 2) << width); }
  /// Writes tag, flags, size and count at `p`; returns where the offsets go.
  std::uint8_t* write(std::uint8_t* p, Tag tag, std::uint8_t flags) const;

  std::size_t count;
  std::size_t data_bytes;
  unsigned width;
};

/// Writes the shortest encoding of a finite number; returns its end. Needs up to 9 bytes.
std::uint8_t* write_number(std::uint8_t* p, double d);
void append_number(std::string& out, double d);
void append_string(std::string& out, std::string_view s);

/// The encoded bytes of a datum whether it is inline (then they are made in `scratch`) or not.
const std::uint8_t* encoded_bytes(const Datum& d, std::uint8_t (&scratch)[kMaxScalarBytes]);

/// kContainerHasBlob, kContainerHasExtreme and kContainerHasLiteral as a container around the value at `p`
/// has to have them.
inline std::uint8_t flags_at(const std::uint8_t* p) {
  if (tag_at(p) == Tag::kGeometry) ++p;
  switch (tag_at(p)) {
    case Tag::kArray:
    case Tag::kObject:
      return p[1] & (kContainerHasBlob | kContainerHasExtreme | kContainerHasLiteral);
    case Tag::kBlob:
      return kContainerHasBlob;
    case Tag::kMinVal:
    case Tag::kMaxVal:
      return kContainerHasExtreme;
    default:
      return 0;
  }
}

/// A stack for walks over nested values: depth must not cost call stack, for queries run on small ones.
template <typename T, std::size_t kInline = 16>
class Stack {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  void push(const T& v) {
    if (size_ < kInline)
      inline_[size_] = v;
    else
      spilled_.push_back(v);
    ++size_;
  }
  T& top() { return size_ <= kInline ? inline_[size_ - 1] : spilled_.back(); }
  const T& top() const { return size_ <= kInline ? inline_[size_ - 1] : spilled_.back(); }
  void pop() {
    if (size_-- > kInline) spilled_.pop_back();
  }

 private:
  T inline_[kInline];
  std::vector<T> spilled_;
  std::size_t size_ = 0;
};

}  // namespace reqld::encoding
