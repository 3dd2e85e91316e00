// Entries of secondary indexes: how (value, primary key) becomes a key of the engine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

/// How much of a value's key goes into an entry. Longer ones are truncated: their entries with equal
/// beginnings stand together, in the order of primary keys, and readers put them in order by asking the rows.
inline constexpr std::size_t kMaxValueKeyBytes = 250;

/// Entry key: space, value key (at most kMaxValueKeyBytes), primary key; multi and geo: which of the entries
/// that are equal so far (u32). Entry value: length of the value key part (u8), flags (u8).
enum EntryFlags : std::uint8_t {
  kEntryTruncated = 1,
  kEntryInexact =
      2,  ///< the key does not keep all of the value (a time's zone, the sign of -0.0): ask the row for it
};

struct IndexEntry {
  std::string key;  ///< whole, with the space
  std::uint8_t value[2];
  std::string_view value_bytes() const { return {reinterpret_cast<const char*>(value), 2}; }
};

/// One value that a row has in an index.
struct IndexedValue {
  std::string key;  ///< untruncated
  Datum value;
  std::string_view stored_key() const { return std::string_view(key).substr(0, kMaxValueKeyBytes); }
  bool truncated() const { return key.size() > kMaxValueKeyBytes; }
};

/// The values of a row, sorted by key. Throws StorageError(kInvalid) when the index has no function.
std::vector<IndexedValue> index_values(const IndexInfo& index, const Datum& row);
/// Appends the entries of a row, sorted by key.
void append_entries(const IndexInfo& index, const Datum& row, std::string_view primary_key,
                    std::vector<IndexEntry>& out);

/// An entry taken apart; views into it.
struct ParsedEntry {
  std::string_view value_key;  ///< as stored
  std::string_view rest;       ///< primary key and number
  std::string_view primary_key;
  std::uint32_t number = 0;  ///< which of the row's values with this stored key, in order
  bool truncated = false;
  bool inexact = false;
};
/// Throws StorageError(kCorrupt).
ParsedEntry parse_entry(const IndexInfo& index, std::string_view key, std::string_view value);

}  // namespace reqld::storage
