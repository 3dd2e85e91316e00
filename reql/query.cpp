#include "reql/query.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "datum/json.hpp"
#include "datum/memory_account.hpp"
#include "reql/context.hpp"
#include "reql/eval.hpp"
#include "reql/parallel.hpp"
#include "reql/profile.hpp"
#include "reql/program.hpp"
#include "reql/running_queries.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

namespace {

// SuccessType notes of a reply.
constexpr std::uint8_t kNoteIncludesStates = 5;

std::uint8_t feed_note(FeedKind kind) {
  switch (kind) {
    case FeedKind::kNone:
      return 0;
    case FeedKind::kStream:
      return 1;
    case FeedKind::kPoint:
      return 2;
    case FeedKind::kOrderByLimit:
      return 3;
    case FeedKind::kUnioned:
      return 4;
  }
  return 0;
}

// What a coroutine's stack must keep free for everything below the evaluator (stored functions read and
// printed, JSON, storage, libraries).
constexpr std::ptrdiff_t kStackReserve = 160 * 1024;
// What an index's function, which reading the index may have to ask, leaves of that.
constexpr std::ptrdiff_t kIndexFunctionReserve = 64 * 1024;
constexpr std::size_t kMostReserved = 64 * 1024;

// So that the end of a batch can be written as a time.
constexpr double kLongestBatchSeconds = 1e6;

// More than this is no limit, and not every double above fits an integer.
std::size_t to_limit(double n) {
  return static_cast<std::size_t>(std::min(n, 1e15));
}

/// Tells the thread that a query runs on where its stack ends and whose memory its buffers are, and takes
/// that back while the query waits.
class QuerySuspender : public Suspender {
 public:
  QuerySuspender(Suspender& inner, MemoryAccount& account, const char* stack_limit)
      : inner_(inner), account_(account), stack_limit_(stack_limit) {
    enter();
  }
  ~QuerySuspender() override { leave(); }

  void await(const std::function<void(std::function<void()> resume)>& start) override {
    const Away away(*this);
    inner_.await(start);
  }
  void move_to_pool() override {
    const Away away(*this);
    inner_.move_to_pool();
  }
  void gather(const storage::RowPlace& row) override {
    const Away away(*this);
    inner_.gather(row);
  }
  const char* stack_floor() const override { return inner_.stack_floor(); }
  void yield() override {
    const Away away(*this);
    inner_.yield();
  }
  bool can_share() const override { return inner_.can_share(); }
  void share(std::function<bool()> turn) override { inner_.share(std::move(turn)); }

 private:
  // May end on another thread than it began on.
  class Away {
   public:
    explicit Away(const QuerySuspender& query) : query_(query) { leave(); }
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;
    ~Away() { query_.enter(); }

   private:
    const QuerySuspender& query_;
  };

  void enter() const {
    MemoryAccount::set_of_thread(&account_);
    set_query_stack_limit(stack_limit_);
  }
  static void leave() {
    MemoryAccount::set_of_thread(nullptr);
    set_query_stack_limit(nullptr);
  }

  Suspender& inner_;
  MemoryAccount& account_;
  const char* const stack_limit_;
};

constexpr std::string_view kEncoding = "Encoding the reply.";

class QueryRun : public Query {
 public:
  QueryRun(Engine& engine, const ClientInfo& client, std::string body)
      : client_(client),
        account_(MemoryAccount::open(engine.options().query_memory_bytes)),
        cx_(engine, client_) {
    cx_.cancellation = &cancellation_;
    try {
      program_ = parse_query(std::move(body));
      cx_.program = program_.get();
      noreply_ = literal_option("noreply");
      running_.client = &client_;
      running_.program = program_;
      running_.started = std::chrono::steady_clock::now();
      running_.cancel = [this] { cancellation_.request(Cancellation::By::kJobsTable); };
      engine.running().add(running_);
    } catch (const QueryError& e) {
      parse_error_ = error_reply(e.type(), ErrorCode::kNone, e.what(), e.backtrace());
    } catch (const DatumError& e) {
      // A literal that is larger than values may be.
      parse_error_ = error_reply(ReplyType::kRuntimeError, EvalError(e).code(), e.what());
    }
  }

  bool noreply() const override { return noreply_; }

  Reply start(Suspender& suspender) override {
    if (parse_error_) return *parse_error_;
    return guarded(suspender, [&] {
      read_options();
      Env env{cx_, nullptr};
      if (!cx_.options.profile) return first_reply(eval(*program_->root(), env));
      profile_ = std::make_unique<Profile>();
      cx_.profile = profile_.get();
      Reply reply = first_reply(eval(*program_->root(), env));
      reply.profile = profile_->to_json();
      cx_.profile = nullptr;
      return reply;
    });
  }

  Reply next(Suspender& suspender) override {
    return guarded(suspender, [&] {
      Reply reply = stream_reply(false);
      reply.idle =
          reply.type == ReplyType::kPartial && reply.rows.empty() && stream_->feed_kind() != FeedKind::kNone;
      return reply;
    });
  }

  bool ready(std::function<void()> wake) override { return !stream_ || stream_->ready(wake); }

  void cancel() override { cancellation_.request(Cancellation::By::kClient); }

 private:
  template <typename F>
  Reply guarded(Suspender& suspender, F&& body) {
    cx_.stack_limit = suspender.stack_floor() + kStackReserve;
    QuerySuspender running(suspender, *account_, suspender.stack_floor() + kIndexFunctionReserve);
    cx_.suspender = &running;
    cx_.begin_turn();
    try {
      return body();
    } catch (const EvalError& e) {
      stream_ = {};
      return error_reply(ReplyType::kRuntimeError, e.code(), e.message(),
                         e.detached() ? Backtrace{} : backtrace_to(e.node()));
    } catch (const QueryError& e) {
      stream_ = {};
      return error_reply(e.type(), ErrorCode::kNone, e.what(), e.backtrace());
    } catch (const DatumError& e) {
      stream_ = {};
      const EvalError error(e);
      return error_reply(ReplyType::kRuntimeError, error.code(), error.message());
    } catch (const storage::StorageError& e) {
      stream_ = {};
      return error_reply(ReplyType::kRuntimeError, ErrorCode::kOpFailed, e.what());
    } catch (const std::exception& e) {
      stream_ = {};
      return error_reply(ReplyType::kRuntimeError, ErrorCode::kInternal,
                         std::string("Internal error: ") + e.what());
    }
  }

  bool literal_option(std::string_view name) const {
    const Node* const node = find_optarg(program_->global_optargs(), name);
    // As recorded: 1 is not enough.
    return node && node->is_literal && node->literal.is(Type::kBool) && node->literal.as_bool();
  }

  // Options that are numbers or flags. Others (db, durability) are read by the terms that use them.
  void read_options() {
    Env env{cx_, nullptr};
    GlobalOptions& options = cx_.options;
    for (const OptArg& o : program_->global_optargs()) {
      const auto number = [&] { return to_datum(cx_, eval(*o.value, env)).as_number(); };
      const auto positive = [&](double minimum) {
        const double n = number();
        if (n < minimum) {
          throw_logic("Illegal value `" + to_json(Datum::number(n)) + "` for `" + o.name +
                      "`.  (Must be >= " + to_json(Datum::number(minimum)) + ".)");
        }
        return n;
      };
      if (o.name == "array_limit") {
        const std::int64_t limit = Datum::number(number()).as_integer();
        if (limit < 1)
          throw_logic("Illegal array size limit `" + std::to_string(limit) + "`.  (Must be >= 1.)");
        options.array_limit = static_cast<std::size_t>(limit);
      } else if (o.name == "max_batch_rows") {
        options.max_batch_rows = to_limit(positive(1));
      } else if (o.name == "min_batch_rows") {
        options.min_batch_rows = to_limit(positive(0));
      } else if (o.name == "max_batch_bytes") {
        options.max_batch_bytes = to_limit(positive(1));
      } else if (o.name == "max_batch_seconds") {
        options.max_batch_seconds = std::min(positive(0), kLongestBatchSeconds);
      } else if (o.name == "first_batch_scaledown_factor") {
        options.first_batch_scaledown = positive(1);
      } else if (o.name == "profile") {
        options.profile = literal_option("profile");
      }
    }
  }

  Reply atom(const Datum& d) {
    Reply reply;
    reply.type = ReplyType::kAtom;
    // Text is a little longer than the encoding: most replies are written without growing.
    reply.rows.reserve(std::min(d.encoded_size() * 5 / 4 + 32, kMostReserved));
    const ProfiledTask task(cx_.profile, kEncoding);
    append_json(d, reply.rows);
    return reply;
  }

  Reply first_reply(const Value& value) {
    switch (value.kind()) {
      case ValueKind::kDatum:
      case ValueKind::kSingleSelection:
      case ValueKind::kGroupedData:
        return atom(to_datum(cx_, value));
      case ValueKind::kDatabase:
      case ValueKind::kFunction:
        throw EvalError(ErrorCode::kQueryLogic,
                        "Query result must be of type DATUM, GROUPED_DATA, or STREAM (got " +
                            std::string(kind_name(value.kind())) + ").");
      default:
        break;
    }
    stream_ = to_stream(cx_, value);
    if (stream_->is_array()) {
      const Datum array = to_array(cx_, *stream_);
      stream_ = {};
      return atom(array);
    }
    return stream_reply(true);
  }

  // A batch ends when it is full, late, or the stream has no more; rows go to JSON as they come.
  Reply stream_reply(bool first) {
    const BatchLimits limits = cx_.batch_limits(first);
    Reply reply;
    std::size_t rows = 0;
    bool more = true;
    const bool feed = stream_->feed_kind() != FeedKind::kNone;
    // Growing by doubling would copy a long reply once more; most rows are shorter than the sixteenth that is on top.
    constexpr std::size_t kLongReply = 2u << 20;
    if (full_ && !feed) reply.rows.reserve(std::min(limits.max_bytes, kLongReply) / 16 * 17);
    while (more) {
      batch_.clear();
      cx_.check_in();
      BatchLimits rest = limits;
      rest.max_rows = limits.max_rows - rows;
      rest.max_bytes = limits.max_bytes - reply.rows.size();
      if (feed) {
        if (stream_->next_json(cx_, rest, reply.rows)) break;
      }
      more = feed ? stream_->next(cx_, rest, batch_) : read_rows(cx_, stream_, rest, batch_);
      const ProfiledTask task(cx_.profile, kEncoding);
      append_rows(reply.rows);
      rows += batch_.size();
      if (rows >= limits.max_rows || reply.rows.size() >= limits.max_bytes) break;
      if (rows > 0 && (feed || std::chrono::steady_clock::now() >= limits.deadline)) break;
      if (feed && rows == 0) break;
    }
    full_ = reply.rows.size() >= limits.max_bytes;
    reply.type = more ? ReplyType::kPartial : ReplyType::kSequence;
    if (feed) reply.notes.push_back(feed_note(stream_->feed_kind()));
    if (stream_->includes_states()) reply.notes.push_back(kNoteIncludesStates);
    if (!more) stream_ = {};
    batch_.clear();
    return reply;
  }

  void append_rows(std::string& out) {
    // Enough for rows like the first, unless that is out of the ordinary.
    constexpr std::size_t kMostExpected = 64 * 1024;
    std::size_t left = batch_.size();
    for (const Datum& row : batch_) {
      const std::size_t before = out.size();
      if (!out.empty()) out += ',';
      append_json(row, out);
      const std::size_t expected = out.size() + --left * (out.size() - before + 1);
      if (expected > out.capacity() && expected <= kMostExpected) out.reserve(expected);
    }
  }

  const ClientInfo client_;
  const MemoryAccount::Owner account_;
  Cancellation cancellation_;
  Ref<const Program> program_;
  Context cx_;
  std::unique_ptr<Profile> profile_;
  std::optional<Reply> parse_error_;
  Ref<Stream> stream_;
  Batch batch_;
  bool full_ = false;  ///< the last reply of the stream ended for its bytes
  bool noreply_ = false;
  RunningQuery running_;  // last: it is unlisted before what it shows goes
};

}  // namespace

std::unique_ptr<Query> make_query(Engine& engine, const ClientInfo& client, std::string body) {
  return std::make_unique<QueryRun>(engine, client, std::move(body));
}

}  // namespace reqld::reql
