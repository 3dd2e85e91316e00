// What a write answers: counters, first error, generated keys, changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "datum/datum.hpp"
#include "reql/context.hpp"
#include "reql/table.hpp"

namespace reqld::reql {

/// Adds up the outcomes of one write query.
class WriteStats {
 public:
  explicit WriteStats(WriteOptions::ReturnChanges return_changes) : return_changes_(return_changes) {}

  void add(const Context& cx, const RowOutcome& outcome);
  void add_error(std::string_view message);
  /// What `first_error` shall be if nothing has set it yet; counts nothing.
  void set_first_error(std::string_view message) {
    if (!first_error_) first_error_ = message;
  }
  void add_generated_key(Datum key) { generated_keys_.push_back(std::move(key)); }
  /// {deleted, errors, inserted, replaced, skipped, unchanged, …} as recorded.
  Datum finish(const Context& cx);

 private:
  void add_change(const Context& cx, const RowOutcome& outcome);

  const WriteOptions::ReturnChanges return_changes_;
  std::uint64_t deleted_ = 0, errors_ = 0, inserted_ = 0, replaced_ = 0, skipped_ = 0, unchanged_ = 0;
  std::optional<std::string> first_error_;
  std::vector<Datum> generated_keys_;
  ArrayBuilder changes_;
  bool truncated_ = false;
  bool any_ = false;  // a row was looked at
};

/// The sum of write results, as FOR_EACH adds them: numbers are added, arrays appended, the first of other values kept.
class WriteResultSum {
 public:
  void add(const Context& cx, const Datum& result);
  /// The sum; it is empty afterwards.
  Datum finish();

 private:
  // An array that grows is kept as its builder: appending to a Datum would copy all that is there.
  using Field = std::variant<Datum, ArrayBuilder>;

  std::map<std::string, Field> fields_;
};

}  // namespace reqld::reql
