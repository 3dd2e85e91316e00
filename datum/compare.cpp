// Order, equality and hash, all of them straight on the encoded bytes.
#include <algorithm>
#include <cmath>

#include "datum/datum.hpp"
#include "datum/encoding.hpp"

namespace reqld {

using namespace encoding;

namespace {

constexpr std::uint64_t kBlobPiece = 256 * 1024;
constexpr std::size_t kHashedBytes = 1024;

int sign(std::strong_ordering o) {
  return o < 0 ? -1 : o > 0 ? 1 : 0;
}
int order_of(std::uint64_t a, std::uint64_t b) {
  return sign(a <=> b);
}
int order_of(double a, double b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
int order_of(std::string_view a, std::string_view b) {
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

/// A binary's bytes in pieces, blob or not.
struct Bytes {
  Bytes(const std::uint8_t* p, BlobSource* source_in) : source(source_in) {
    if (tag_at(p) == Tag::kBlob)
      ref = blob_at(p);
    else
      text = text_at(p);
  }
  std::uint64_t size() const { return ref ? ref->length : text.size(); }
  std::string_view piece(std::uint64_t offset, std::uint64_t length, std::string& scratch) const {
    if (!ref) return text.substr(offset, length);
    if (!source)
      throw DatumError(DatumErrorKind::kInternal, "A stored binary has lost the source of its bytes.");
    scratch.clear();
    source->read(ref->id, offset, length, scratch);
    return scratch;
  }

  std::string_view text;
  std::optional<BlobRef> ref;
  BlobSource* source;
};

int compare_binaries(const Bytes& a, const Bytes& b) {
  if (!a.ref && !b.ref) return order_of(a.text, b.text);
  if (a.ref && b.ref && a.ref->id == b.ref->id) return order_of(a.ref->length, b.ref->length);
  const std::uint64_t common = std::min(a.size(), b.size());
  std::string scratch_a, scratch_b;
  for (std::uint64_t at = 0; at < common; at += kBlobPiece) {
    const std::uint64_t n = std::min(kBlobPiece, common - at);
    if (const int order = order_of(a.piece(at, n, scratch_a), b.piece(at, n, scratch_b))) return order;
  }
  return order_of(a.size(), b.size());
}

/// Two containers of one type that are being compared side by side.
struct Pair {
  Container a, b;
  std::uint32_t next;
  bool object;
};

struct Sources {
  BlobSource* a;
  BlobSource* b;
};

int compare_scalars(Type type, const std::uint8_t* a, const std::uint8_t* b, Sources sources) {
  switch (type) {
    case Type::kBool:
      return order_of(std::uint64_t{*a}, std::uint64_t{*b});
    case Type::kNumber:
      return order_of(number_at(a), number_at(b));
    case Type::kString:
      return order_of(text_at(a), text_at(b));
    case Type::kTime:
      return order_of(time_at(a).epoch_seconds, time_at(b).epoch_seconds);
    case Type::kBinary:
      return compare_binaries({a, sources.a}, {b, sources.b});
    default:
      return 0;
  }
}

int compare_encoded(const std::uint8_t* a, const std::uint8_t* b, Sources sources) {
  Stack<Pair> open;
  for (;;) {
    const Type type = type_of(tag_at(a));
    if (const int order =
            order_of(static_cast<std::uint64_t>(type), static_cast<std::uint64_t>(type_of(tag_at(b)))))
      return order;
    if (type == Type::kArray || type == Type::kObject || type == Type::kGeometry) {
      const bool object = type != Type::kArray;
      const int skip = type == Type::kGeometry ? 1 : 0;
      open.push({Container(a + skip), Container(b + skip), 0, object});
    } else if (const int order = compare_scalars(type, a, b, sources)) {
      return order;
    }
    for (;; open.pop()) {
      if (open.empty()) return 0;
      Pair& top = open.top();
      const std::uint32_t i = top.next++;
      if (i >= top.a.count() || i >= top.b.count()) {
        if (const int order = order_of(std::uint64_t{top.a.count()}, std::uint64_t{top.b.count()}))
          return order;
        continue;
      }
      if (top.object) {
        if (const int order = order_of(top.a.name(i), top.b.name(i))) return order;
        a = top.a.value(i);
        b = top.b.value(i);
      } else {
        a = top.a.at(i);
        b = top.b.at(i);
      }
      break;
    }
  }
}

std::size_t mix(std::size_t h, std::size_t v) {
  h ^= v + 0x9e3779b97f4a7c15 + (h << 12) + (h >> 4);
  h *= 0xff51afd7ed558ccd;
  return h ^ (h >> 32);
}

std::size_t hash_scalar(const std::uint8_t* p, BlobSource* source) {
  switch (type_of(tag_at(p))) {
    case Type::kNumber:
      return std::hash<double>()(number_at(p));  // the same for -0.0 and 0.0
    case Type::kString:
      return std::hash<std::string_view>()(text_at(p));
    case Type::kTime:
      return std::hash<double>()(time_at(p).epoch_seconds);
    case Type::kBinary: {
      // A blob hashes by length and front, so that a large one is not read whole.
      const Bytes bytes(p, source);
      std::string scratch;
      return mix(bytes.size(), std::hash<std::string_view>()(bytes.piece(
                                   0, std::min<std::uint64_t>(bytes.size(), kHashedBytes), scratch)));
    }
    default:
      return *p;
  }
}

}  // namespace

int compare(const Datum& a, const Datum& b) {
  const std::uint8_t* pa = a.slice_data();
  const std::uint8_t* pb = b.slice_data();
  if (!pa || !pb) {
    const Type type_a = a.type(), type_b = b.type();
    if (type_a != type_b) return type_a < type_b ? -1 : 1;
    switch (type_a) {
      case Type::kNumber:
        return order_of(a.as_number(), b.as_number());
      case Type::kString:
        return order_of(a.as_string(), b.as_string());
      case Type::kBool:
        return static_cast<int>(a.as_bool()) - static_cast<int>(b.as_bool());
      case Type::kTime:
        return order_of(a.as_time().epoch_seconds, b.as_time().epoch_seconds);
      default:
        return 0;
    }
  }
  if (pa == pb) return 0;
  const std::string_view bytes_a = a.slice_bytes(), bytes_b = b.slice_bytes();
  if (bytes_a == bytes_b) return 0;  // values of different bytes may be equal still: zones, -0.0, blobs
  return compare_encoded(pa, pb, {a.blob_source(), b.blob_source()});
}

std::size_t hash_value(const Datum& d) {
  struct Walk {
    Container container;
    std::uint32_t next;
    bool object;
  };
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* p = encoded_bytes(d, scratch);
  BlobSource* const source = d.blob_source();
  std::size_t h = 0x51ed270b;
  Stack<Walk> open;
  for (;;) {
    const Type type = type_of(tag_at(p));
    h = mix(h, static_cast<std::size_t>(type));
    if (type == Type::kGeometry) {
      open.push({Container(p + 1), 0, true});
    } else if (type == Type::kArray || type == Type::kObject) {
      open.push({Container(p), 0, type == Type::kObject});
    } else {
      h = mix(h, hash_scalar(p, source));
    }
    for (;; open.pop()) {
      if (open.empty()) return h;
      Walk& top = open.top();
      if (top.next >= top.container.count()) continue;
      const std::uint32_t i = top.next++;
      if (top.object) {
        h = mix(h, std::hash<std::string_view>()(top.container.name(i)));
        p = top.container.value(i);
      } else {
        p = top.container.at(i);
      }
      break;
    }
    h = mix(h, open.size());
  }
}

}  // namespace reqld
