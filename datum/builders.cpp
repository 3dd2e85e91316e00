#include <algorithm>
#include <limits>

#include "datum/datum.hpp"
#include "datum/encoding.hpp"
#include "datum/limits.hpp"

namespace reqld {

using namespace encoding;

namespace {

constexpr std::size_t kManyFields = 256;
constexpr std::size_t kFirstFields = 8;

/// Writes `d`, which lands in `buffer`, at `p`; returns its end and gathers its flags.
std::uint8_t* write_value(std::uint8_t* p, const Datum& d, Buffer& buffer, std::uint8_t& flags) {
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* bytes = encoded_bytes(d, scratch);
  const std::size_t size = encoded_size_at(bytes);
  std::memcpy(p, bytes, size);
  const std::uint8_t own = flags_at(bytes);
  if ((own & kContainerHasBlob) != 0) buffer.add_blob_source(d.blob_source());
  flags |= own;
  return p + size;
}

void keep_older(Ref<BlobSource>& kept, BlobSource* source) {
  if (source && (!kept || source->age() < kept->age())) kept = Ref<BlobSource>(source);
}

/// Writes the fields of a sorted range of (name, value) into an object.
template <typename Iterator, typename Name, typename Value>
Datum build_object(Iterator begin, Iterator end, std::size_t count, Name name_of, Value value_of) {
  std::size_t data_bytes = 0;
  for (Iterator i = begin; i != end; ++i) {
    const std::string& name = name_of(*i);
    data_bytes += varint_size(name.size()) + name.size() + value_of(*i).encoded_size();
  }
  const ContainerHeader header(count, data_bytes);
  const Ref<Buffer> buffer = Buffer::make(header.bytes() + data_bytes);
  std::uint8_t* data = buffer->data() + header.bytes();
  std::uint8_t* offsets = buffer->data() + (2 + (std::size_t{2} << header.width));
  std::uint8_t* p = data;
  std::uint8_t flags = 0;
  for (Iterator i = begin; i != end; ++i) {
    store_width(offsets, static_cast<std::uint32_t>(p - data), header.width);
    offsets += std::size_t{1} << header.width;
    const std::string& name = name_of(*i);
    const Datum& value = value_of(*i);
    p = write_varint(p, name.size());
    std::memcpy(p, name.data(), name.size());
    p = write_value(p + name.size(), value, *buffer, flags);
    if (name == kReqlType && value.is(Type::kString) && value.as_string() == kLiteralType)
      flags |= kContainerHasLiteral;
  }
  header.write(buffer->data(), Tag::kObject, flags);
  return Datum::from_encoded(buffer->data(), *buffer);
}

}  // namespace

Datum Datum::empty_array() {
  static const Datum* const kEmpty = new Datum(from_encoded(std::string_view("\x0e\x00\x01\x00", 4)));
  return *kEmpty;
}

Datum Datum::empty_object() {
  static const Datum* const kEmpty = new Datum(from_encoded(std::string_view("\x0f\x00\x01\x00", 4)));
  return *kEmpty;
}

Datum Datum::array(const std::vector<Datum>& values) {
  if (values.empty()) return empty_array();
  std::size_t data_bytes = 0;
  for (const Datum& v : values) data_bytes += v.encoded_size();
  const ContainerHeader header(values.size(), data_bytes);
  const Ref<Buffer> buffer = Buffer::make(header.bytes() + data_bytes);
  std::uint8_t* data = buffer->data() + header.bytes();
  std::uint8_t* offsets = buffer->data() + (2 + (std::size_t{2} << header.width));
  std::uint8_t* p = data;
  std::uint8_t flags = 0;
  for (const Datum& v : values) {
    store_width(offsets, static_cast<std::uint32_t>(p - data), header.width);
    offsets += std::size_t{1} << header.width;
    p = write_value(p, v, *buffer, flags);
  }
  header.write(buffer->data(), Tag::kArray, flags);
  return slice(buffer->data(), buffer.get());
}

void ArrayBuilder::add(const Datum& d) {
  if (data_.size() > std::numeric_limits<std::uint32_t>::max())
    throw DatumError(DatumErrorKind::kResource, "Array or object too large: its encoding is over 4 GiB.");
  offsets_.push_back(static_cast<std::uint32_t>(data_.size()));
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* bytes = encoded_bytes(d, scratch);
  const std::size_t size = encoded_size_at(bytes);
  check_value_bytes(data_.size() + size);
  const std::size_t had = data_.capacity();
  data_.append(reinterpret_cast<const char*>(bytes), size);
  if (data_.capacity() != had) charge_.add(data_.capacity() - had);
  const std::uint8_t own = flags_at(bytes);
  if ((own & kContainerHasBlob) != 0) keep_older(source_, d.blob_source());
  flags_ |= own;
}

Datum ArrayBuilder::finish() {
  if (empty()) return Datum::empty_array();
  const ContainerHeader header(offsets_.size(), data_.size());
  const Ref<Buffer> buffer = Buffer::make(header.bytes() + data_.size());
  std::uint8_t* p = header.write(buffer->data(), Tag::kArray, flags_);
  for (const std::uint32_t offset : offsets_) {
    store_width(p, offset, header.width);
    p += std::size_t{1} << header.width;
  }
  std::memcpy(p, data_.data(), data_.size());
  buffer->add_blob_source(source_.get());
  data_.clear();
  offsets_.clear();
  source_ = {};
  flags_ = 0;
  return Datum::from_encoded(buffer->data(), *buffer);
}

ObjectBuilder::ObjectBuilder(const Datum& object) {
  const std::size_t n = object.object_size();
  fields_.reserve(n + 4);
  for (std::size_t i = 0; i < n; ++i) fields_.push_back({std::string(object.name_at(i)), object.value_at(i)});
}

std::size_t ObjectBuilder::lower_bound(std::string_view name) const {
  if (fields_.empty() || fields_.back().name < name) return fields_.size();
  const auto i = std::lower_bound(fields_.begin(), fields_.end(), name,
                                  [](const Field& f, std::string_view n) { return f.name < n; });
  return static_cast<std::size_t>(i - fields_.begin());
}

void ObjectBuilder::set(std::string_view name, Datum value) {
  if (many_.empty()) {
    const std::size_t i = lower_bound(name);
    if (i < fields_.size() && fields_[i].name == name) {
      fields_[i].value = std::move(value);
      return;
    }
    if (i == fields_.size() || fields_.size() < kManyFields) {
      if (fields_.capacity() == 0) fields_.reserve(kFirstFields);
      fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(i),
                     Field{std::string(name), std::move(value)});
      return;
    }
    for (Field& f : fields_) many_.emplace_hint(many_.end(), std::move(f.name), std::move(f.value));
    fields_.clear();
  }
  many_.insert_or_assign(std::string(name), std::move(value));
}

bool ObjectBuilder::erase(std::string_view name) {
  if (const auto i = many_.find(name); i != many_.end()) {
    many_.erase(i);
    return true;
  }
  const std::size_t i = lower_bound(name);
  if (i == fields_.size() || fields_[i].name != name) return false;
  fields_.erase(fields_.begin() + static_cast<std::ptrdiff_t>(i));
  return true;
}

const Datum* ObjectBuilder::find(std::string_view name) const {
  if (const auto i = many_.find(name); i != many_.end()) return &i->second;
  const std::size_t i = lower_bound(name);
  return i < fields_.size() && fields_[i].name == name ? &fields_[i].value : nullptr;
}

Datum ObjectBuilder::finish() {
  if (empty()) return Datum::empty_object();
  const auto second = [](const auto& pair) -> const Datum& { return pair.second; };
  const auto first = [](const auto& pair) -> const std::string& { return pair.first; };
  Datum object = many_.empty() ? build_object(
                                     fields_.begin(), fields_.end(), fields_.size(),
                                     [](const Field& f) -> const std::string& { return f.name; },
                                     [](const Field& f) -> const Datum& { return f.value; })
                               : build_object(many_.begin(), many_.end(), many_.size(), first, second);
  fields_.clear();
  many_.clear();
  return object;
}

}  // namespace reqld
