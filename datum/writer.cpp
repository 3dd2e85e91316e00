#include "datum/writer.hpp"

#include <algorithm>
#include <limits>

#include "datum/encoding.hpp"
#include "datum/limits.hpp"

namespace reqld {

using namespace encoding;

namespace {

constexpr std::size_t kFirstBytes = 256;
constexpr std::size_t kFirstOpen = 8;
constexpr std::size_t kFirstOffsets = 32;
constexpr std::size_t kFirstFields = 16;

}  // namespace

std::uint8_t* DatumWriter::reserve(std::size_t n) {
  const std::size_t have = buffer_ ? buffer_->size() : 0;
  if (used_ + n > have) {
    check_value_bytes(used_ + n);
    buffer_ = Buffer::resize(std::move(buffer_), std::max({have * 2, used_ + n, kFirstBytes}));
  }
  return data() + used_;
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
  open_.push_back({used_, offsets_.size(), 0, object, true, false});
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
  if (open.sorted && offsets_.size() > open.first_item && name_at(open, offsets_.back()) >= name)
    open.sorted = false;
  if (name == kReqlType) open.reql_type = true;
  offsets_.push_back(static_cast<std::uint32_t>(offset));
  std::uint8_t* p = reserve(10 + name.size());
  p = write_varint(p, name.size());
  if (!name.empty()) std::memcpy(p, name.data(), name.size());
  used_ = static_cast<std::size_t>(p - data()) + name.size();
}

std::optional<std::string> DatumWriter::sort_fields(const Open& open) {
  const std::size_t total = used_ - open.start;
  fields_.clear();
  fields_.reserve(std::max(offsets_.size() - open.first_item, kFirstFields));
  for (std::size_t i = open.first_item; i < offsets_.size(); ++i) {
    const std::size_t end = i + 1 < offsets_.size() ? offsets_[i + 1] : total;
    fields_.push_back({offsets_[i], static_cast<std::uint32_t>(end - offsets_[i]), name_at(open, offsets_[i])});
  }
  std::ranges::sort(fields_, {}, &Field::name);
  const auto twice = std::ranges::adjacent_find(fields_, {}, &Field::name);
  if (twice != fields_.end()) return std::string(twice->name);
  unsorted_.assign(reinterpret_cast<const char*>(bytes() + open.start), total);
  std::uint8_t* p = data() + open.start;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    std::memcpy(p, unsorted_.data() + fields_[i].offset, fields_[i].size);
    offsets_[open.first_item + i] = static_cast<std::uint32_t>(p - (data() + open.start));
    p += fields_[i].size;
  }
  return std::nullopt;
}

void DatumWriter::close(Tag tag) {
  const Open open = open_.back();
  const std::size_t count = offsets_.size() - open.first_item;
  const std::size_t data_bytes = used_ - open.start;
  const ContainerHeader header(count, data_bytes);
  reserve(header.bytes());
  std::uint8_t* start = data() + open.start;
  std::memmove(start + header.bytes(), start, data_bytes);
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
  ObjectEnd end{std::nullopt, open_.back().reql_type};
  if (!open_.back().sorted) end.duplicate = sort_fields(open_.back());
  close(Tag::kObject);
  return end;
}

Datum DatumWriter::copy_last_value() const {
  const Ref<Buffer> copy = Buffer::copy(last_value(), encoded_size_at(last_value()));
  copy->add_blob_source(source_.get());
  return Datum::from_encoded(copy->data(), *copy);
}

void DatumWriter::replace_last_value(const Datum& d) {
  used_ = last_;
  if (in_array()) offsets_.pop_back();
  value(d);
}

Datum DatumWriter::finish() {
  if ((flags_at(bytes()) & kContainerHasBlob) == 0) source_ = {};
  Ref<Buffer> buffer = Buffer::resize(std::move(buffer_), used_);
  buffer->add_blob_source(source_.get());
  clear();
  return Datum::from_encoded(buffer->data(), *buffer);
}

void DatumWriter::clear() {
  used_ = last_ = 0;
  open_.clear();
  offsets_.clear();
  source_ = {};
}

}  // namespace reqld
