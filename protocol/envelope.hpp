// The outermost array of a query, `[type, term, optargs]`: tells the type without parsing the term.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reqld::protocol {

enum class QueryType : std::uint8_t {
  kInvalid = 0,
  kStart = 1,
  kContinue = 2,
  kStop = 3,
  kNoreplyWait = 4,
  kServerInfo = 5,
};

struct Envelope {
  QueryType type = QueryType::kInvalid;
  std::string client_error;  ///< why it is kInvalid: the text of a CLIENT_ERROR reply
};

/// For kStart only the type has been looked at: whether the rest is well-formed is for whoever parses the
/// term. Every other type has been checked in full. Never throws; the depth of nesting does not matter.
Envelope read_envelope(std::string_view body);

inline constexpr std::string_view kUnparsableQuery = "Client is buggy (failed to deserialize query).";

}  // namespace reqld::protocol
