#include "storage/tables/index_keys.hpp"

#include <algorithm>
#include <cmath>

#include "datum/key_codec.hpp"

namespace reqld::storage {

namespace {

bool numbered(const IndexInfo& index) {
  return index.multi || index.geo;
}

bool inexact(const Datum& d) {
  switch (d.type()) {
    case Type::kNumber:
      return d.as_number() == 0 && std::signbit(d.as_number());
    case Type::kTime:
      return d.as_time().zone_minutes != 0;
    case Type::kArray:
      for (std::size_t i = 0; i < d.array_size(); ++i)
        if (inexact(d.at(i))) return true;
      return false;
    default:
      return false;
  }
}

}  // namespace

std::vector<IndexedValue> index_values(const IndexInfo& index, const Datum& row) {
  if (!index.function)
    throw StorageError({ErrorKind::kInvalid, "The function of index `" + index.name + "` cannot be run."});
  std::vector<Datum> values;
  try {
    index.function->keys(row, values);
  } catch (const DatumError&) {
    values.clear();
  }
  std::vector<IndexedValue> out;
  out.reserve(values.size());
  for (Datum& value : values) {
    if (value.type() == Type::kMinVal || value.type() == Type::kMaxVal) continue;
    std::string key = to_key(value);
    out.push_back({std::move(key), std::move(value)});
    if (!numbered(index)) break;
  }
  if (out.size() > 1)
    std::stable_sort(out.begin(), out.end(),
                     [](const IndexedValue& a, const IndexedValue& b) { return a.key < b.key; });
  return out;
}

void append_entries(const IndexInfo& index, const Datum& row, std::string_view primary_key,
                    std::vector<IndexEntry>& out) {
  const std::vector<IndexedValue> values = index_values(index, row);
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string_view stored = values[i].stored_key();
    number = i > 0 && values[i - 1].stored_key() == stored ? number + 1 : 0;
    IndexEntry& entry = out.emplace_back();
    entry.key.reserve(kSpaceBytes + stored.size() + primary_key.size() + 4);
    append_u32(index.space, entry.key);
    entry.key.append(stored);
    entry.key.append(primary_key);
    if (numbered(index)) append_u32(number, entry.key);
    entry.value[0] = static_cast<std::uint8_t>(stored.size());
    entry.value[1] = static_cast<std::uint8_t>((values[i].truncated() ? kEntryTruncated : 0) |
                                               (inexact(values[i].value) ? kEntryInexact : 0));
  }
}

ParsedEntry parse_entry(const IndexInfo& index, std::string_view key, std::string_view value) {
  const std::size_t number_bytes = numbered(index) ? 4 : 0;
  const std::size_t length = value.empty() ? 0 : static_cast<std::uint8_t>(value[0]);
  if (value.size() != 2 || key.size() < kSpaceBytes + length + number_bytes)
    throw StorageError({ErrorKind::kCorrupt, "An entry of index `" + index.name + "` is damaged."});
  ParsedEntry e;
  e.value_key = key.substr(kSpaceBytes, length);
  e.rest = key.substr(kSpaceBytes + length);
  e.primary_key = e.rest.substr(0, e.rest.size() - number_bytes);
  if (number_bytes) e.number = load_u32(e.rest.substr(e.primary_key.size()));
  e.truncated = (value[1] & kEntryTruncated) != 0;
  e.inexact = (value[1] & kEntryInexact) != 0;
  return e;
}

}  // namespace reqld::storage
