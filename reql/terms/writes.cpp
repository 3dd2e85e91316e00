// Writing documents: insert, update, replace, delete, for_each, sync.

#include "datum/json.hpp"
#include "reql/eval.hpp"
#include "reql/merge.hpp"
#include "reql/permissions.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"
#include "reql/uuid.hpp"
#include "reql/writes/row_writer.hpp"

namespace reqld::reql {

namespace {

// --- insert

using Conflict = std::function<Datum(Context& cx, const Datum& old_row, const Datum& new_row)>;

Conflict read_conflict(Args& args, const std::string& primary_key) {
  const auto value = args.optarg("conflict");
  if (value && value->is(ValueKind::kFunction)) {
    const Ref<Function> f = value->ref<Function>();
    if (f->arity().value_or(3) != 3) throw_logic("The conflict function passed to `insert` should expect 3 arguments.");
    if (!f->deterministic()) throw_logic("The conflict function passed to `insert` must be deterministic.");
    return [f, name = Datum::string(primary_key)](Context& cx, const Datum& old_row, const Datum& new_row) {
      const Datum call[] = {name, old_row, new_row};
      return f->call_datum(cx, call);
    };
  }
  std::string policy = "error";
  if (value) {
    policy = Args::blaming(args.optarg_node("conflict"), [&] {
      const Datum d = to_datum(args.cx(), *value);
      return std::string(d.as_string());
    });
  }
  if (policy == "replace") return [](Context&, const Datum&, const Datum& new_row) { return new_row; };
  if (policy == "update") return [](Context& cx, const Datum& old_row, const Datum& new_row) { return merge(cx, old_row, new_row); };
  if (policy == "error") {
    return [primary_key](Context&, const Datum& old_row, const Datum& new_row) -> Datum {
      throw_logic("Duplicate primary key `" + primary_key + "`:\n" + to_pretty_json(old_row) + "\n" +
                  to_pretty_json(new_row));
    };
  }
  throw EvalError(ErrorCode::kQueryLogic,
                  "Conflict option `" + policy + "` unrecognized (options are \"error\", \"replace\" and \"update\").",
                  args.optarg_node("conflict"));
}

// Takes documents one by one, writes them step by step.
class Inserter {
 public:
  Inserter(Context& cx, const Ref<Table>& table, const WriteOptions& options, Conflict conflict)
      : cx_(cx),
        primary_key_(table->primary_key()),
        stats_(options.return_changes),
        writer_(cx, table, options, true, insertion(std::move(conflict)), stats_) {}

  void add(const Datum& document) {
    if (!document.is(Type::kObject)) {
      stats_.add_error("Expected type OBJECT but found " + std::string(type_name(document.type())) + ".");
      return;
    }
    Datum row = document;
    auto key = document.get(primary_key_);
    const bool key_generated = !key;
    if (key_generated) {
      key = Datum::string(random_uuid());
      ObjectBuilder with_key(document);
      with_key.set(primary_key_, *key);
      row = with_key.finish();
      stats_.add_generated_key(*key);
    }
    bytes_ += row.encoded_size();
    rows_.push_back({std::move(*key), std::move(row), key_generated});
    if (rows_.size() >= RowWriter::kStepRows || bytes_ >= RowWriter::kStepBytes) flush();
  }

  Datum finish() {
    flush();
    return stats_.finish(cx_);
  }

 private:
  static RowUpdate insertion(Conflict conflict) {
    return [conflict = std::move(conflict)](Context& cx, const RowWriteRequest& request, const Datum& old_row) {
      return old_row.is_null() ? request.document : conflict(cx, old_row, request.document);
    };
  }

  void flush() {
    writer_.write(rows_);
    rows_.clear();
    bytes_ = 0;
  }

  Context& cx_;
  const std::string primary_key_;
  WriteStats stats_;
  RowWriter writer_;
  std::vector<RowWriteRequest> rows_;
  std::size_t bytes_ = 0;
};

Value insert(Args& args) {
  Context& cx = args.cx();
  const Ref<Table> table = args.table(0);
  const WriteOptions options = read_write_options(args);
  Conflict conflict = read_conflict(args, table->primary_key());
  const Value documents = args.value(1);
  Inserter inserter(cx, table, options, std::move(conflict));
  const bool single = (documents.is_datum() && documents.raw_datum().is(Type::kObject)) ||
                      (documents.is(ValueKind::kSingleSelection) &&
                       documents.object<SingleSelection>().row(cx).is(Type::kObject));
  if (single) {
    const Datum document = to_datum(cx, documents);
    Args::blaming(args.node_of(1), [&] { refuse_literals(document); });
    inserter.add(document);
    return Value(inserter.finish());
  }
  const Node* blame = documents.is_datum() ? nullptr : args.node_of(1);
  Ref<Stream> stream = blame ? Args::blaming(blame, [&] { return to_stream(cx, documents); }) : to_stream(cx, documents);
  Args::blaming(args.node_of(1), [&] { refuse_infinite(*stream); });
  for_each_row(cx, *stream, [&](Datum& document) {
    inserter.add(document);
    return true;
  });
  return Value(inserter.finish());
}

// --- update, replace, delete

// The rows that a write works on.
struct Target {
  Ref<Table> table;
  std::optional<Datum> single_key;
  Ref<Stream> rows;
};

Target read_target(Args& args) {
  Context& cx = args.cx();
  const Value v = args.value(0);
  // The table is only read by the write: whatever is wrong with that is the write's.
  if (v.is(ValueKind::kTable) || v.is(ValueKind::kTableSlice)) {
    return {v.object<TableSlice>().table, std::nullopt, to_stream(cx, v)};
  }
  return Args::blaming(args.node_of(0), [&]() -> Target {
    switch (v.kind()) {
      case ValueKind::kSingleSelection: {
        const auto& selection = v.object<SingleSelection>();
        return {selection.table, selection.key, {}};
      }
      case ValueKind::kSelection: return {v.object<Selection>().table, std::nullopt, v.object<Selection>().stream};
      default: throw_kind_error(cx, "SELECTION", v);
    }
  });
}

void write_target(Context& cx, const Target& target, RowWriter& writer) {
  std::vector<RowWriteRequest> step;
  if (target.single_key) {
    step.push_back({*target.single_key, {}});
    writer.write(step);
    return;
  }
  const std::string primary_key = target.table->primary_key();
  const auto take = [&](Datum key) {
    step.push_back({std::move(key), {}});
    if (step.size() < RowWriter::kStepRows) return;
    writer.write(step);
    step.clear();
  };
  // A write may move a row along the index that finds it: then know all keys before the first write.
  const bool keys_first = target.rows->may_revisit();
  std::vector<Datum> keys;
  for_each_row(cx, *target.rows, [&](Datum& row) {
    Datum key = row.get(primary_key)->compact();
    if (keys_first) {
      keys.push_back(std::move(key));
    } else {
      take(std::move(key));
    }
    return true;
  });
  for (Datum& key : keys) take(std::move(key));
  writer.write(step);
}

// The argument of update and replace: a function of the row, or an expression evaluated for each row.
class RowExpression {
 public:
  RowExpression(Args& args, std::size_t i) : node_(args.node_of(i)), scope_(args.env().scope) {
    if (node_->def->type == TermType::kFunc || node_->def->type == TermType::kJavascript) function_ = args.function(i, Shorthand::kConstant);
  }

  TermFlags flags() const { return function_ ? function_->flags() : node_->subtree_flags; }
  bool refers_to_row() const { return static_cast<bool>(function_); }

  Datum operator()(Context& cx, const Datum& row) const {
    if (function_) return function_->call1(cx, row);
    Env env{cx, scope_};
    return Args::blaming(node_, [&] { return to_datum(cx, eval(*node_, env)); });
  }

 private:
  const Node* const node_;
  Scope* const scope_;
  Ref<Function> function_;
};

enum class Change : std::uint8_t { kUpdate, kReplace };

// update(null) leaves a row as it is; replace(null) deletes it.
Datum apply(const Context& cx, Change change, const Datum& old_row, const Datum& value) {
  if (change == Change::kReplace) return value;
  // As the whole of an update it would replace or delete the row.
  if (is_literal(value)) refuse_literals(value);
  return value.is_null() ? old_row : merge(cx, old_row, value);
}

// r.http in a write of one row, where nothing refers to that row: the value is known before the write.
bool may_fetch_first(Args& args, const RowExpression& expression, const Target& target) {
  const TermFlags flags = expression.flags();
  return target.single_key && !expression.refers_to_row() && (flags & kFetches) != 0 && !args.has_optarg("non_atomic") &&
         deterministic(flags & ~kFetches);
}

RowUpdate fetched_first(Context& cx, const RowExpression& expression, Change change) {
  // A failed fetch is the row's error, as it would be if it happened inside the write.
  RowOutcome fetched;
  try {
    fetched.new_row = expression(cx, Datum());
  } catch (const EvalError& e) {
    fetched.error = e.message();
  }
  return [fetched, change](Context& row_cx, const RowWriteRequest&, const Datum& old_row) -> Datum {
    if (fetched.error) throw_logic(*fetched.error);
    if (change == Change::kUpdate && old_row.is_null()) return Datum();
    return apply(row_cx, change, old_row, fetched.new_row);
  };
}

Value change_rows(Args& args, Change change) {
  Context& cx = args.cx();
  const Target target = read_target(args);
  const WriteOptions options = read_write_options(args);
  const bool non_atomic = args.bool_optarg("non_atomic").value_or(false);
  const RowExpression expression(args, 1);
  const bool pure = deterministic(expression.flags());
  RowUpdate update = [&expression, change, pure](Context& row_cx, const RowWriteRequest&, const Datum& old_row) -> Datum {
    if (change == Change::kUpdate && old_row.is_null()) {
      if (pure) return Datum();
      throw_type_error("OBJECT", Type::kNull);
    }
    return apply(row_cx, change, old_row, expression(row_cx, old_row));
  };
  bool atomic = pure;
  if (!pure && !non_atomic) {
    if (!may_fetch_first(args, expression, target)) {
      throw_logic("Could not prove argument deterministic.  Maybe you want to use the non_atomic flag?");
    }
    update = fetched_first(cx, expression, change);
    atomic = true;
  }
  WriteStats stats(options.return_changes);
  RowWriter writer(cx, target.table, options, atomic, std::move(update), stats);
  write_target(cx, target, writer);
  return Value(stats.finish(cx));
}

Value update(Args& args) { return change_rows(args, Change::kUpdate); }
Value replace(Args& args) { return change_rows(args, Change::kReplace); }

Value delete_rows(Args& args) {
  Context& cx = args.cx();
  const Target target = read_target(args);
  const WriteOptions options = read_write_options(args);
  WriteStats stats(options.return_changes);
  const auto deletion = [](Context&, const RowWriteRequest&, const Datum&) { return Datum(); };
  RowWriter writer(cx, target.table, options, true, deletion, stats);
  write_target(cx, target, writer);
  return Value(stats.finish(cx));
}

// --- for_each, sync

Value for_each(Args& args) {
  Context& cx = args.cx();
  const Ref<Stream> rows = args.stream(0);
  if (rows->feed_kind() != FeedKind::kNone) Args::blaming(args.node_of(0), [&] { refuse_infinite(*rows); });
  const Ref<Function> f = args.function(1, Shorthand::kConstant);
  const Node* blame = args.node_of(1);
  const Node* body = blame->def->type == TermType::kFunc ? blame->args[1] : blame;
  constexpr std::string_view kExpected = "FOR_EACH expects one or more basic write queries.";
  WriteResultSum total;
  const auto add = [&](const Datum& result) {
    if (!result.is(Type::kObject)) {
      throw EvalError(ErrorCode::kQueryLogic,
                      std::string(kExpected) + "  Expected type ARRAY but found " + std::string(type_name(result.type())) + ".",
                      body);
    }
    total.add(cx, result);
  };
  for_each_row(
      cx, *rows,
      [&](Datum& row) {
        const Value v = f->call(cx, std::span<const Datum>(&row, 1));
        if (!v.is_datum()) throw EvalError(ErrorCode::kQueryLogic, std::string(kExpected), body);
        const Datum& result = v.raw_datum();
        if (result.is(Type::kArray)) {
          for (std::size_t i = 0; i < result.array_size(); ++i) add(result.at(i));
        } else {
          add(result);
        }
        return true;
      },
      true);
  return Value(total.finish());
}

Value sync(Args& args) {
  const Ref<Table> table = args.table(0);
  require(args.cx(), Permission::kWrite, table_scope(args.cx(), *table));
  if (!table->stored()) throw_op_failed("Artificial tables don't support `sync()`.");
  sync_storage(args.cx());
  ObjectBuilder out;
  out.set("synced", Datum::number(1));
  return Value(out.finish());
}

constexpr Optarg kInsertOptargs[] = {
    {"conflict",
     "when the key is taken: `error` (the default), `replace`, `update`, or a function of "
     "(primary key's name, old row, new row)"},
    {"durability", "`hard`: answer when it is on disk; `soft`: when it is in memory. The default is the table's"},
    {"return_vals", "refused: `return_changes` took its place"},
    {"return_changes", "true: `changes` with old and new rows; `always`: also of rows that did not change or failed (false)"},
    {"ignore_write_hook", "write past the table's write hook (false); needs the permission to configure the table"},
};
constexpr Optarg kChangeOptargs[] = {
    {"non_atomic", "allow functions that are not deterministic or read tables (false)"},
    {"durability", "`hard`: answer when it is on disk; `soft`: when it is in memory. The default is the table's"},
    {"return_vals", "refused: `return_changes` took its place"},
    {"return_changes", "true: `changes` with old and new rows; `always`: also of rows that did not change or failed (false)"},
    {"ignore_write_hook", "write past the table's write hook (false); needs the permission to configure the table"},
};
constexpr Optarg kDeleteOptargs[] = {
    {"durability", "`hard`: answer when it is on disk; `soft`: when it is in memory. The default is the table's"},
    {"return_vals", "refused: `return_changes` took its place"},
    {"return_changes", "true: `changes` with old and new rows; `always`: also of rows that did not change or failed (false)"},
    {"ignore_write_hook", "write past the table's write hook (false); needs the permission to configure the table"},
};
constexpr TermFlags kRowWrite = kWrites | kForbidsWrites;

constexpr Example kInsertExamples[] = {
    {"r.table('teams').insert({'id': 'green', 'city': 'Oslo'})",
     R"([56,[[15,["teams"]],{"id":"green","city":"Oslo"}]])",
     R"({"deleted":0,"errors":0,"inserted":1,"replaced":0,"skipped":0,"unchanged":0})"},
    {"r.table('teams').insert({'id': 'red', 'city': 'Riga'}, conflict='update', return_changes=True)['changes']",
     R"([170,[[56,[[15,["teams"]],{"id":"red","city":"Riga"}],{"conflict":"update","return_changes":true}],"changes"]])",
     R"([{"new_val":{"city":"Riga","id":"red"},"old_val":{"city":"Rome","id":"red"}}])"},
    {"r.table('teams').insert({'id': 'red'})['first_error']",
     R"([170,[[56,[[15,["teams"]],{"id":"red"}]],"first_error"]])",
     R"("Duplicate primary key `id`:\n{\n\t\"city\":\t\"Rome\",\n\t\"id\":\t\"red\"\n}\n{\n\t\"id\":\t\"red\"\n}")"},
};
constexpr Example kUpdateExamples[] = {
    {"r.table('players').get(1).update({'score': r.row['score'] + 1}, return_changes=True)['changes'][0]['new_val']['score']",
     R"([170,[[170,[[170,[[170,[[53,[[16,[[15,["players"]],1]],[69,[[2,[1]],{"score":[24,[[170,[[13,[]],"score"]],1]]}]]],{"return_changes":true}],"changes"]],0]],"new_val"]],"score"]])",
     "13"},
    {"r.table('players').get(9).update({'score': 0})",
     R"([53,[[16,[[15,["players"]],9]],{"score":0}]])",
     R"({"deleted":0,"errors":0,"inserted":0,"replaced":0,"skipped":1,"unchanged":0})"},
};
constexpr Example kReplaceExamples[] = {
    {"r.table('teams').get('red').replace({'id': 'red'})",
     R"([55,[[16,[[15,["teams"]],"red"]],{"id":"red"}]])",
     R"({"deleted":0,"errors":0,"inserted":0,"replaced":1,"skipped":0,"unchanged":0})"},
    {"r.table('players').replace(lambda p: p.without('tags'))['replaced']",
     R"([170,[[55,[[15,["players"]],[69,[[2,[1]],[34,[[10,[1]],"tags"]]]]]],"replaced"]])",
     "3"},
};
constexpr Example kDeleteExamples[] = {
    {"r.table('players').get_all('red', index='team').delete()",
     R"([54,[[78,[[15,["players"]],"red"],{"index":"team"}]]])",
     R"({"deleted":2,"errors":0,"inserted":0,"replaced":0,"skipped":0,"unchanged":0})"},
};
constexpr Example kForEachExamples[] = {
    {"r.expr(['x', 'y']).for_each(lambda key: r.table('teams').insert({'id': key}))",
     R"([68,[[2,["x","y"]],[69,[[2,[1]],[56,[[15,["teams"]],{"id":[10,[1]]}]]]]]])",
     R"({"deleted":0,"errors":0,"inserted":2,"replaced":0,"skipped":0,"unchanged":0})"},
    {"r.expr([1]).for_each(lambda n: n)",
     "[68,[[2,[1]],[69,[[2,[1]],[10,[1]]]]]]",
     "FOR_EACH expects one or more basic write queries.  Expected type ARRAY but found NUMBER."},
};
constexpr Example kSyncExamples[] = {
    {"r.table('teams').sync()", R"([138,[[15,["teams"]]]])", R"({"synced":1})"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kInsert, .name = "insert", .arity = exactly(2), .flags = kRowWrite | kGroupAware, .eval = insert,
     .optargs = kInsertOptargs,
     .signature = "table.insert(object or sequence) → object",
     .doc = "Stores documents.",
     .examples = kInsertExamples},
    {.type = TermType::kUpdate, .name = "update", .arity = exactly(2), .flags = kRowWrite, .eval = update,
     .optargs = kChangeOptargs,
     .signature = "selection.update(object or function) → object",
     .doc = "Merges an object into each row.",
     .examples = kUpdateExamples},
    {.type = TermType::kReplace, .name = "replace", .arity = exactly(2), .flags = kRowWrite, .eval = replace,
     .optargs = kChangeOptargs,
     .signature = "selection.replace(object or function) → object",
     .doc = "Replaces each row; null deletes it.",
     .examples = kReplaceExamples},
    {.type = TermType::kDelete, .name = "delete", .arity = exactly(1), .flags = kRowWrite, .eval = delete_rows,
     .optargs = kDeleteOptargs,
     .signature = "selection.delete() → object",
     .doc = "Deletes rows.",
     .examples = kDeleteExamples},
    {.type = TermType::kForEach, .name = "for_each", .arity = exactly(2), .flags = kWrites, .eval = for_each,
     .signature = "sequence.for_each(function) → object",
     .doc = "Runs write queries for each element, adding up their results.",
     .examples = kForEachExamples},
    {.type = TermType::kSync, .name = "sync", .arity = exactly(1), .flags = kWrites, .eval = sync,
     .signature = "table.sync() → object",
     .doc = "Waits until all that was written is on disk.",
     .examples = kSyncExamples},
};

}  // namespace

std::span<const TermDef> write_terms() { return kTerms; }

}  // namespace reqld::reql
