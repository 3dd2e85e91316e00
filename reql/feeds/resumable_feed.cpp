#include "reql/feeds/resumable_feed.hpp"

#include <algorithm>

#include "datum/key_codec.hpp"
#include "reql/error.hpp"
#include "reql/feeds/feed_stream.hpp"
#include "reql/feeds/feed_token.hpp"
#include "reql/feeds/initial_rows.hpp"

namespace reqld::reql {

namespace {

using Clock = Subscription::Clock;

constexpr storage::Reader::Limits kLogStep{500, 1u << 20};
/// How often a feed with states that shows nothing tells how far it has come.
constexpr std::chrono::seconds kQuiet{10};
constexpr std::chrono::milliseconds kHeldBack{1};

[[noreturn]] void throw_gone(const std::string& table) {
  throw_op_failed(
      "The resume token is too old: the changes after it are no longer in the change log of table `" + table +
      "`.");
}

bool lies_within(const WatchedRows& rows, const std::string& key, const Datum& row,
                 std::vector<Datum>& values) {
  if (row.is_null()) return false;
  if (rows.everything) return true;
  if (!rows.index) return key >= rows.range.lower && key < rows.range.upper;
  values.clear();
  rows.index->function->keys(row, values);
  return std::any_of(values.begin(), values.end(), [&](const Datum& v) {
    const std::string value = to_key(v);
    return value >= rows.range.lower && value < rows.range.upper;
  });
}

/// Reads the logs from where it stands, then goes on with what the hub brings; falls back to the logs when
/// that was too much at a time. Its parts show their changes in the order in which they were made.
class ResumableFeed : public FeedStream {
 public:
  struct Part {
    Part(Context& cx, ChangeSource s, const FeedOptions& options)
        : source(std::move(s)), rows(watched_rows(source)), initial(source) {
      rows.alike = options.alike;
      handle = cx.engine().feeds().subscribe(rows, options.queue_size);
    }
    const ChangeSource source;
    WatchedRows rows;
    InitialRows initial;
    std::unique_ptr<FeedHub::Handle> handle;
    std::deque<FeedChangeRef> waiting;
  };

  ResumableFeed(FeedKind kind, const FeedOptions& options, std::vector<std::unique_ptr<Part>> parts)
      : FeedStream(kind, options), parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& table = parts_[i]->source.table;
      auto at = std::find_if(tables_.begin(), tables_.end(),
                             [&](const TableParts& t) { return t.table->id == table->id; });
      if (at == tables_.end()) at = tables_.insert(tables_.end(), {table, {}});
      at->parts.push_back(i);
    }
  }

  bool ready(const std::function<void()>& wake) override {
    if (!output_.empty() || phase_ != Phase::kLive) return true;
    if (held_back_) {
      parts_[0]->handle->wake_at(Clock::now() + kHeldBack);
    } else if (options_.include_states) {
      if (const auto now = Clock::now(); now >= quiet_until_) {
        if (hub_->delivered() > position_.at.sequence) return true;
        quiet_until_ = now + kQuiet;
      }
      parts_[0]->handle->wake_at(quiet_until_);
    }
    return any_ready(parts_, wake,
                     [](const auto& part, const auto& w) { return part->handle->queue().ready(w); });
  }

 private:
  enum class Phase : std::uint8_t { kStart, kInitial, kLog, kLive };
  struct TableParts {
    std::shared_ptr<const storage::TableInfo> table;
    std::vector<std::size_t> parts;
  };

  void fill(Context& cx) override {
    hub_ = &cx.engine().feeds();
    incarnation_ = cx.database().incarnation();
    if (phase_ == Phase::kStart) start(cx);
    if (phase_ == Phase::kInitial) read_initial(cx);
    if (phase_ == Phase::kLive) drain(cx);
    while (phase_ == Phase::kLog && output_.size() < kEnough) {
      cx.check_in();
      read_logs(cx);
    }
  }

  void start(Context& cx) {
    if (options_.resume_token) {
      position_ = resume_position(cx);
      phase_ = Phase::kLog;
      return;
    }
    settle_subscription(cx);
    const auto reader = cx.database().reader();
    position_ = {storage::end_of(reader->sequence())};
    // Logs must be there from here on; asking for nothing tells.
    std::vector<storage::RowChange> none;
    for (const TableParts& t : tables_) {
      if (reader->read_change_log(t.table, position_.at, kLogStep, none) == storage::ChangeLogRead::kGone)
        throw_gone(t.table->name);
    }
    phase_ = options_.include_initial ? Phase::kInitial : Phase::kLive;
    if (options_.include_initial) say("initializing");
    if (phase_ == Phase::kLive) say("ready");
  }

  FeedPosition resume_position(Context& cx) const {
    const auto token = decode_token(*options_.resume_token);
    if (!token) throw_logic("The resume token is malformed.");
    switch (cx.database().check_sequence(token->incarnation, token->position.at.sequence)) {
      case storage::SequenceState::kKnown:
        return token->position;
      case storage::SequenceState::kUnknown:
        throw_op_failed(
            "The resume token is of another database, or of a history that this one does not go on with.");
      case storage::SequenceState::kLost:
        throw_op_failed(
            "The resume token stands for changes that were lost when the server's machine failed.");
    }
    return {};
  }

  void read_initial(Context& cx) {
    for (const auto& part : parts_) {
      while (!part->initial.done()) {
        cx.check_in();
        part->initial.read(cx, options_, output_);
        if (output_.size() >= kEnough) return;
      }
    }
    phase_ = Phase::kLog;
  }

  // A step through the logs; at their end, on to what the hub brings.
  void read_logs(Context& cx) {
    // Before the first snapshot that is to join the logs with the queues.
    if (!settled_) settle_subscription(cx);
    settled_ = true;
    const auto reader = cx.database().reader();
    storage::ChangePosition from = position_.at;
    // Some of its parts have not shown that change yet.
    if (position_.part != FeedPosition::kAllParts) --from.ordinal;
    storage::ChangePosition until = storage::end_of(reader->sequence());
    bool more = false;
    std::vector<std::pair<storage::RowChange, const TableParts*>> changes;
    std::vector<storage::RowChange> read;
    for (const TableParts& t : tables_) {
      read.clear();
      const auto result = reader->read_change_log(t.table, from, kLogStep, read);
      if (result == storage::ChangeLogRead::kGone) throw_gone(t.table->name);
      if (result == storage::ChangeLogRead::kMore) {
        more = true;
        until = std::min(until, read.back().at);
      }
      for (storage::RowChange& change : read) changes.emplace_back(std::move(change), &t);
    }
    std::erase_if(changes, [&](const auto& c) { return c.first.at > until; });
    if (tables_.size() > 1) {
      std::sort(changes.begin(), changes.end(),
                [](const auto& a, const auto& b) { return a.first.at < b.first.at; });
    }
    for (const auto& [change, t] : changes) {
      for (const std::size_t i : t->parts) {
        if (FeedPosition{change.at, place(i)} <= position_) continue;
        const WatchedRows& rows = parts_[i]->rows;
        const bool old_within = lies_within(rows, change.key, change.old_row, values_);
        const bool new_within = lies_within(rows, change.key, change.new_row, values_);
        if (old_within || new_within)
          show(cx, i, std::make_shared<const FeedChange>(change, old_within, new_within));
      }
    }
    advance({until});
    if (more) return;
    phase_ = Phase::kLive;
    if (!said_ready_) say("ready");
  }

  void drain(Context& cx) {
    // Of all commits up to here everything is in the queues; of later ones maybe not in all.
    const storage::Sequence delivered = hub_->delivered();
    std::size_t lost = 0;
    for (const auto& part : parts_) {
      std::size_t skipped = 0;
      if (!part->handle->queue().take(part->waiting, skipped)) throw_feed_aborted();
      lost += skipped;
    }
    if (lost > 0) {
      for (const auto& part : parts_) part->waiting.clear();
      held_back_ = false;
      phase_ = Phase::kLog;
      return;
    }
    std::vector<std::pair<FeedChangeRef, std::size_t>> changes;
    held_back_ = false;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      auto& waiting = parts_[i]->waiting;
      while (!waiting.empty() && (parts_.size() == 1 || waiting.front()->at.sequence <= delivered)) {
        changes.emplace_back(std::move(waiting.front()), i);
        waiting.pop_front();
      }
      held_back_ |= !waiting.empty();
    }
    if (parts_.size() > 1) {
      std::stable_sort(changes.begin(), changes.end(),
                       [](const auto& a, const auto& b) { return a.first->at < b.first->at; });
    }
    for (auto& [change, i] : changes) {
      if (FeedPosition{change->at, place(i)} <= position_) continue;
      show(cx, i, std::move(change));
    }
    if (!changes.empty() || delivered > position_.at.sequence) advance({storage::end_of(delivered)});
    if (output_.empty() && options_.include_states && Clock::now() >= quiet_until_ && position_ > told_)
      say("ready");
  }

  // The last part's place stands for all, so that its change need not be looked at again.
  std::uint16_t place(std::size_t part) const {
    return part + 1 == parts_.size() ? FeedPosition::kAllParts : static_cast<std::uint16_t>(part);
  }

  void advance(FeedPosition to) { position_ = std::max(position_, to); }

  void show(Context& cx, std::size_t i, FeedChangeRef change) {
    const Part& part = *parts_[i];
    advance({change->at, place(i)});
    if (options_.include_initial && part.initial.hold(*change)) return;
    const FeedElement& element =
        change->element([&] { return change_element(cx, part.source, options_, *change); });
    if (element.datum().is_null()) return;
    // Before `ready` there is nothing to go on from: the initial values would have to be read again.
    if (options_.include_initial && !said_ready_) return output_.push(std::move(change), element);
    ObjectBuilder with_token(element.datum());
    add_token(with_token);
    output_.push(with_token.finish());
  }

  void say(std::string_view state) {
    const bool ready = state == "ready";
    said_ready_ |= ready;
    if (!options_.include_states) return;
    ObjectBuilder element = state_element(state);
    if (ready) add_token(element);
    output_.push(element.finish());
  }

  void add_token(ObjectBuilder& element) {
    element.set("token", Datum::string(encode_token({incarnation_, position_})));
    told_ = position_;
    quiet_until_ = Clock::now() + kQuiet;
  }

  const std::vector<std::unique_ptr<Part>> parts_;
  std::vector<TableParts> tables_;
  FeedHub* hub_ = nullptr;
  Phase phase_ = Phase::kStart;
  FeedPosition position_;  // all that is shown or need not be
  FeedPosition told_;      // the newest that a token was given for
  std::uint64_t incarnation_ = 0;
  Clock::time_point quiet_until_{};
  bool settled_ = false;
  bool said_ready_ = false;
  bool held_back_ = false;  // some changes wait for those of other parts
  std::vector<Datum> values_;
};

void add_parts(Context& cx, ChangeSource source, const FeedOptions& options,
               std::vector<std::unique_ptr<ResumableFeed::Part>>& out) {
  switch (source.kind) {
    case ChangeSource::Kind::kUnion:
      for (ChangeSource& part : source.parts) {
        part.steps.insert(part.steps.end(), source.steps.begin(), source.steps.end());
        add_parts(cx, std::move(part), options, out);
      }
      return;
    case ChangeSource::Kind::kLimit:
      throw_logic("A feed of the first rows of an order (`limit`, `min`, `max`) cannot be resumed.");
    case ChangeSource::Kind::kSystem:
      throw_logic("A feed of a system table cannot be resumed.");
    case ChangeSource::Kind::kRange:
    case ChangeSource::Kind::kPoint:
      break;
  }
  if (!source.table->change_log) {
    throw_logic("Table `" + source.table->name +
                "` keeps no change log, so a feed of it cannot be resumed. " +
                "Its config sets one: `update({change_log: {retention_seconds: 86400}})`.");
  }
  if (out.size() + 1 >= FeedPosition::kAllParts) throw_logic("A feed of so many parts cannot be resumed.");
  FeedOptions of_part = options;
  if (!of_part.alike.empty()) of_part.alike += "#" + std::to_string(out.size());
  out.push_back(std::make_unique<ResumableFeed::Part>(cx, std::move(source), of_part));
}

}  // namespace

Ref<Stream> make_resumable_feed(Context& cx, ChangeSource source, const FeedOptions& options) {
  const FeedKind kind = kind_of(source);
  std::vector<std::unique_ptr<ResumableFeed::Part>> parts;
  add_parts(cx, std::move(source), options, parts);
  if (parts.empty()) throw_logic("A feed of nothing cannot be resumed.");
  return make_ref<ResumableFeed>(kind, options, std::move(parts));
}

}  // namespace reqld::reql
