#include "reql/parallel_fold.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <utility>

#include "datum/memory_account.hpp"

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
    suspender_->share(std::move(turn));
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
      : crew_(crew), own_cx_(cx), own_rows_(std::move(rows)), own_fold_(std::move(fold)), rows_(own_rows_.get()),
        fold_(own_fold_.get()) {
    own_cx_->suspender = nullptr;
  }

  /// One more batch; false: there is none.
  bool read(Context& cx) {
    if (began_ == steady_clock::time_point{}) began_ = steady_clock::now();
    BatchLimits limits;
    limits.max_rows = kBatchRows;
    batch_.clear();
    cx.check_in();
    const bool more = rows_->next(cx, limits, batch_);
    fold_->add(cx, batch_);
    if (more && divisible_ && steady_clock::now() - began_ > kAlone && crew_.has_room()) give_away(cx);
    return more;
  }

  /// A helper's turn; false: the part has ended.
  bool turn() {
    if (work()) return true;
    crew_.end();
    return false;
  }

  /// Once all have ended: gathers what came of the parts behind, and throws what ended one of them.
  void gather(Context& cx) {
    // The one that was given away last is the next.
    while (!later_.empty()) {
      Part& next = later_.back();
      if (next.failure_) std::rethrow_exception(next.failure_);
      next.gather(cx);
      fold_->merge(cx, *next.fold_);
      later_.pop_back();
    }
  }

 private:
  bool work() {
    const AtWork at_work(crew_);
    const auto until = steady_clock::now() + kTurn;
    try {
      own_cx_->stack_limit = current_stack_limit();
      while (!crew_.stopped()) {
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
    auto rows = fold ? rows_->split(cx) : Ref<Stream>();
    divisible_ = static_cast<bool>(rows);
    if (!divisible_) return;
    Part& part = later_.emplace_back(crew_, cx, std::move(rows), std::move(fold));
    began_ = steady_clock::now();
    crew_.begin([&part] { return part.turn(); });
  }

  Crew& crew_;
  std::optional<Context> own_cx_;
  Ref<Stream> own_rows_;
  std::unique_ptr<Fold> own_fold_;
  Stream* const rows_;
  Fold* const fold_;
  Batch batch_;
  steady_clock::time_point began_{};
  bool divisible_ = true;
  std::list<Part> later_;
  std::exception_ptr failure_;
};

}  // namespace

void fold_rows(Context& cx, Stream& rows, Fold& fold) {
  refuse_infinite(rows);
  Crew crew(cx);
  Part first(crew, rows, fold);
  std::exception_ptr failure;
  try {
    while (first.read(cx)) {
    }
  } catch (...) {
    failure = std::current_exception();
    crew.stop();
  }
  // Nothing may wait while an exception is handled.
  crew.wait_for_all();
  if (failure) std::rethrow_exception(failure);
  first.gather(cx);
}

}  // namespace reqld::reql
