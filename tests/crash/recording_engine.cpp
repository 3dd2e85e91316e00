#include "tests/crash/recording_engine.hpp"

#include <utility>

namespace reqld::crash {
namespace {

using storage::Cursor;
using storage::Direction;
using storage::Engine;
using storage::EngineRequest;
using storage::Error;
using storage::KeyRange;
using storage::Result;
using storage::Sequence;
using storage::Snapshot;
using storage::WriteTxn;

class RecordingTxn final : public WriteTxn {
 public:
  explicit RecordingTxn(WriteTxn& txn) : txn_(txn) {}

  Sequence sequence() const override { return txn_.sequence(); }
  std::optional<std::string_view> get(std::string_view key) override { return txn_.get(key); }
  std::unique_ptr<Cursor> cursor(const KeyRange& range, Direction direction) override {
    return txn_.cursor(range, direction);
  }
  void put(std::string_view key, std::string_view value) override {
    writes_.writes.emplace_back(key, fingerprint(value));
    txn_.put(key, value);
  }
  void del(std::string_view key) override {
    writes_.writes.emplace_back(key, Fingerprint{});
    txn_.del(key);
  }
  const JobWrites& writes() const { return writes_; }

 private:
  WriteTxn& txn_;
  JobWrites writes_;
};

/// Lives until it is finished.
class RecordedRequest final : public EngineRequest {
 public:
  RecordedRequest(EngineRequest& request, History& history)
      : EngineRequest(request.durability()), request_(request), history_(history) {
    expect(request.expected());
  }
  Result<void> run(WriteTxn& txn) override {
    RecordingTxn recording(txn);
    auto ran = request_.run(recording);
    if (ran && !recording.writes().writes.empty()) history_.add(txn.sequence(), recording.writes());
    return ran;
  }
  void finished(Result<Sequence> result) override {
    const std::unique_ptr<RecordedRequest> self(this);
    request_.finished(std::move(result));
  }

 private:
  EngineRequest& request_;
  History& history_;
};

class RecordingEngine final : public Engine {
 public:
  RecordingEngine(std::unique_ptr<Engine> engine, History& history)
      : engine_(std::move(engine)), history_(history) {}

  std::unique_ptr<Snapshot> snapshot() override { return engine_->snapshot(); }
  using Engine::submit;
  void submit(EngineRequest& request) override { engine_->submit(*new RecordedRequest(request, history_)); }
  void sync(Done done) override { engine_->sync(std::move(done)); }
  void set_commit_listener(CommitListener listener) override {
    engine_->set_commit_listener(std::move(listener));
  }
  std::size_t max_key_size() const override { return engine_->max_key_size(); }
  Sequence last_sequence() const override { return engine_->last_sequence(); }
  Sequence durable_sequence() const override { return engine_->durable_sequence(); }
  std::optional<Error> failure() const override { return engine_->failure(); }
  Stats stats() const override { return engine_->stats(); }

 private:
  const std::unique_ptr<Engine> engine_;
  History& history_;
};

}  // namespace

std::unique_ptr<Engine> record_writes(std::unique_ptr<Engine> engine, History& history) {
  return std::make_unique<RecordingEngine>(std::move(engine), history);
}

}  // namespace reqld::crash
