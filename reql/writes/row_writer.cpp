#include "reql/writes/row_writer.hpp"

#include "datum/json.hpp"
#include "datum/key_codec.hpp"
#include "datum/time.hpp"
#include "reql/eval.hpp"
#include "reql/merge.hpp"
#include "reql/permissions.hpp"
#include "reql/profile.hpp"
#include "reql/stack.hpp"
#include "reql/storage_call.hpp"

namespace reqld::reql {

namespace {

constexpr std::size_t kMaxStoredArray = 100000;

// Throws for what the storage format cannot or must not hold. Each element takes a byte, so most values are
// too small for a long array; an extreme is marked on everything around it.
void check_storable(const Datum& d) {
  if (!d.has_extreme() && d.encoded_size() <= kMaxStoredArray) return;
  switch (d.type()) {
    case Type::kMinVal:
    case Type::kMaxVal:
      throw_logic("`r.minval` and `r.maxval` cannot be written to disk.");
    case Type::kArray: {
      const std::size_t size = d.array_size();
      if (size > kMaxStoredArray) throw_logic("Array too large for disk writes (limit 100,000 elements).");
      for (std::size_t i = 0; i < size; ++i) check_storable(d.at(i));
      return;
    }
    case Type::kObject: {
      const std::size_t size = d.object_size();
      for (std::size_t i = 0; i < size; ++i) check_storable(d.value_at(i));
      return;
    }
    default:
      return;
  }
}

// A context for evaluating on the writer thread, where nothing may wait.
Context writer_context(const Context& query) {
  Context cx(query.engine(), query.client());
  cx.options = query.options;
  cx.program = query.program;
  cx.now = query.now;
  cx.stack_limit = current_stack_limit();
  // The query itself waits meanwhile.
  cx.profile = query.profile;
  return cx;
}

// Runs `body`, turning what it throws into the row's error.
template <typename F>
void capture_error(RowOutcome& outcome, F&& body) {
  try {
    body();
    return;
  } catch (const EvalError& e) {
    // What may not be done at all is no matter of the row.
    if (e.code() == ErrorCode::kPermission) throw;
    outcome.error = e.message();
  } catch (const DatumError& e) {
    outcome.error = e.what();
  }
  outcome.new_row = outcome.old_row;
}

/// A write that its query waits for.
class AwaitedWrite final : public storage::DatabaseRequest {
 public:
  using Job = std::function<storage::Result<void>(storage::Writer&)>;
  AwaitedWrite(Job job, storage::Durability durability) : DatabaseRequest(durability), job_(std::move(job)) {}

  storage::Result<storage::Sequence> await(Context& cx, const storage::ExpectedRows& expected) {
    const auto start = [&](std::function<void()> resume) {
      resume_ = std::move(resume);
      cx.database().submit(*this, expected);
    };
    cx.waiting().await(std::cref(start));
    return std::move(*result_);
  }

  storage::Result<void> write(storage::Writer& writer) override { return job_(writer); }
  void done(storage::Result<storage::Sequence> result) override {
    result_.emplace(std::move(result));
    // The query may go on, and this be gone, before it returns.
    const std::function<void()> resume = std::move(resume_);
    resume();
  }

 private:
  const Job job_;
  std::function<void()> resume_;
  std::optional<storage::Result<storage::Sequence>> result_;
};

}  // namespace

void throw_storage_error(const storage::Error& error) {
  switch (error.kind) {
    case storage::ErrorKind::kNotFound:
    case storage::ErrorKind::kExists:
    case storage::ErrorKind::kInvalid:
    case storage::ErrorKind::kReadOnly:
    case storage::ErrorKind::kDiskFull:
      throw_op_failed(error.message);
    case storage::ErrorKind::kIo:
      // It may be in the log, and come back with the next start.
    case storage::ErrorKind::kCancelled:
      throw EvalError(ErrorCode::kOpIndeterminate, error.message);
    default:
      throw_internal(error.message);
  }
}

void store_record(Context& cx, const char* collection, const std::string& key, const Datum& record) {
  const auto result =
      await_storage(cx, [&](auto done) { cx.database().put_system(collection, key, record, std::move(done)); });
  if (!result) throw_storage_error(result.error());
}

void sync_storage(Context& cx) {
  auto result = await_storage(cx, [&](auto done) { cx.database().engine().sync(std::move(done)); });
  if (!result) throw_storage_error(result.error());
}

RowWriter::RowWriter(Context& cx, Ref<Table> table, const WriteOptions& options, bool atomic, RowUpdate update,
                     WriteStats& stats)
    : cx_(cx), table_(std::move(table)), options_(options), atomic_(atomic), update_(std::move(update)), stats_(stats) {
  const auto info = table_->stored();
  if (info && !info->write_hook.is_null() && !options_.ignore_write_hook) {
    const auto source = info->write_hook.get("source");
    hook_program_ = parse_term(std::string(source->as_string()));
    hook_ = make_function(*hook_program_, *hook_program_->root(), nullptr);
    if (cx_.now.is_null()) cx_.now = reqld::to_datum(current_time());
  }
}

Datum RowWriter::checked(Context& cx, const Datum& old_row, Datum new_row, const Datum& key) const {
  const std::string primary_key = table_->primary_key();
  if (hook_ && !(old_row.is_null() && new_row.is_null())) {
    ObjectBuilder info;
    info.set("primary_key", key);
    info.set("timestamp", cx.now);
    const Datum args[] = {info.finish(), old_row, new_row};
    Datum hooked;
    try {
      hooked = hook_->call_datum(cx, args);
    } catch (const EvalError& e) {
      throw_logic("Error in write hook: " + e.message());
    } catch (const DatumError& e) {
      throw_logic(std::string("Error in write hook: ") + e.what());
    }
    if (hooked.is_null() && !new_row.is_null()) {
      throw_logic("A write hook function must not turn a replace/insert into a deletion.");
    }
    if (!hooked.is_null() && new_row.is_null()) {
      throw_logic("A write hook function must not turn a deletion into a replace/insert.");
    }
    new_row = std::move(hooked);
  }
  if (new_row.is_null()) return new_row;
  if (!new_row.is(Type::kObject)) {
    throw_logic("Inserted value must be an OBJECT (got " + std::string(type_name(new_row.type())) + "):\n" +
                to_pretty_json(new_row));
  }
  const auto new_key = new_row.get(primary_key);
  if (!new_key) {
    throw_logic("Inserted object must have primary key `" + primary_key + "`:\n" + to_pretty_json(new_row));
  }
  if (!(*new_key == key)) {
    const std::string quote = old_row.is_null() ? "" : "`";
    throw_logic("Primary key `" + primary_key + "` cannot be changed (" + quote + to_pretty_json(old_row) +
                quote + " -> " + quote + to_pretty_json(new_row) + quote + (quote.empty() ? ")" : ")."));
  }
  refuse_literals(new_row);
  check_nesting(new_row);
  check_storable(new_row);
  return new_row;
}

RowOutcome RowWriter::write_row(Context& cx, storage::Writer& writer, const RowWriteRequest& row) const {
  RowOutcome outcome;
  const storage::TableInfo& info = *table_->stored();
  if (row.key_error) {
    outcome.error = row.key_error;
    return outcome;
  }
  const std::string& key = row.encoded_key;
  auto old_row = writer.get(info, key);
  if (!old_row) throw_storage_error(old_row.error());
  if (*old_row) outcome.old_row = std::move(**old_row);
  capture_error(outcome, [&] {
    if (row.error) throw_logic(*row.error);
    Datum new_row = atomic_ ? update_(cx, row, outcome.old_row) : row.document;
    outcome.new_row = checked(cx, outcome.old_row, std::move(new_row), row.key);
  });
  if (outcome.error) return outcome;
  if (outcome.new_row.is_null()) {
    if (outcome.old_row.is_null()) return outcome;
    auto erased = writer.erase(info, key);
    if (!erased) throw_storage_error(erased.error());
    return outcome;
  }
  if (!outcome.old_row.is_null() && outcome.old_row == outcome.new_row) return outcome;
  auto written = writer.put(info, key, outcome.new_row);
  if (!written) {
    if (written.error().kind == storage::ErrorKind::kInvalid) {
      outcome.error = written.error().message;
      outcome.new_row = outcome.old_row;
      return outcome;
    }
    throw_storage_error(written.error());
  }
  return outcome;
}

void RowWriter::write(std::vector<RowWriteRequest>& rows) {
  if (rows.empty()) return;
  const bool stored = table_->stored() != nullptr;
  // Rows of a system table are read before they are written, and that is what is refused first.
  if (!stored) require(cx_, Permission::kRead, table_scope(cx_, *table_));
  require(cx_, Permission::kWrite, table_scope(cx_, *table_));
  if (!stored) {
    for (const RowWriteRequest& row : rows) {
      RowOutcome outcome;
      const auto update = [&](Context& cx, const Datum& old_row) {
        return checked(cx, old_row, update_(cx, row, old_row), row.key);
      };
      capture_error(outcome, [&] { outcome = table_->write_row(cx_, row.key, row.key_generated, update); });
      stats_.add(cx_, outcome);
    }
    return;
  }
  for (RowWriteRequest& row : rows) {
    RowOutcome checked;
    capture_error(checked, [&] { row.encoded_key = to_primary_key(row.key); });
    // Bad keys are found before anything is written: theirs is the first error.
    if (checked.error) stats_.set_first_error(*checked.error);
    row.key_error = std::move(checked.error);
  }
  // What may not run inside the job is computed against the row as it is now.
  if (!atomic_) {
    for (RowWriteRequest& row : rows) {
      if (row.key_error) continue;
      const Datum present = table_->get(cx_, row.key);
      RowOutcome outcome;
      capture_error(outcome, [&] { outcome.new_row = update_(cx_, row, present); });
      row.document = std::move(outcome.new_row);
      row.error = std::move(outcome.error);
    }
  }
  storage::ExpectedRows expected{table_->stored().get(), {}};
  expected.keys.reserve(rows.size());
  for (const RowWriteRequest& row : rows) expected.keys.emplace_back(row.encoded_key);
  // On this thread: what the writer's allocated would be freed here, with a lock on its heap.
  std::vector<RowOutcome> outcomes;
  outcomes.reserve(rows.size());
  std::optional<EvalError> failure;
  const storage::Durability durability = options_.durability.value_or(table_->stored()->durability);
  const ProfiledTask task(cx_.profile, "Perform write.");
  const auto job = [&](storage::Writer& writer) -> storage::Result<void> {
    // It may run again: start anew each time.
    outcomes.clear();
    failure.reset();
    Context cx = writer_context(cx_);
    try {
      for (const RowWriteRequest& row : rows) outcomes.push_back(write_row(cx, writer, row));
    } catch (const EvalError& e) {
      failure = e;
      return storage::Error{storage::ErrorKind::kInvalid, e.message()};
    }
    return {};
  };
  auto result = AwaitedWrite(std::cref(job), durability).await(cx_, expected);
  if (failure) throw EvalError(*failure);
  if (!result) throw_storage_error(result.error());
  for (const RowOutcome& outcome : outcomes) stats_.add(cx_, outcome);
}

namespace {

storage::Durability parse_durability(const std::string& text, const Node* node) {
  if (text == "hard") return storage::Durability::kHard;
  if (text == "soft") return storage::Durability::kSoft;
  throw EvalError(ErrorCode::kQueryLogic,
                  "Durability option `" + text + "` unrecognized (options are \"hard\" and \"soft\").", node);
}

WriteOptions::ReturnChanges parse_return_changes(const Datum& d) {
  using ReturnChanges = WriteOptions::ReturnChanges;
  if (d.is(Type::kString)) {
    if (d.as_string() == "always") return ReturnChanges::kAlways;
    throw_logic("Invalid return_changes value `" + std::string(d.as_string()) +
                "` (options are `true`, `false`, and `'always'`.)");
  }
  return truth(d) ? ReturnChanges::kYes : ReturnChanges::kNo;
}

}  // namespace

WriteOptions read_write_options(Args& args) {
  if (args.has_optarg("return_vals")) {
    throw_logic("Error: encountered obsolete optarg `return_vals`.  Use `return_changes` instead.");
  }
  WriteOptions options;
  if (auto d = args.datum_optarg("return_changes")) options.return_changes = parse_return_changes(*d);
  if (auto text = args.string_optarg("durability")) {
    options.durability = parse_durability(*text, args.optarg_node("durability"));
  }
  options.ignore_write_hook = args.bool_optarg("ignore_write_hook").value_or(false);
  return options;
}

}  // namespace reqld::reql
