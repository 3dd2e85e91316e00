// One query from START to its last reply: what the server drives and what it gets back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reql/suspend.hpp"

namespace reqld::reql {

/// `t` of a reply, with its number on the wire.
enum class ReplyType : std::uint8_t {
  kAtom = 1,
  kSequence = 2,
  kPartial = 3,
  kWaitComplete = 4,
  kServerInfo = 5,
  kClientError = 16,
  kCompileError = 17,
  kRuntimeError = 18,
};

/// `e` of a runtime error, with its number on the wire. kNone: the reply carries no `e`.
enum class ErrorCode : std::uint32_t {
  kNone = 0,
  kInternal = 1000000,
  kResourceLimit = 2000000,
  kQueryLogic = 3000000,
  kNonExistence = 3100000,
  kOpFailed = 4100000,
  kOpIndeterminate = 4200000,
  kUser = 5000000,
  kPermission = 6000000,
};

/// One step from a term to the argument (number) or optional argument (name) that failed.
using Frame = std::variant<std::int32_t, std::string>;
using Backtrace = std::vector<Frame>;

/// One reply. `rows` holds the JSON texts of `r`, separated by commas, without the brackets.
struct Reply {
  ReplyType type = ReplyType::kAtom;
  std::string rows;
  std::vector<std::uint8_t> notes;  ///< `n`, e.g. 1 SEQUENCE_FEED, 5 INCLUDES_STATES
  ErrorCode error = ErrorCode::kNone;
  Backtrace backtrace;  ///< only for kCompileError and kRuntimeError
  std::string profile;  ///< JSON of `p`; empty: absent
  bool idle = false;    ///< of `next`, by a feed that woke for nothing: no reply is sent, it is asked whether
                        ///< it is ready again
};

/// Makes an error reply; `message` is the plain text.
Reply error_reply(ReplyType type, ErrorCode code, std::string_view message, Backtrace backtrace = {});

/// Who asks: fixed for the life of a connection.
struct ClientInfo {
  std::string user = "admin";
  std::string peer_host;  ///< textual address of the client
  std::uint16_t peer_port = 0;
};

class Engine;

/// A query of one token. Made on the connection's reactor; `start` and `next` run on a coroutine, never both
/// at once; `cancel` is callable from any thread; the destructor runs when neither is running.
class Query {
 public:
  virtual ~Query() = default;

  /// True: no reply is to be sent for this query (global optarg `noreply`), nor counted as outstanding for
  /// anything but NOREPLY_WAIT. Valid right after construction.
  virtual bool noreply() const = 0;

  /// Runs the query to its first reply. Never throws. With ReplyType::kPartial the token stays open.
  virtual Reply start(Suspender& suspender) = 0;

  /// CONTINUE: the next batch. Only after a kPartial reply.
  virtual Reply next(Suspender& suspender) = 0;

  /// Whether `next` would answer without waiting for something to happen in the database. When false, `wake`
  /// is called once, from any thread, as soon as it would (or the query was cancelled); so an idle feed costs
  /// no coroutine. A query that is not a feed is always ready.
  virtual bool ready(std::function<void()> wake) = 0;

  /// STOP, a closed connection, or shutdown: `start`/`next` under way ends soon (its reply is then of no
  /// meaning).
  virtual void cancel() = 0;
};

/// How much a query's text grows by while it is parsed: with so much spare capacity it is not copied.
inline constexpr std::size_t kQueryPaddingBytes = 16;

/// Parses the body of a START message, `[1, term, optargs]`, into a query. `body` is consumed (parsed in
/// place). Parse and compile errors come out of `start` as its reply, so this never fails. Thread: the
/// connection's reactor.
std::unique_ptr<Query> make_query(Engine& engine, const ClientInfo& client, std::string body);

}  // namespace reqld::reql
