// Functions as values: ReQL functions, constants and field names standing in for one, JavaScript.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "datum/datum.hpp"
#include "reql/object.hpp"
#include "reql/program.hpp"
#include "reql/value.hpp"

namespace reqld::reql {

/// The variables of one call, linked to those of the functions around it.
class Scope {
 public:
  Scope(Ref<Scope> parent, std::span<const Datum> vars);
  /// For the stack: `parent` must outlive it, nothing may capture it.
  Scope(Scope* parent, std::span<const Datum> vars);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  const Datum& var(std::uint32_t slot) const { return many_ ? many_[slot] : few_[slot]; }
  const Scope* parent() const { return parent_; }

  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  ~Scope() = default;

 private:
  static constexpr std::size_t kFew = 2;
  void fill(std::span<const Datum> vars);

  mutable std::atomic<std::uint32_t> refs_{0};
  Scope* parent_ = nullptr;
  Ref<Scope> owned_parent_;
  Datum few_[kFew];
  std::unique_ptr<Datum[]> many_;
};

/// Immutable; may be called from several threads at once, each with its own Context.
class Function : public Object {
 public:
  /// Calls it; argument counts are checked by the caller through `arity` where that matters. Throws EvalError.
  virtual Value call(Context& cx, std::span<const Datum> args) const = 0;
  /// How many arguments it takes; nullopt: any number.
  virtual std::optional<std::size_t> arity() const = 0;
  /// Same answer for the same arguments; reads no table.
  virtual TermFlags flags() const = 0;
  /// Same answer for the same arguments all through a query.
  bool deterministic() const { return reql::deterministic(flags()); }
  /// For storing it (indexes, write hooks): JSON of the FUNC term, captured variables replaced by their values.
  struct Source {
    std::string json;
    bool captures = false;  ///< some were
  };
  /// nullopt for functions that are no ReQL.
  virtual std::optional<Source> source() const { return std::nullopt; }
  /// The node its errors are blamed on when the caller has nothing better; may be null.
  virtual const Node* node() const { return nullptr; }
  /// The node that computes its answer; may be null.
  virtual const Node* body() const { return node(); }

  /// An answer that is no datum is blamed on the body.
  Datum call_datum(Context& cx, std::span<const Datum> args) const;
  Datum call1(Context& cx, const Datum& a) const { return call_datum(cx, std::span<const Datum>(&a, 1)); }
  Datum call2(Context& cx, const Datum& a, const Datum& b) const;
  /// As call1, but nullopt when that ends with a NON_EXISTENCE error. Costs no exception where a row merely lacks a field.
  virtual std::optional<Datum> call1_if_exists(Context& cx, const Datum& a) const;
  /// Truth of the result: anything but false and null.
  bool test(Context& cx, const Datum& a) const;
};

/// A FUNC node with the scope it was made in.
Ref<Function> make_function(const Program& program, const Node& func, Scope* scope);
/// Answers `value` whatever it is called with.
Ref<Function> constant_function(Datum value);
/// row -> row.get_field(key), blamed on `node`: group('a'), sum('a'), order_by('a') … A key that is no string fails when it is called.
Ref<Function> field_function(Datum key, const Node* node);

}  // namespace reqld::reql
