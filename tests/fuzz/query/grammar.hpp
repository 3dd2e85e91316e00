// Queries made from the definition table of the terms, steered by bytes: what libFuzzer mutates is which
// choices are made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reql/term_def.hpp"

namespace reqld::fuzz {

/// Choices, from the input's bytes; zeros once they are used up.
class Choices {
 public:
  explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint8_t byte() {
    if (at_ == bytes_.size()) return 0;
    return bytes_[at_++];
  }
  std::size_t below(std::size_t n) { return n > 256 ? (byte() * 256u + byte()) % n : byte() % n; }
  bool used_up() const { return at_ == bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

/// Writes terms as JSON. A kind of value is a letter:
///   a array   b bool   d datum   D database   f name of a field   F format   g geometry   G single selection
///   i name of an index   j JSON text   k key   n number   o object   p path pattern   R selection   s string
///   S sequence   t time T table   y name of a type   z time zone   1 2 3 function of so many arguments   x
///   anything
class Grammar {
 public:
  explicit Grammar(Choices& choices) : choices_(choices) {}
  /// A whole body of a START message: `[1, term, options]`.
  std::string query();

 private:
  std::string value(char kind, int depth);
  std::string leaf(char kind);
  std::string term(const reql::TermDef& def, int depth);
  std::string term_named(std::string_view name, int depth);
  std::string function(int arguments, int depth);
  std::string optargs(const reql::TermDef& def, int depth);
  std::string number();
  std::string string();

  Choices& choices_;
  std::vector<int> variables_;  // in sight
  int next_variable_ = 1;
};

}  // namespace reqld::fuzz
