#include "datum/utf8.hpp"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "datum/datum.hpp"

namespace reqld::utf8 {

namespace {

std::uint8_t byte_at(std::string_view s, std::size_t i) {
  return static_cast<std::uint8_t>(s[i]);
}
bool continues(std::uint8_t b) {
  return (b & 0xc0) == 0x80;
}

/// How many of the bytes from `i` on are ASCII, to within a word.
std::size_t skip_ascii(std::string_view s, std::size_t i) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  for (; i + 32 <= s.size(); i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, s.data() + i, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
  }
  for (std::uint64_t word = 0; i + sizeof word <= s.size(); i += sizeof word) {
    std::memcpy(&word, s.data() + i, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  while (i < s.size() && byte_at(s, i) < 0x80) ++i;
  return i;
}

/// Bytes of the sequence that `lead` starts; 0 when it starts none.
std::size_t sequence_bytes(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc0) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf8 ? 4 : 0;
}

struct Sequence {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
  std::optional<Fault> fault;
};

Sequence decode(std::string_view s, std::size_t i) {
  const std::uint8_t lead = byte_at(s, i);
  const std::size_t n = sequence_bytes(lead);
  if (n == 1) return {lead, 1, std::nullopt};
  if (n == 0) return {lead, 1, Fault{"Invalid initial byte seen", i}};
  std::uint32_t value = lead & (0x7fu >> n);
  for (std::size_t k = 1; k < n; ++k) {
    if (i + k == s.size())
      return {lead, 1, Fault{"Expected continuation byte, saw end of string", i + k - 1}};
    const std::uint8_t b = byte_at(s, i + k);
    if (!continues(b)) return {lead, 1, Fault{"Expected continuation byte, saw something else", i + k}};
    value = value << 6 | (b & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[n]) return {lead, 1, Fault{"Overlong encoding seen", i + n - 1}};
  if (value > 0x10ffff) return {lead, 1, Fault{"Non-Unicode character encoded (beyond U+10FFFF)", i + n - 1}};
  return {value, n, std::nullopt};
}

bool is_combining(std::uint32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return true;
    default:
      return false;
  }
}

std::string map_ascii(std::string_view s, char from, char to, int shift) {
  std::string out(s);
  for (char& c : out)
    if (c >= from && c <= to) c = static_cast<char>(c + shift);
  return out;
}

bool may_split(std::size_t done, std::int64_t max_splits) {
  return max_splits < 0 || done < static_cast<std::uint64_t>(max_splits);
}

std::size_t skip_spaces(std::string_view s, std::size_t i) {
  while (i < s.size()) {
    const CodePoint c = first(s.substr(i));
    if (!is_space(c.value)) break;
    i += c.bytes;
  }
  return i;
}

std::size_t find_space(std::string_view s, std::size_t i) {
  while (i < s.size()) {
    const CodePoint c = first(s.substr(i));
    if (is_space(c.value)) break;
    i += c.bytes;
  }
  return i;
}

}  // namespace

std::optional<Fault> find_fault(std::string_view s) {
  for (std::size_t i = skip_ascii(s, 0); i < s.size(); i = skip_ascii(s, i)) {
    Sequence sequence = decode(s, i);
    if (sequence.fault) return sequence.fault;
    i += sequence.bytes;
  }
  return std::nullopt;
}

void check(std::string_view s) {
  if (const std::optional<Fault> fault = find_fault(s)) [[unlikely]]
    throw DatumError(DatumErrorKind::kLogic,
                     fmt::format("String `{}` (truncated) is not a UTF-8 string; {} at position {}.",
                                 s.substr(0, fault->position), fault->reason, fault->position));
}

CodePoint first(std::string_view s) {
  const Sequence sequence = decode(s, 0);
  return {sequence.value, sequence.bytes};
}

std::size_t count(std::string_view s) {
  std::size_t points = 0;
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t ascii_end = skip_ascii(s, i);
    points += ascii_end - i;
    i = ascii_end;
    if (i == s.size()) break;
    i += decode(s, i).bytes;
    ++points;
  }
  return points;
}

std::string_view slice(std::string_view s, std::size_t from, std::size_t to) {
  std::size_t i = 0, point = 0;
  for (; i < s.size() && point < from; ++point) i += decode(s, i).bytes;
  const std::size_t begin = i;
  for (; i < s.size() && point < to; ++point) i += decode(s, i).bytes;
  return s.substr(begin, i - begin);
}

std::size_t character_bytes(std::string_view s) {
  std::size_t n = first(s).bytes;
  while (n < s.size() && byte_at(s, n) >= 0x80) {
    const Sequence next = decode(s, n);
    if (next.fault || !is_combining(next.value)) break;
    n += next.bytes;
  }
  return n;
}

bool is_space(std::uint32_t code_point) {
  if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  if (code_point == 0x85) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return false;
  }
}

std::vector<std::string_view> split_at_spaces(std::string_view s, std::int64_t max_splits) {
  std::vector<std::string_view> pieces;
  std::size_t i = skip_spaces(s, 0);
  while (i < s.size()) {
    if (!may_split(pieces.size(), max_splits)) {
      pieces.push_back(s.substr(i));
      break;
    }
    const std::size_t end = find_space(s, i);
    pieces.push_back(s.substr(i, end - i));
    i = skip_spaces(s, end);
  }
  return pieces;
}

std::vector<std::string_view> split_at(std::string_view s, std::string_view separator,
                                       std::int64_t max_splits) {
  std::vector<std::string_view> pieces;
  std::size_t i = 0;
  while (may_split(pieces.size(), max_splits)) {
    const std::size_t end = s.find(separator, i);
    if (end == std::string_view::npos) break;
    pieces.push_back(s.substr(i, end - i));
    i = end + separator.size();
  }
  pieces.push_back(s.substr(i));
  return pieces;
}

std::vector<std::string_view> split_characters(std::string_view s, std::int64_t max_splits) {
  std::vector<std::string_view> pieces;
  while (!s.empty() && may_split(pieces.size(), max_splits)) {
    const std::size_t n = character_bytes(s);
    pieces.push_back(s.substr(0, n));
    s.remove_prefix(n);
  }
  if (!s.empty()) pieces.push_back(s);
  return pieces;
}

std::string to_upper(std::string_view s) {
  return map_ascii(s, 'a', 'z', 'A' - 'a');
}
std::string to_lower(std::string_view s) {
  return map_ascii(s, 'A', 'Z', 'a' - 'A');
}

}  // namespace reqld::utf8
