#include "datum/splice.hpp"

#include <cstring>

#include "datum/encoding.hpp"
#include "datum/limits.hpp"

namespace reqld {

using namespace encoding;

Datum splice(const Datum& array, std::size_t at, std::size_t removed, std::span<const Datum> inserted) {
  const std::uint8_t* const encoded = array.slice_data();
  const Container old(encoded);
  const std::size_t old_count = old.count();
  const auto old_bytes = static_cast<std::size_t>(old.end() - old.data());
  const auto start_of = [&](std::size_t i) {
    return i < old_count ? std::size_t{old.offset(static_cast<std::uint32_t>(i))} : old_bytes;
  };
  const std::size_t head_bytes = start_of(at);
  const std::size_t tail_from = start_of(at + removed);

  std::size_t data_bytes = head_bytes + (old_bytes - tail_from);
  for (const Datum& d : inserted) data_bytes += d.encoded_size();
  const std::size_t count = old_count - removed + inserted.size();
  if (count == 0) return Datum::empty_array();
  check_value_bytes(data_bytes);
  const ContainerHeader header(count, data_bytes);
  const Ref<Buffer> buffer = Buffer::make(header.bytes() + data_bytes);

  std::uint8_t flags = flags_at(encoded);
  if (removed > 0 && flags != 0) {
    // Those of what is left.
    flags = 0;
    for (std::size_t i = 0; i < old_count; ++i) {
      if (i < at || i >= at + removed) flags |= flags_at(old.at(static_cast<std::uint32_t>(i)));
    }
  }
  if ((flags & kContainerHasBlob) != 0) buffer->add_blob_source(array.blob_source());

  std::uint8_t* const data = buffer->data() + header.bytes();
  std::uint8_t* offset = buffer->data() + header.bytes() - (count << header.width);
  const auto add_offset = [&](std::size_t value) {
    store_width(offset, static_cast<std::uint32_t>(value), header.width);
    offset += std::size_t{1} << header.width;
  };
  if ((encoded[1] & kContainerWidthMask) == header.width) {
    const std::size_t bytes = at << header.width;
    std::memcpy(offset, old.data() - (old_count << header.width), bytes);
    offset += bytes;
  } else {
    for (std::size_t i = 0; i < at; ++i) add_offset(start_of(i));
  }
  std::memcpy(data, old.data(), head_bytes);
  std::uint8_t* p = data + head_bytes;
  for (const Datum& d : inserted) {
    add_offset(static_cast<std::size_t>(p - data));
    std::uint8_t scratch[kMaxScalarBytes];
    const std::uint8_t* const bytes = encoded_bytes(d, scratch);
    const std::size_t size = encoded_size_at(bytes);
    std::memcpy(p, bytes, size);
    p += size;
    const std::uint8_t own = flags_at(bytes);
    if ((own & kContainerHasBlob) != 0) buffer->add_blob_source(d.blob_source());
    flags |= own;
  }
  const auto tail_to = static_cast<std::size_t>(p - data);
  for (std::size_t i = at + removed; i < old_count; ++i) add_offset(start_of(i) - tail_from + tail_to);
  std::memcpy(p, old.data() + tail_from, old_bytes - tail_from);
  header.write(buffer->data(), Tag::kArray, flags);
  return Datum::from_encoded(buffer->data(), *buffer);
}

}  // namespace reqld
