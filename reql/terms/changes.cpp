// changes: a feed of what is written.

#include <algorithm>
#include <array>

#include "reql/eval.hpp"
#include "reql/feeds/feed_stream.hpp"
#include "reql/table.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

// What can be told from the query alone: terms that no feed passes through, functions that may answer differently each time.
void check_chain(const Node& changes) {
  for (const Node* node = changes.args[0]; !node->args.empty(); node = node->args[0]) {
    switch (node->def->type) {
      case TermType::kConcatMap:
      case TermType::kInnerJoin:
      case TermType::kOuterJoin:
        throw EvalError(ErrorCode::kQueryLogic, "Cannot call `changes` after `concat_map`.", &changes);
      case TermType::kZip: throw EvalError(ErrorCode::kQueryLogic, "Cannot call `changes` after `zip`.", &changes);
      case TermType::kFilter:
      case TermType::kMap:
      case TermType::kMerge:
        for (std::size_t i = 1; i < node->args.size(); ++i) {
          const Node* arg = node->args[i];
          if (arg->def->type == TermType::kFunc) arg = arg->args[1];
          if (!deterministic(arg->subtree_flags)) {
            throw EvalError(ErrorCode::kQueryLogic, "Cannot call `changes` after a non-deterministic function.", arg);
          }
        }
        break;
      default: break;
    }
  }
}

constexpr double kMaxSquashSeconds = 1e6;

// What a query watches and shows, as text: the same text has the same elements. Empty: who knows.
std::string alike_text(Args& args, const FeedOptions& options) {
  constexpr TermFlags kOwn = kNonDeterministic | kWrites | kFetches | kConstantInQuery;
  const Node& watched = *args.node().args[0];
  if (args.env().scope || (watched.subtree_flags & kOwn) != 0) return {};
  return term_to_json(watched, [](const Node&) { return Datum(); }) + (options.include_types ? "t" : "-") +
         std::to_string(args.cx().options.array_limit);
}

FeedOptions read_options(Args& args) {
  FeedOptions options;
  if (const auto squash = args.datum_optarg("squash")) {
    const Node* blame = args.optarg_node("squash");
    if (squash->is(Type::kBool)) {
      options.squash = squash->as_bool();
    } else if (squash->is(Type::kNumber)) {
      if (squash->as_number() < 0) {
        throw EvalError(ErrorCode::kQueryLogic, "Expected BOOL or a positive NUMBER but found a negative NUMBER.", blame);
      }
      options.squash = true;
      options.squash_delay = std::chrono::microseconds(static_cast<std::int64_t>(std::min(squash->as_number(), kMaxSquashSeconds) * 1e6));
    } else {
      throw EvalError(ErrorCode::kQueryLogic, "Expected BOOL or NUMBER but found " + std::string(type_name(squash->type())) + ".",
                      blame);
    }
  }
  options.include_initial = args.bool_optarg("include_initial").value_or(false);
  options.include_states = args.bool_optarg("include_states").value_or(false);
  options.include_types = args.bool_optarg("include_types").value_or(false);
  options.include_offsets = args.bool_optarg("include_offsets").value_or(false);
  if (const auto size = args.integer_optarg("changefeed_queue_size")) {
    if (*size < 1) throw_logic("Illegal changefeed queue size `" + std::to_string(*size) + "`.  (Must be >= 1.)");
    options.queue_size = static_cast<std::size_t>(*size);
  }
  options.resumable = args.bool_optarg("resumable").value_or(false);
  if (auto token = args.string_optarg("resume_token")) {
    options.resume_token = std::move(*token);
    options.resumable = true;
  }
  if (options.resumable && options.squash) throw_logic("A resumable feed cannot be squashed.");
  if (options.resume_token && options.include_initial) {
    throw_logic("A feed that resumes has no initial values: leave out `include_initial` or `resume_token`.");
  }
  options.alike = alike_text(args, options);
  return options;
}

ChangeSource point_source(const SingleSelection& selection) {
  ChangeSource source;
  source.key = selection.key;
  source.table = selection.table->stored();
  source.kind = source.table ? ChangeSource::Kind::kPoint : ChangeSource::Kind::kSystem;
  if (!source.table) source.system_table = selection.table;
  return source;
}

// min and max by an index (or the primary key) are the first row of an order.
std::optional<ChangeSource> extreme_source(Args& args) {
  const Node& node = *args.node().args[0];
  const bool is_min = node.def->type == TermType::kMin;
  if ((!is_min && node.def->type != TermType::kMax) || node.args.size() != 1) return std::nullopt;
  const Value v = eval(*node.args[0], args.env());
  if (!v.is(ValueKind::kTable) && !v.is(ValueKind::kTableSlice)) return std::nullopt;
  TableSlice slice = v.object<TableSlice>();
  if (const Node* index = node.find_optarg("index")) {
    const Datum name = to_datum(args.cx(), eval(*index, args.env()));
    slice.index = std::string(name.as_string());
  }
  slice.order = is_min ? Order::kAscending : Order::kDescending;
  ChangeSource source = slice_stream(args.cx(), slice)->change_source();
  source.kind = ChangeSource::Kind::kLimit;
  source.limit = 1;
  return source;
}

// The term to blame for a sequence that cannot be watched: what terms that pass rows on have got it from.
const Node* eager_node(const Node* node) {
  for (;;) {
    switch (node->def->type) {
      case TermType::kSkip:
      case TermType::kLimit:
      case TermType::kCoerceTo:
      case TermType::kOffsetsOf: node = node->args[0]; break;
      case TermType::kUnion: {
        const auto array = std::find_if(node->args.begin(), node->args.end(), [](const Node* arg) {
          return arg->is_literal || arg->def->type == TermType::kMakeArray;
        });
        return array == node->args.end() ? node : *array;
      }
      default: return node;
    }
  }
}

ChangeSource read_source(Args& args) {
  if (auto source = extreme_source(args)) return std::move(*source);
  const Value v = args.value(0);
  if (v.is(ValueKind::kSingleSelection)) return point_source(v.object<SingleSelection>());
  const Ref<Stream> stream = to_stream(args.cx(), v);
  return Args::blaming(eager_node(args.node_of(0)), [&] { return stream->change_source(); });
}

Value changes(Args& args) {
  check_chain(args.node());
  const FeedOptions options = read_options(args);
  ChangeSource source = read_source(args);
  if (options.include_offsets && source.kind != ChangeSource::Kind::kLimit) {
    const bool point = source.kind == ChangeSource::Kind::kPoint;
    throw_logic(std::string("Cannot include offsets for ") + (point ? "point" : "range") + " subs.");
  }
  return Value(make_feed(args.cx(), std::move(source), options));
}

constexpr Optarg kOptargs[] = {
    {"squash", "true: changes of a row that nobody has fetched yet become one; a number: gather for so many seconds"},
    {"changefeed_queue_size", "how many changes may wait to be fetched (100000); the reader is told how many were left out"},
    {"include_initial", "present rows first (false)"},
    {"include_states", "also {state: 'initializing'} and {state: 'ready'} (false)"},
    {"include_offsets", "`old_offset` and `new_offset`, where order_by and limit are watched (false)"},
    {"include_types", "a `type` in every change: add, remove, change, initial, uninitial or state (false)"},
    {"resumable", "a `token` in every change, for a later feed to go on after it; the table keeps a change log (false)"},
    {"resume_token", "a token that a resumable feed gave: the feed delivers what came after it"},
};

constexpr Example kChangesExamples[] = {
    {"r.table('players').get(1).changes(include_initial=True).limit(1)['new_val']['name']",
     R"([170,[[170,[[71,[[152,[[16,[[15,["players"]],1]]],{"include_initial":true}],1]],"new_val"]],"name"]])",
     R"(["Ann"])"},
    {"r.expr([1]).changes()", "[152,[[2,[1]]]]", "Cannot call `changes` on an eager stream."},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kChanges, .name = "changes", .arity = exactly(1), .flags = kReadsTable | kNonDeterministic, .eval = changes,
     .optargs = kOptargs,
     .signature = "stream or row.changes() → feed",
     .doc = "A feed of the changes of rows, optionally with their present values first.",
     .examples = kChangesExamples},
};

}  // namespace

std::span<const TermDef> change_terms() { return kTerms; }

}  // namespace reqld::reql
