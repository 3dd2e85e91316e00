// Carries row writes to storage: each row is read, computed and stored in one step on the writer thread.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "reql/function.hpp"
#include "reql/table.hpp"
#include "reql/writes/write_stats.hpp"

namespace reqld::reql {

class Args;

struct RowWriteRequest {
  Datum key;                   ///< value of the primary key
  Datum document;              ///< what is to be written, where that is known for each row
  bool key_generated = false;  ///< nobody has given it
  // Set by RowWriter:
  std::string encoded_key;
  std::optional<std::string> key_error;  ///< why `key` cannot be a key
  std::optional<std::string> error;      ///< why there is no `document`, where it was computed first
};

/// What a row becomes; a null `old_row`: there is none. What it throws is the row's error.
using RowUpdate = std::function<Datum(Context& cx, const RowWriteRequest& request, const Datum& old_row)>;

/// One write on one table, for any number of rows, in bounded steps.
class RowWriter {
 public:
  /// `atomic`: `update` runs inside the storage job, against the current row. Otherwise it runs on the query first, and the
  /// result replaces whatever is there then.
  RowWriter(Context& cx, Ref<Table> table, const WriteOptions& options, bool atomic, RowUpdate update, WriteStats& stats);

  /// Writes the rows and adds their outcomes to the stats. Throws when storage fails, or the table is gone.
  void write(std::vector<RowWriteRequest>& rows);

  /// Rows that one step takes.
  static constexpr std::size_t kStepRows = 200;
  static constexpr std::size_t kStepBytes = 4u << 20;

 private:
  RowOutcome write_row(Context& cx, storage::Writer& writer, const RowWriteRequest& row) const;
  Datum checked(Context& cx, const Datum& old_row, Datum new_row, const Datum& key) const;

  Context& cx_;
  const Ref<Table> table_;
  const WriteOptions& options_;
  const bool atomic_;
  const RowUpdate update_;
  WriteStats& stats_;
  Ref<Function> hook_;
  Ref<const Program> hook_program_;
};

/// Options common to all writes: durability, return_changes, ignore_write_hook.
WriteOptions read_write_options(Args& args);

/// Waits until everything acknowledged so far on the database is on disk.
void sync_storage(Context& cx);

}  // namespace reqld::reql
