#include "reql/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "datum/memory_account.hpp"
#include "reql/streams/concat.hpp"

namespace reqld::reql {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kBatchRows = 1000;
/// How long a part is read before some of it is given away, and how long a helper works at a time.
constexpr auto kAlone = std::chrono::milliseconds(1);
constexpr auto kTurn = std::chrono::milliseconds(5);
constexpr int kMostParts = 1000;

/// What the parts of one fold share. Made and ended by the query, in between used by all of its threads.
class Crew {
 public:
  explicit Crew(Context& cx)
      : suspender_(cx.suspender != nullptr && cx.profile == nullptr ? cx.suspender : nullptr),
        account_(MemoryAccount::of_thread()) {}

  bool has_room() const {
    return suspender_ != nullptr && parts_.load(std::memory_order_relaxed) < kMostParts && suspender_->can_share();
  }
  void begin(std::function<bool()> turn) {
    parts_.fetch_add(1, std::memory_order_relaxed);
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      suspender_->share(std::move(turn));
    } catch (...) {
      end();
      throw;
    }
  }
  /// The caller touches nothing of the fold any more.
  void end() {
    std::function<void()> resume;
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) resume = std::exchange(resume_, nullptr);
    if (resume) resume();
  }
  /// On the query.
  void wait_for_all() {
    {
      const std::lock_guard lock(mutex_);
      if (running_ == 0) return;
    }
    suspender_->await([this](std::function<void()> resume) {
      const std::lock_guard lock(mutex_);
      if (running_ == 0) {
        resume();
      } else {
        resume_ = std::move(resume);
      }
    });
    // Who has resumed may hold the lock still.
    const std::lock_guard lock(mutex_);
  }

  void stop() { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  MemoryAccount* account() const { return account_; }

 private:
  Suspender* const suspender_;
  MemoryAccount* const account_;
  std::atomic<int> parts_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  int running_ = 0;
  std::function<void()> resume_;
};

/// While it lives, the calling thread works for a query.
class AtWork {
 public:
  explicit AtWork(const Crew& crew) { MemoryAccount::set_of_thread(crew.account()); }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  ~AtWork() { MemoryAccount::set_of_thread(nullptr); }
};

/// A run of rows that follow each other, and what they make. Gives rows at its end away to further parts.
class Part {
 public:
  Part(Crew& crew, Stream& rows, Fold& fold) : crew_(crew), rows_(&rows), fold_(&fold) {}
  Part(Crew& crew, const Context& cx, Ref<Stream> rows, std::unique_ptr<Fold> fold)
      : crew_(crew), own_cx_(cx), own_fold_(std::move(fold)), rows_(std::move(rows)), fold_(own_fold_.get()) {
    own_cx_->suspender = nullptr;
  }

  /// One more batch; false: there is none.
  bool read(Context& cx) {
    if (began_ == steady_clock::time_point{}) began_ = steady_clock::now();
    batch_.clear();
    cx.check_in();
    const bool more = rows_->next(cx, fold_->room(), batch_);
    fold_->add(cx, batch_);
    ended_ = !more;
    if (more && divisible_ && !fold_->is_full() && steady_clock::now() - began_ > kAlone && crew_.has_room()) give_away(cx);
    return more;
  }

  /// A helper's turn; false: the part has ended.
  bool turn() {
    if (work()) return true;
    crew_.end();
    return false;
  }

  /// Once all have ended: gathers what came of the parts behind, and throws what ended one of them.
  void gather(Context& cx, MergingFold& fold) {
    // The one that was given away last is the next.
    while (!later_.empty()) {
      Part& next = later_.back();
      if (next.failure_) std::rethrow_exception(next.failure_);
      next.gather(cx, static_cast<MergingFold&>(*next.fold_));
      fold.merge(cx, *next.fold_);
      later_.pop_back();
    }
  }

  bool ended() const { return ended_; }
  bool has_parts_behind() const { return !later_.empty(); }
  /// Once all have ended: what is still to be read, in order, the rows that were found included.
  void leave(std::vector<Ref<Stream>>& left);

 private:
  bool work() {
    const AtWork at_work(crew_);
    const auto until = steady_clock::now() + kTurn;
    try {
      own_cx_->stack_limit = current_stack_limit();
      while (!crew_.stopped() && !fold_->is_full()) {
        if (!read(*own_cx_)) break;
        if (steady_clock::now() > until) return true;
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    batch_ = {};
    return false;
  }

  void give_away(Context& cx) {
    auto fold = fold_->split();
    if (!fold) return;
    auto rows = rows_->split(cx);
    divisible_ = static_cast<bool>(rows);
    if (!divisible_) return;
    Part& part = later_.emplace_back(crew_, cx, std::move(rows), std::move(fold));
    began_ = steady_clock::now();
    crew_.begin([&part] { return part.turn(); });
  }

  Crew& crew_;
  std::optional<Context> own_cx_;  // but of the first part, as is the fold
  std::unique_ptr<Fold> own_fold_;
  Ref<Stream> rows_;
  Fold* const fold_;
  Batch batch_;
  steady_clock::time_point began_{};
  bool divisible_ = true;
  bool ended_ = false;
  std::list<Part> later_;
  std::exception_ptr failure_;
};

/// Rows that were found; as many as there may be.
class Findings : public Fold {
 public:
  Findings(const BatchLimits& limits, Batch& rows) : limits_(limits), rows_(rows) {}
  /// In a batch of its own.
  explicit Findings(const BatchLimits& limits) : Findings(limits, own_rows_) {}

  void add(Context&, Batch& rows) override {
    const std::size_t before = rows_.size();
    std::move(rows.begin(), rows.end(), std::back_inserter(rows_));
    count_from(before);
  }
  /// Counts rows from index `from` on.
  void count_from(std::size_t from) {
    count_ += rows_.size() - from;
    for (; from < rows_.size(); ++from) bytes_ += rows_[from].encoded_size();
  }
  BatchLimits room() const override {
    BatchLimits room = limits_;
    room.max_rows = std::clamp<std::size_t>(limits_.max_rows - count_, 1, kBatchRows);
    room.max_bytes = limits_.max_bytes - bytes_;
    return room;
  }
  bool is_full() const override {
    return bytes_ >= limits_.max_bytes || count_ >= limits_.max_rows ||
           (count_ > 0 && steady_clock::now() >= limits_.deadline);
  }
  /// What will be full soon needs no help.
  bool is_filling() const { return bytes_ >= limits_.max_bytes / 8 || count_ >= (limits_.max_rows + 7) / 8; }
  std::unique_ptr<Fold> split() const override {
    return is_filling() ? nullptr : std::make_unique<Findings>(limits_);
  }
  std::vector<Datum> take() { return std::move(rows_); }

 private:
  const BatchLimits limits_;
  Batch own_rows_;
  Batch& rows_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

/// Ends with what ended the part whose rows come before.
class FailureStream : public Stream {
 public:
  explicit FailureStream(std::exception_ptr failure) : failure_(std::move(failure)) {}
  bool next(Context&, const BatchLimits&, Batch&) override { std::rethrow_exception(failure_); }

 private:
  const std::exception_ptr failure_;
};

void Part::leave(std::vector<Ref<Stream>>& left) {
  if (own_fold_) {
    left.push_back(stream_of_rows(static_cast<Findings&>(*fold_).take(), false));
    if (failure_) {
      left.push_back(make_ref<FailureStream>(failure_));
      return;
    }
    if (!ended_) left.push_back(std::move(rows_));
  }
  for (; !later_.empty(); later_.pop_back()) later_.back().leave(left);
}

/// Reads until the fold is full or there is no more, then waits for the parts that helpers have: to their end, or where
/// they just are. Throws what ended the first part.
enum class Wait : std::uint8_t { kForTheEnd, kForATurn };
void read_first(Context& cx, Crew& crew, Part& first, const Fold& fold, Wait wait) {
  std::exception_ptr failure;
  try {
    while (first.read(cx) && !fold.is_full()) {
    }
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure || wait == Wait::kForATurn) crew.stop();
  // Nothing may wait while an exception is handled.
  crew.wait_for_all();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

BatchLimits Fold::room() const {
  BatchLimits limits;
  limits.max_rows = kBatchRows;
  return limits;
}

void fold_rows(Context& cx, Stream& rows, MergingFold& fold) {
  refuse_infinite(rows);
  Crew crew(cx);
  Part first(crew, rows, fold);
  read_first(cx, crew, first, fold, Wait::kForTheEnd);
  first.gather(cx, fold);
}

bool read_rows(Context& cx, Ref<Stream>& rows, const BatchLimits& limits, Batch& out) {
  const std::size_t before = out.size();
  if (!rows->next(cx, limits, out)) return false;
  Findings findings(limits, out);
  findings.count_from(before);
  if (findings.is_filling()) return true;
  Crew crew(cx);
  Part first(crew, *rows, findings);
  read_first(cx, crew, first, findings, Wait::kForATurn);
  if (!first.has_parts_behind()) return !first.ended();
  std::vector<Ref<Stream>> behind;
  first.leave(behind);
  rows = first.ended() ? concat_streams(std::move(behind)) : append_streams(std::move(rows), std::move(behind));
  return true;
}

}  // namespace reqld::reql
