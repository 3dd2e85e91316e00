// When change logs begin and end, and which sequence numbers they can be asked about.
#include "storage/tables/change_log.hpp"
#include "storage/tables/database_impl.hpp"

namespace reqld::storage {

namespace {

// Starts of the database that are remembered.
constexpr std::size_t kMaxIncarnations = 1000;
constexpr std::size_t kIncarnationBytes = 16;
constexpr std::size_t kDeletesPerJob = 1000;

}  // namespace

void DatabaseImpl::start_log(WriteTxn& txn, std::uint32_t space) {
  note_incarnation(txn);
  txn.put(log_head_key(space), encode_log_head({.trimmed = numbers_.last(txn.sequence())}));
}

void DatabaseImpl::drop_log(WriteTxn& txn, std::uint32_t space, JobOutcome& outcome) {
  const std::string head = log_head_key(space);
  if (!txn.get(head)) return;
  txn.del(head);
  txn.put(task_key(kTaskDropLog, space), encode_position(numbers_.last(txn.sequence())));
  outcome.background = true;
}

void DatabaseImpl::note_incarnation(WriteTxn& txn) {
  const std::string key = space_key(kMetaSpace, kMetaIncarnations);
  std::string record(txn.get(key).value_or(std::string_view()));
  if (record.size() >= kIncarnationBytes &&
      load_u64(record.substr(record.size() - kIncarnationBytes)) == incarnation_)
    return;
  append_u64(incarnation_, record);
  append_u64(first_sequence_, record);
  if (record.size() > kMaxIncarnations * kIncarnationBytes)
    record.erase(0, record.size() - kMaxIncarnations * kIncarnationBytes);
  txn.put(key, record);
}

SequenceState DatabaseImpl::check_sequence(std::uint64_t incarnation, Sequence sequence) const {
  for (std::size_t i = 0; i < incarnations_.size(); ++i) {
    if (incarnations_[i].first != incarnation) continue;
    const Sequence last =
        i + 1 < incarnations_.size() ? incarnations_[i + 1].second : engine_->last_sequence();
    return sequence <= last ? SequenceState::kKnown : SequenceState::kLost;
  }
  return SequenceState::kUnknown;
}

Result<void> DatabaseImpl::start_change_logs() {
  bool renumbered = false, notes_needed = false, reconcile = false;
  std::map<std::uint32_t, bool> has_log;
  {
    const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
    const View view(*snapshot);
    renumbered = view.get(space_key(kMetaSpace, kMetaRenumbered)).has_value();
    if (!renumbered) {
      const std::string record(
          view.get(space_key(kMetaSpace, kMetaIncarnations)).value_or(std::string_view()));
      for (std::size_t i = 0; i + kIncarnationBytes <= record.size(); i += kIncarnationBytes)
        incarnations_.emplace_back(load_u64(std::string_view(record).substr(i)),
                                   load_u64(std::string_view(record).substr(i + 8)));
      for (auto c = view.cursor(whole_space(kLogHeadSpace)); c->valid(); c->next())
        has_log[load_u32(c->key().substr(kSpaceBytes))] = true;
    }
  }
  incarnations_.emplace_back(incarnation_, first_sequence_);
  std::vector<std::pair<std::uint32_t, bool>> changed;  // space, whether it is to keep a log
  for (const auto& table : catalog_->tables) {
    notes_needed |= table->change_log.has_value();
    if (table->change_log.has_value() != has_log[table->space])
      changed.emplace_back(table->space, table->change_log.has_value());
  }
  reconcile = !changed.empty();

  for (bool more = renumbered; more;) {
    const Result<Sequence> done = run_inner(
        [&](JobWriter& writer, JobOutcome&) -> Result<void> {
          WriteTxn& txn = writer.txn();
          std::vector<std::string> keys;
          std::vector<std::string> rows;
          for (auto c = txn.cursor({space_key(kChangeLogSpace), space_key(kLogHeadSpace + 1)},
                                   Direction::kForward);
               c->valid() && keys.size() < kDeletesPerJob; c->next()) {
            keys.emplace_back(c->key());
            if (load_u32(c->key()) != kChangeLogSpace) continue;
            const LoggedChange change = parse_logged_change(c->value());
            for (const std::string_view row : {change.old_row, change.new_row})
              if (row_has_blob(row)) rows.emplace_back(row);
          }
          more = !keys.empty();
          for (const std::string& key : keys) txn.del(key);
          for (const std::string& row : rows) writer.release_blobs(row);
          if (more) return {};
          for (auto c = txn.cursor(whole_space(kTaskSpace), Direction::kForward); c->valid(); c->next())
            if (c->key()[kSpaceBytes] == kTaskDropLog) keys.emplace_back(c->key());
          for (const std::string& key : keys) txn.del(key);
          txn.del(space_key(kMetaSpace, kMetaIncarnations));
          txn.del(space_key(kMetaSpace, kMetaRenumbered));
          return {};
        },
        Durability::kHard);
    if (!done) return done.error();
  }
  if (!reconcile && !notes_needed) return {};
  const Result<Sequence> done = run_inner(
      [&](JobWriter& writer, JobOutcome& outcome) -> Result<void> {
        note_incarnation(writer.txn());
        for (const auto& [space, log] : changed) {
          if (log)
            start_log(writer.txn(), space);
          else
            drop_log(writer.txn(), space, outcome);
        }
        return {};
      },
      Durability::kHard);
  return done ? Result<void>() : done.error();
}

}  // namespace reqld::storage
