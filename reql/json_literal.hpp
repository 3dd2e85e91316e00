// Literals of a query: the parts of its JSON with no term in them, which become values when it is parsed.
#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "datum/writer.hpp"

namespace reqld::reql {

/// Each level of a query costs the parser a stack frame or two; well below any thread's stack.
inline constexpr int kMaxQueryDepth = 2000;
/// Longer literal arrays are built when they are evaluated, so that array_limit is checked there.
inline constexpr std::size_t kMaxFoldedArray = 100000;

inline std::string_view view(const rapidjson::Value& string) {
  return {string.GetString(), string.GetStringLength()};
}

/// An uploaded file, decoded straight from the text of the query; nullopt when `object` is none, or a
/// malformed one.
std::optional<Datum> binary_literal(const rapidjson::Value& object);

/// Reads whole literals in one pass, however deep. For one document, whose objects and MAKE_ARRAY terms its
/// user visits from the root on in the document's order, asking for each whether it is one.
class JsonLiteralReader {
 public:
  struct Literal {
    Datum value;
    std::uint32_t longest_array;
  };
  /// `json` is an object or a MAKE_ARRAY term at `depth`. nullopt when a term is in it, and whenever there is
  /// an error to be reported or left to the evaluation: then its user builds it piece by piece.
  std::optional<Literal> read(const rapidjson::Value& json, int depth);

 private:
  bool write(const rapidjson::Value& json, int depth);
  bool write_container(const rapidjson::Value& json, int depth);

  DatumWriter writer_;
  std::uint32_t longest_array_ = 0;
  std::vector<const rapidjson::Value*> path_;
  // Those that are known to be no literals and will be asked for, the next one last: so that nothing is read
  // more than twice.
  std::vector<const rapidjson::Value*> refused_;
};

}  // namespace reqld::reql
