#include "datum/writer.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "datum/encoding.hpp"
#include "datum/limits.hpp"

namespace reqld {

using namespace encoding;

namespace {

constexpr std::size_t kFirstBytes = 256;
constexpr std::size_t kFirstOpen = 8;
constexpr std::size_t kFirstOffsets = 32;
constexpr std::size_t kFirstFields = 16;
/// Giving memory back takes longer than it is worth when it is less than this, or an eighth.
constexpr std::size_t kMostSpare = 64;

/// The first eight bytes of a name as a big-endian number, zeros behind a shorter one.
std::uint64_t prefix_of(std::string_view name) {
  static_assert(std::endian::native == std::endian::little);
  const std::size_t n = name.size();
  const auto* const p = reinterpret_cast<const std::uint8_t*>(name.data());
  const auto byte = [p](std::size_t i) { return std::uint64_t{p[i]} << (8 * i); };
  std::uint64_t bytes = 0;
  // Loads that overlap: a memcpy of unknown length would be a call.
  if (n >= 8) {
    bytes = load<std::uint64_t>(p);
  } else if (n >= 4) {
    bytes = load<std::uint32_t>(p) | std::uint64_t{load<std::uint32_t>(p + n - 4)} << (8 * (n - 4));
  } else if (n > 0) {
    bytes = byte(0) | byte(n / 2) | byte(n - 1);
  }
  return __builtin_bswap64(bytes);
}

}  // namespace

void DatumWriter::grow(std::size_t bytes) {
  check_value_bytes(bytes);
  buffer_ = Buffer::resize(std::move(buffer_), std::max({room_ * 2, bytes, kFirstBytes}));
  room_ = buffer_->size();
}

std::uint8_t* DatumWriter::reserve(std::size_t n) {
  if (used_ + n > room_) [[unlikely]] {
    grow(used_ + n);
  }
  return data() + used_;
}

void DatumWriter::expect(std::size_t bytes) {
  if (buffer_) return;
  buffer_ = Buffer::make(bytes);
  room_ = bytes;
}

void DatumWriter::begin_value() {
  if (in_array()) {
    const std::size_t offset = used_ - open_.back().start;
    if (offset > std::numeric_limits<std::uint32_t>::max())
      throw DatumError(DatumErrorKind::kResource, "Array or object too large: its encoding is over 4 GiB.");
    offsets_.push_back(static_cast<std::uint32_t>(offset));
  }
  last_ = used_;
}

void DatumWriter::add_flags(std::uint8_t flags) {
  if (!open_.empty()) open_.back().flags |= flags;
}

void DatumWriter::null() {
  begin_value();
  *reserve(1) = static_cast<std::uint8_t>(Tag::kNull);
  ++used_;
}

void DatumWriter::boolean(bool b) {
  begin_value();
  *reserve(1) = static_cast<std::uint8_t>(b ? Tag::kTrue : Tag::kFalse);
  ++used_;
}

void DatumWriter::number(double d) {
  begin_value();
  std::uint8_t* p = reserve(9);
  used_ += static_cast<std::size_t>(write_number(p, d) - p);
}

void DatumWriter::string(std::string_view s) {
  begin_value();
  std::uint8_t* p = reserve(11 + s.size());
  *p++ = static_cast<std::uint8_t>(Tag::kString);
  p = write_varint(p, s.size());
  if (!s.empty()) std::memcpy(p, s.data(), s.size());
  used_ = static_cast<std::size_t>(p - data()) + s.size();
}

void DatumWriter::value(const Datum& d) {
  begin_value();
  std::uint8_t scratch[kMaxScalarBytes];
  const std::uint8_t* encoded = encoded_bytes(d, scratch);
  const std::size_t size = encoded_size_at(encoded);
  std::memcpy(reserve(size), encoded, size);
  used_ += size;
  const std::uint8_t flags = flags_at(encoded);
  add_flags(flags);
  if ((flags & kContainerHasBlob) != 0 && d.blob_source() &&
      (!source_ || d.blob_source()->age() < source_->age()))
    source_ = Ref<BlobSource>(d.blob_source());
}

void DatumWriter::begin_container(bool object) {
  begin_value();
  if (open_.capacity() == 0) {
    open_.reserve(kFirstOpen);
    offsets_.reserve(kFirstOffsets);
  }
  open_.push_back({used_, offsets_.size(), 0, 0, object, true, false});
}

void DatumWriter::begin_array() {
  begin_container(false);
}
void DatumWriter::begin_object() {
  begin_container(true);
}

std::string_view DatumWriter::name_at(const Open& open, std::uint32_t offset) const {
  return sized_bytes(bytes() + open.start + offset);
}

void DatumWriter::name(std::string_view name) {
  Open& open = open_.back();
  const std::size_t offset = used_ - open.start;
  if (offset > std::numeric_limits<std::uint32_t>::max())
    throw DatumError(DatumErrorKind::kResource, "Array or object too large: its encoding is over 4 GiB.");
  const std::uint64_t prefix = prefix_of(name);
  if (open.sorted && offsets_.size() > open.first_item &&
      (prefix != open.last_prefix ? prefix < open.last_prefix : name_at(open, offsets_.back()) >= name)) {
    open.sorted = false;
  }
  open.last_prefix = prefix;
  if (name == kReqlType) open.reql_type = true;
  offsets_.push_back(static_cast<std::uint32_t>(offset));
  std::uint8_t* p = reserve(10 + name.size());
  p = write_varint(p, name.size());
  if (!name.empty()) std::memcpy(p, name.data(), name.size());
  used_ = static_cast<std::size_t>(p - data()) + name.size();
}

std::optional<std::string> DatumWriter::sort_fields(const Open& open) {
  const std::size_t count = offsets_.size() - open.first_item;
  const std::size_t total = used_ - open.start;
  fields_.clear();
  fields_.reserve(std::max(count, kFirstFields));
  for (std::size_t i = open.first_item; i < offsets_.size(); ++i) {
    const std::size_t end = i + 1 < offsets_.size() ? offsets_[i + 1] : total;
    const std::string_view name = name_at(open, offsets_[i]);
    fields_.push_back({prefix_of(name), name, offsets_[i], static_cast<std::uint32_t>(end - offsets_[i])});
  }
  const auto before = [this](std::uint32_t a, std::uint32_t b) {
    const Field &first = fields_[a], &second = fields_[b];
    return first.prefix != second.prefix ? first.prefix < second.prefix : first.name < second.name;
  };
  // Most objects have the fields of the one before.
  const auto not_ascending = [&](std::uint32_t a, std::uint32_t b) { return !before(a, b); };
  if (order_.size() == count && std::ranges::adjacent_find(order_, not_ascending) == order_.end()) return std::nullopt;
  order_.reserve(fields_.capacity());
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::sort(order_, before);
  const auto twice = std::ranges::adjacent_find(order_, not_ascending);
  return twice == order_.end() ? std::nullopt : std::optional(std::string(fields_[*twice].name));
}

/// Moves the fields of an object, sorted by sort_fields(), to `to`, which may overlap with where they are.
void DatumWriter::move_fields(const Open& open, std::uint8_t* to) {
  unsorted_.assign(reinterpret_cast<const char*>(bytes() + open.start), used_ - open.start);
  std::uint32_t offset = 0;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const Field& field = fields_[order_[i]];
    std::memcpy(to + offset, unsorted_.data() + field.offset, field.size);
    offsets_[open.first_item + i] = offset;
    offset += field.size;
  }
}

void DatumWriter::close(Tag tag) {
  const Open open = open_.back();
  const std::size_t count = offsets_.size() - open.first_item;
  const std::size_t data_bytes = used_ - open.start;
  const ContainerHeader header(count, data_bytes);
  reserve(header.bytes());
  std::uint8_t* start = data() + open.start;
  if (open.sorted) {
    std::memmove(start + header.bytes(), start, data_bytes);
  } else {
    move_fields(open, start + header.bytes());
  }
  std::uint8_t* p = header.write(start, tag, open.flags);
  for (std::size_t i = open.first_item; i < offsets_.size(); ++i) {
    store_width(p, offsets_[i], header.width);
    p += std::size_t{1} << header.width;
  }
  used_ += header.bytes();
  last_ = open.start;
  offsets_.resize(open.first_item);
  open_.pop_back();
  add_flags(open.flags);
}

void DatumWriter::end_array() {
  close(Tag::kArray);
}

DatumWriter::ObjectEnd DatumWriter::end_object() {
  Open& open = open_.back();
  ObjectEnd end{std::nullopt, open.reql_type};
  if (!open.sorted) {
    end.duplicate = sort_fields(open);
    // The fields then stay as they came.
    open.sorted = end.duplicate.has_value();
  }
  close(Tag::kObject);
  return end;
}

Datum DatumWriter::copy_last_value() const {
  const Ref<Buffer> copy = Buffer::copy(last_value(), encoded_size_at(last_value()));
  copy->add_blob_source(source_.get());
  return Datum::from_encoded(copy->data(), *copy);
}

void DatumWriter::drop_last_value() {
  used_ = last_;
  if (in_array()) offsets_.pop_back();
}

void DatumWriter::replace_last_value(const Datum& d) {
  drop_last_value();
  value(d);
}

void DatumWriter::take_apart(Pieces& pieces) {
  if (open_.empty()) return;
  // Values share it from now on.
  const Ref<Buffer> buffer = std::move(buffer_);
  buffer->add_blob_source(source_.get());
  const std::uint8_t* const end = buffer->data() + used_;
  for (std::size_t level = 0; level < open_.size(); ++level) {
    const Open& open = open_[level];
    const bool innermost = level + 1 == open_.size();
    const std::size_t items_end = innermost ? offsets_.size() : open_[level + 1].first_item;
    open.object ? pieces.begin_object() : pieces.begin_array();
    for (std::size_t i = open.first_item; i < items_end; ++i) {
      const std::uint8_t* at = buffer->data() + open.start + offsets_[i];
      if (open.object) {
        const std::string_view name = sized_bytes(at);
        pieces.name(name);
        at = reinterpret_cast<const std::uint8_t*>(name.data() + name.size());
      }
      const bool complete = innermost ? at != end : i + 1 < items_end;
      if (complete) pieces.value(Datum::from_encoded(at, *buffer));
    }
  }
  clear();
}

Datum DatumWriter::finish() {
  if ((flags_at(bytes()) & kContainerHasBlob) == 0) source_ = {};
  Ref<Buffer> buffer = std::move(buffer_);
  const std::size_t spare = buffer->size() - used_;
  if (spare > kMostSpare && spare > used_ / 8) buffer = Buffer::resize(std::move(buffer), used_);
  buffer->add_blob_source(source_.get());
  clear();
  return Datum::from_encoded(buffer->data(), *buffer);
}

void DatumWriter::clear() {
  used_ = last_ = 0;
  room_ = buffer_ ? buffer_->size() : 0;
  open_.clear();
  offsets_.clear();
  source_ = {};
}

}  // namespace reqld
