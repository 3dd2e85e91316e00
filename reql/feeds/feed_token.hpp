// What a resumable feed gives out so that another goes on after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/database.hpp"

namespace reqld::reql {

/// How far a feed has come: all changes before `at`, and of the one there what its parts up to `part` show.
struct FeedPosition {
  static constexpr std::uint16_t kAllParts = 0xffff;
  storage::ChangePosition at;
  std::uint16_t part = kAllParts;
  auto operator<=>(const FeedPosition&) const = default;
};

struct FeedToken {
  std::uint64_t incarnation = 0;  ///< of the database that numbered the position
  FeedPosition position;
};

/// Printable ASCII without quotes.
std::string encode_token(const FeedToken& token);
/// nullopt when `text` is none.
std::optional<FeedToken> decode_token(std::string_view text);

}  // namespace reqld::reql
