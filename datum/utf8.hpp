// Strings as Unicode: ReQL counts and cuts in code points. Bytes that are no UTF-8 (they can come from
// r.http) count one each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reqld::utf8 {

struct Fault {
  std::string_view reason;  ///< "Invalid initial byte seen"
  std::size_t position;     ///< of the byte where it showed
};
/// The first fault of `s`, nullopt when it is UTF-8. Surrogates are let through, as recorded.
std::optional<Fault> find_fault(std::string_view s);
/// Throws DatumError(kLogic) "String `a` (truncated) is not a UTF-8 string; Expected continuation byte, saw
/// end of string at position 1."
void check(std::string_view s);

/// How many code points `s` has.
std::size_t count(std::string_view s);
/// The code points from `from` up to (not including) `to`, which may lie beyond the end.
std::string_view slice(std::string_view s, std::size_t from, std::size_t to);

/// A code point and how many bytes it takes. Requires a byte at `s[0]`; what is no UTF-8 comes out as that
/// byte alone.
struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};
CodePoint first(std::string_view s);
/// Bytes of the first character of `s` with the combining marks that follow it.
std::size_t character_bytes(std::string_view s);

/// White_Space of Unicode.
bool is_space(std::uint32_t code_point);
/// The pieces of `s` as `split` has them; views into `s`. At most `max_splits` splits, negative: no limit.
std::vector<std::string_view> split_at_spaces(std::string_view s, std::int64_t max_splits);
std::vector<std::string_view> split_at(std::string_view s, std::string_view separator,
                                       std::int64_t max_splits);  ///< requires a separator
std::vector<std::string_view> split_characters(std::string_view s,
                                               std::int64_t max_splits);  ///< what an empty separator does

/// ASCII letters only, as recorded.
std::string to_upper(std::string_view s);
std::string to_lower(std::string_view s);

}  // namespace reqld::utf8
