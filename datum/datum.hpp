// The value: what documents, literals and results are made of.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "datum/buffer.hpp"
#include "datum/memory_account.hpp"

namespace reqld {

/// Types in ReQL's total order: by type name, between minval and maxval.
enum class Type : std::uint8_t {
  kMinVal,
  kArray,
  kBool,
  kNull,
  kNumber,
  kObject,
  kBinary,
  kGeometry,
  kTime,
  kString,
  kMaxVal,
};

/// "ARRAY", "BOOL", … "PTYPE<BINARY>", "PTYPE<GEOMETRY>", "PTYPE<TIME>", "STRING", "MINVAL", "MAXVAL".
std::string_view type_name(Type type);

enum class DatumErrorKind : std::uint8_t { kLogic, kNonExistence, kResource, kInternal };

/// What the accessors and operations of datums throw. It knows no position: the evaluator adds that.
class DatumError : public std::runtime_error {
 public:
  DatumError(DatumErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  DatumErrorKind kind() const { return kind_; }

 private:
  DatumErrorKind kind_;
};

/// Throws "Expected type X but found Y."; kNonExistence when Y is NULL.
[[noreturn]] void throw_type_error(std::string_view expected, Type found);

/// The first byte of an encoded value. Numbers on disk: never change one. See docs/storage_format.md.
enum class Tag : std::uint8_t {
  kNull = 0x01,
  kFalse = 0x02,
  kTrue = 0x03,
  kDouble = 0x04,  ///< 8 bytes IEEE 754, little-endian
  kInt8 = 0x05,    ///< whole numbers take the shortest of these; -0.0 is a kDouble
  kInt16 = 0x06,
  kInt32 = 0x07,
  kInt64 = 0x08,     ///< |n| <= 2^53
  kString = 0x09,    ///< varint length, bytes
  kBinary = 0x0a,    ///< varint length, bytes
  kBlob = 0x0b,      ///< u64 id, u64 length: a binary that is stored out of line
  kTime = 0x0c,      ///< 8 bytes epoch seconds (double), i16 zone offset in minutes
  kGeometry = 0x0d,  ///< followed by the encoded GeoJSON object (without $reql_type$)
  kArray = 0x0e,     ///< container header, then the values
  kObject = 0x0f,    ///< container header, then (varint name length, name, value), sorted by name
  kMinVal = 0x10,    ///< never stored
  kMaxVal = 0x11,    ///< never stored
};

// Container header: tag, flags, size, count, offset[count]. The last three are little-endian integers of
// 1, 2 or 4 bytes (flags bits 0-1: log2 of that width). `size` counts every byte after the size field;
// offsets count from the first byte after the offset table. Flag bit 2: a kBlob is somewhere inside; bit 3: a
// kMinVal or kMaxVal is; bit 4: it is or has an `r.literal`.
inline constexpr std::uint8_t kContainerWidthMask = 0x03;
inline constexpr std::uint8_t kContainerHasBlob = 0x04;
inline constexpr std::uint8_t kContainerHasExtreme = 0x08;  ///< never stored
inline constexpr std::uint8_t kContainerHasLiteral = 0x10;  ///< never stored

/// A binary that is stored out of line.
struct BlobRef {
  std::uint64_t id;
  std::uint64_t length;
};

/// Times are equal, and ordered, by their instant alone; the zone only says how to show them.
struct TimeValue {
  double epoch_seconds;       ///< in whole milliseconds
  std::int16_t zone_minutes;  ///< east of Greenwich
};

/// An immutable value in 16 bytes: null, bool, number, time and short string inline, anything else a slice of
/// encoded bytes inside a reference-counted Buffer. Cheap to copy, safe to share between threads. Equal
/// values of stored types have equal encodings (canonical form), except that a binary may be inline or a
/// blob, that equal times may differ in their zone, and that -0.0 equals 0.
class Datum {
 public:
  Datum() : Datum(Rep::kNull) {}
  Datum(const Datum& o) : w0_(o.w0_), w1_(o.w1_) { retain(); }
  Datum(Datum&& o) noexcept : w0_(o.w0_), w1_(o.w1_) { o.w0_ = static_cast<std::uint64_t>(Rep::kNull); }
  Datum& operator=(const Datum& o) {
    Datum copy(o);
    swap(copy);
    return *this;
  }
  Datum& operator=(Datum&& o) noexcept {
    swap(o);
    return *this;
  }
  ~Datum() {
    if (rep() == Rep::kSlice) owner()->release();
  }
  void swap(Datum& o) noexcept {
    std::swap(w0_, o.w0_);
    std::swap(w1_, o.w1_);
  }

  static Datum null() { return Datum(); }
  static Datum boolean(bool b) { return Datum(b ? Rep::kTrue : Rep::kFalse); }
  /// Throws DatumError("Non-finite number: …") for NaN and infinities.
  static Datum number(double d);
  static Datum integer(std::int64_t n) { return finite(static_cast<double>(n)); }
  static Datum string(std::string_view s);
  static Datum binary(std::string_view bytes);
  /// Stores the instant as it is: datum/time.hpp rounds to milliseconds and checks.
  static Datum time(double epoch_seconds, std::int16_t zone_minutes);
  /// `object` is a GeoJSON object ({coordinates, type}), already validated.
  static Datum geometry(const Datum& object);
  static Datum minval() { return Datum(Rep::kMinVal); }
  static Datum maxval() { return Datum(Rep::kMaxVal); }
  static Datum array(const std::vector<Datum>& values);
  static Datum empty_array();
  static Datum empty_object();

  /// The value whose encoding starts at `bytes`, which lie inside `owner`. The bytes are trusted: check
  /// foreign ones with `validate_encoding` first.
  static Datum from_encoded(const std::uint8_t* bytes, Buffer& owner);
  /// Copies `encoded` into a buffer of its own.
  static Datum from_encoded(std::string_view encoded);

  Type type() const {
    constexpr Type kByRep[] = {Type::kNull,   Type::kBool,   Type::kBool,   Type::kNumber,
                               Type::kMinVal, Type::kMaxVal, Type::kString, Type::kTime};
    constexpr Type kByTag[] = {Type::kNull,   Type::kNull,   Type::kBool,   Type::kBool,     Type::kNumber,
                               Type::kNumber, Type::kNumber, Type::kNumber, Type::kNumber,   Type::kString,
                               Type::kBinary, Type::kBinary, Type::kTime,   Type::kGeometry, Type::kArray,
                               Type::kObject, Type::kMinVal, Type::kMaxVal};
    return rep() == Rep::kSlice ? kByTag[*bytes()] : kByRep[w0_ & 0xff];
  }
  bool is_null() const { return rep() == Rep::kNull; }
  bool is(Type t) const { return type() == t; }

  // Accessors throw throw_type_error's DatumError when the type is another.
  bool as_bool() const {
    if (rep() != Rep::kTrue && rep() != Rep::kFalse) wrong_type(Type::kBool);
    return rep() == Rep::kTrue;
  }
  double as_number() const {
    if (rep() != Rep::kNumber) wrong_type(Type::kNumber);
    return std::bit_cast<double>(w1_);
  }
  /// A whole number of magnitude up to 2^53. Throws "Number not an integer: 1.5" and friends.
  std::int64_t as_integer() const;
  /// The view lives as long as this Datum object (short strings lie inside it).
  std::string_view as_string() const& {
    if (rep() == Rep::kShortString) return {reinterpret_cast<const char*>(this) + 2, (w0_ >> 8) & 0xff};
    return long_string();
  }
  std::string_view as_string() const&& = delete;
  TimeValue as_time() const;
  /// The GeoJSON object inside a geometry.
  Datum geometry_object() const;

  // Arrays.
  std::size_t array_size() const;
  Datum at(std::size_t i) const;  ///< requires i < array_size()

  // Objects (not pseudo-types). Fields are in byte order of their names.
  std::size_t object_size() const;
  std::string_view name_at(std::size_t i) const;  ///< lives as long as the buffer behind
  Datum value_at(std::size_t i) const;
  std::optional<Datum> get(std::string_view name) const;

  // Binaries. A blob's bytes are read from its source on demand.
  std::uint64_t binary_size() const;
  std::string binary_bytes() const { return binary_slice(0, binary_size()); }
  std::string binary_slice(std::uint64_t offset, std::uint64_t length) const;
  /// The bytes of an inline binary without a copy; nullopt for a blob.
  std::optional<std::string_view> inline_binary() const&;
  std::optional<BlobRef> blob_ref() const;
  static Datum blob(BlobRef ref, BlobSource* source);

  /// Whether a blob is inside (or is the value itself).
  bool has_blob() const;
  /// Whether it is minval or maxval or has one inside: then it can neither be stored nor become JSON.
  bool has_extreme() const;
  /// Whether it is or has an `r.literal`: an object whose `$reql_type$` is LITERAL.
  bool has_literal() const;
  BlobSource* blob_source() const { return rep() == Rep::kSlice ? owner()->blob_source() : nullptr; }
  /// This value in a buffer of its own size, so that it does not keep a larger one alive.
  Datum compact() const;

  /// Appends the encoding.
  void encode(std::string& out) const;
  std::size_t encoded_size() const;
  std::string encoded() const {
    std::string out;
    encode(out);
    return out;
  }
  /// The encoded bytes when this is a slice (any container, long string, binary…); empty otherwise.
  std::string_view slice_bytes() const;
  /// Where they start; null when the value is inline.
  const std::uint8_t* slice_data() const { return rep() == Rep::kSlice ? bytes() : nullptr; }

 private:
  enum class Rep : std::uint8_t {
    kNull,
    kFalse,
    kTrue,
    kNumber,
    kMinVal,
    kMaxVal,
    kShortString,
    kTime,
    kSlice
  };
  static constexpr std::size_t kMaxShortString = 14;

  explicit Datum(Rep rep) : w0_(static_cast<std::uint64_t>(rep)), w1_(0) {}
  Datum(std::uint64_t w0, std::uint64_t w1) : w0_(w0), w1_(w1) {}
  static Datum finite(double d) {
    return Datum(static_cast<std::uint64_t>(Rep::kNumber), std::bit_cast<std::uint64_t>(d));
  }
  /// A slice of `owner`, which gains a reference.
  static Datum slice(const std::uint8_t* bytes, Buffer* owner);
  std::string_view long_string() const;
  const std::uint8_t* container(Tag tag) const;
  Rep rep() const { return static_cast<Rep>(w0_ & 0xff); }
  Buffer* owner() const { return reinterpret_cast<Buffer*>(w0_ >> 8); }
  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(w1_); }
  Tag tag() const { return static_cast<Tag>(*bytes()); }
  bool is_slice_of(Tag t) const { return rep() == Rep::kSlice && tag() == t; }
  void retain() const {
    if (rep() == Rep::kSlice) owner()->retain();
  }
  [[noreturn]] void wrong_type(Type expected) const { throw_type_error(type_name(expected), type()); }

  // w0_: low byte Rep; kSlice: the owner's address in the upper 56 bits; kShortString: length in byte 1, text
  // from byte 2; kTime: the zone in bytes 2-3. w1_: a number, an epoch time, the address of a slice, more
  // text.
  std::uint64_t w0_;
  std::uint64_t w1_;
};
static_assert(sizeof(Datum) == 16);
static_assert(std::endian::native == std::endian::little);

/// Three-way comparison in ReQL's total order. Blobs compare by their bytes.
int compare(const Datum& a, const Datum& b);
inline bool operator==(const Datum& a, const Datum& b) {
  return compare(a, b) == 0;
}
inline bool operator<(const Datum& a, const Datum& b) {
  return compare(a, b) < 0;
}
/// Equal values have equal hashes.
std::size_t hash_value(const Datum& d);

/// Builds an array by appending.
class ArrayBuilder {
 public:
  void add(const Datum& d);
  void reserve(std::size_t count) { offsets_.reserve(count); }
  std::size_t size() const { return offsets_.size(); }
  bool empty() const { return offsets_.empty(); }
  std::size_t bytes() const { return data_.size(); }
  /// The array; the builder is empty afterwards.
  Datum finish();

 private:
  std::string data_;
  std::vector<std::uint32_t> offsets_;
  MemoryCharge charge_;
  Ref<BlobSource> source_;
  std::uint8_t flags_ = 0;
};

/// Builds an object from fields in any order; a name set again replaces the earlier value.
class ObjectBuilder {
 public:
  ObjectBuilder() = default;
  /// Starts with the fields of `object`.
  explicit ObjectBuilder(const Datum& object);

  void set(std::string_view name, Datum value);
  /// Whether it was there.
  bool erase(std::string_view name);
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Null when absent; valid until the next change.
  const Datum* find(std::string_view name) const;
  std::size_t size() const { return fields_.size() + many_.size(); }
  bool empty() const { return size() == 0; }
  /// The object; the builder is empty afterwards.
  Datum finish();

 private:
  struct Field {
    std::string name;
    Datum value;
  };
  std::size_t lower_bound(std::string_view name) const;

  // Sorted by name. Once many names have come out of order all of them move to the map: one of the two is
  // empty.
  std::vector<Field> fields_;
  std::map<std::string, Datum, std::less<>> many_;
};

/// The size in bytes of the encoded value that starts at `bytes`.
std::size_t encoded_size_at(const std::uint8_t* bytes);

/// Whether `bytes` is exactly one well-formed encoded value (as storage may hold it): every length within
/// bounds, names sorted and unique, numbers canonical, strings anywhere, depth at most `max_depth`. For bytes
/// that may be damaged.
bool validate_encoding(std::string_view bytes, int max_depth = 2000);

}  // namespace reqld
