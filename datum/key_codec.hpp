// Values as keys: byte strings whose memcmp order is ReQL's order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld {

/// Appends the key of `d`. For any a, b: compare(a, b) has the sign of memcmp(key(a), key(b)), and no key is
/// a prefix of another value's key (so keys can be concatenated). Objects are not keys of primary rows or
/// indexes, but are encoded too (group, distinct, sort use it). Blobs are read whole.
void append_key(const Datum& d, std::string& out);
std::string to_key(const Datum& d);

/// The value of the key at the front of `bytes`, which is advanced past it; nullopt when the bytes are no
/// key. The value is equal to the one that was encoded, but a time comes back in UTC and -0.0 as 0: a key
/// keeps what the order looks at.
std::optional<Datum> decode_key(std::string_view& bytes);

/// The smallest byte string greater than every string that starts with `prefix`; empty when there is none.
std::string prefix_successor(std::string_view prefix);

/// Checks that `d` may be a primary key and returns its key. Throws DatumError with the recorded texts:
/// wrong type ("Primary keys must be either a number, string, bool, pseudotype or array (got type …):\n…"),
/// null bytes in strings, too long ("Primary key too long (max 127 characters): …"), nested wrong types. Time
/// keys compare by epoch only, as recorded.
std::string to_primary_key(const Datum& d);

/// Checks that `d` may be asked for in a secondary index that is not geospatial. Throws DatumError with the
/// recorded texts
/// ("Secondary keys must be a number, string, bool, pseudotype, or array (got … of type …)."). minval and
/// maxval pass: they are bounds.
void check_secondary_key(const Datum& d);

}  // namespace reqld
