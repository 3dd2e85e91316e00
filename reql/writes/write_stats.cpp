#include "reql/writes/write_stats.hpp"

namespace reqld::reql {

void WriteStats::add_error(std::string_view message) {
  any_ = true;
  ++errors_;
  if (!first_error_) first_error_ = message;
}

void WriteStats::add(const Context& cx, const RowOutcome& outcome) {
  any_ = true;
  if (outcome.error) {
    add_error(*outcome.error);
  } else if (outcome.old_row.is_null() && outcome.new_row.is_null()) {
    ++skipped_;
  } else if (outcome.old_row.is_null()) {
    ++inserted_;
  } else if (outcome.new_row.is_null()) {
    ++deleted_;
  } else if (outcome.old_row == outcome.new_row) {
    ++unchanged_;
  } else {
    ++replaced_;
  }
  add_change(cx, outcome);
}

void WriteStats::add_change(const Context& cx, const RowOutcome& outcome) {
  if (return_changes_ == WriteOptions::ReturnChanges::kNo) return;
  const bool changed = !outcome.error && !(outcome.old_row == outcome.new_row);
  if (!changed && return_changes_ != WriteOptions::ReturnChanges::kAlways) return;
  if (changes_.size() >= cx.options.array_limit) {
    truncated_ = true;
    return;
  }
  ObjectBuilder change;
  if (outcome.error) change.set("error", Datum::string(*outcome.error));
  change.set("old_val", outcome.old_row);
  change.set("new_val", outcome.new_row);
  changes_.add(change.finish());
}

namespace {
Datum too_many(const Context& cx, std::string_view what) {
  return Datum::string("Too many " + std::string(what) + ", array truncated to " + std::to_string(cx.options.array_limit) + ".");
}
}  // namespace

Datum WriteStats::finish(const Context& cx) {
  ObjectBuilder out;
  const auto count = [&](std::string_view name, std::uint64_t n) { out.set(name, Datum::number(static_cast<double>(n))); };
  count("deleted", deleted_);
  count("errors", errors_);
  count("inserted", inserted_);
  count("replaced", replaced_);
  count("skipped", skipped_);
  count("unchanged", unchanged_);
  if (first_error_) out.set("first_error", Datum::string(*first_error_));
  ArrayBuilder warnings;
  if (!generated_keys_.empty()) {
    if (generated_keys_.size() > cx.options.array_limit) {
      generated_keys_.resize(cx.options.array_limit);
      warnings.add(too_many(cx, "generated keys (" + std::to_string(generated_keys_.size()) + ")"));
    }
    out.set("generated_keys", Datum::array(generated_keys_));
  }
  if (any_ && return_changes_ != WriteOptions::ReturnChanges::kNo) {
    out.set("changes", changes_.finish());
    if (truncated_) warnings.add(too_many(cx, "changes"));
  }
  if (!warnings.empty()) out.set("warnings", warnings.finish());
  return out.finish();
}

void WriteResultSum::add(const Context& cx, const Datum& result) {
  const auto append = [&](ArrayBuilder& elements, const Datum& array) {
    for (std::size_t k = 0; k < array.array_size() && elements.size() < cx.options.array_limit; ++k) elements.add(array.at(k));
  };
  for (std::size_t i = 0; i < result.object_size(); ++i) {
    const Datum value = result.value_at(i);
    const auto [at, is_new] = fields_.try_emplace(std::string(result.name_at(i)), value);
    if (is_new) continue;
    Field& sum = at->second;
    if (auto* const elements = std::get_if<ArrayBuilder>(&sum)) {
      if (value.is(Type::kArray)) append(*elements, value);
      continue;
    }
    const Datum first = std::get<Datum>(sum);
    if (first.is(Type::kNumber) && value.is(Type::kNumber)) {
      sum = Datum::number(first.as_number() + value.as_number());
    } else if (first.is(Type::kArray) && value.is(Type::kArray)) {
      auto& elements = sum.emplace<ArrayBuilder>();
      append(elements, first);
      append(elements, value);
    }
  }
}

Datum WriteResultSum::finish() {
  ObjectBuilder sum;
  for (auto& [name, field] : fields_) {
    auto* const elements = std::get_if<ArrayBuilder>(&field);
    sum.set(name, elements ? elements->finish() : std::get<Datum>(field));
  }
  fields_.clear();
  return sum.finish();
}

}  // namespace reqld::reql
