// Parts of sequences, strings and binaries by position: skip, limit, slice, nth.

#include <algorithm>

#include "datum/utf8.hpp"
#include "reql/eval.hpp"
#include "reql/sequence.hpp"
#include "reql/streams/slice.hpp"
#include "reql/terms/families.hpp"
#include "reql/terms/nth.hpp"

namespace reqld::reql {

namespace {

/// [left, right) of something whose size may not be known: both may be negative.
struct SliceBounds {
  std::int64_t left = 0;
  bool left_open = false;
  std::int64_t right = -1;
  bool right_open = false;
};

struct Positions {
  std::uint64_t from;
  std::uint64_t to;
};

/// The positions in something of `size` elements; what lies outside is cut off.
Positions positions(const SliceBounds& b, std::uint64_t size) {
  const auto n = static_cast<std::int64_t>(size);
  std::int64_t from = b.left < 0 ? b.left + n : b.left;
  std::int64_t to = b.right < 0 ? b.right + n : b.right;
  if (from < 0) {
    from = 0;
  } else if (b.left_open) {
    ++from;
  }
  if (!b.right_open && to < n) ++to;
  to = std::clamp<std::int64_t>(to, 0, n);
  from = std::min(from, to);
  return {static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to)};
}

Datum slice_array(const Datum& array, const SliceBounds& b) {
  const Positions p = positions(b, array.array_size());
  ArrayBuilder builder;
  for (std::uint64_t i = p.from; i < p.to; ++i) builder.add(array.at(i));
  return builder.finish();
}

Datum slice_string(const Datum& s, const SliceBounds& b) {
  const std::string_view text = s.as_string();
  const Positions p = positions(b, utf8::count(text));
  return Datum::string(utf8::slice(text, p.from, p.to));
}

Datum slice_binary(const Datum& d, const SliceBounds& b) {
  const Positions p = positions(b, d.binary_size());
  return Datum::binary(d.binary_slice(p.from, p.to - p.from));
}

Ref<Stream> slice_stream_by(Ref<Stream> stream, const SliceBounds& b) {
  if (b.left < 0) throw_logic("Cannot use a negative left index on a stream.");
  if (b.right < -1) throw_logic("Cannot use a right index < -1 on a stream.");
  if (b.right == -1 && b.right_open) throw_logic("Cannot slice to an open right index of -1 on a stream.");
  const auto from = static_cast<std::uint64_t>(b.left) + (b.left_open ? 1 : 0);
  if (b.right == -1) return slice_of_stream(std::move(stream), from);
  return slice_of_stream(std::move(stream), from, static_cast<std::uint64_t>(b.right) + (b.right_open ? 0 : 1));
}

Value slice_value(Args& args, const Value& v, const SliceBounds& b) {
  if (v.is_datum()) {
    const Datum& d = v.raw_datum();
    switch (d.type()) {
      case Type::kArray: return Value(slice_array(d, b));
      case Type::kString: return Value(slice_string(d, b));
      case Type::kBinary: return Value(slice_binary(d, b));
      default: break;
    }
  }
  const Sequence source = to_sequence(args, v, 0);
  // The end of an array can be counted from; one that was computed is computed first.
  const bool from_end = b.left < 0 || b.right < -1 || (b.right == -1 && b.right_open);
  if (from_end && source.stream->is_array() && !source.table) return Value(slice_array(to_array(args.cx(), *source.stream), b));
  return source.with(slice_stream_by(source.stream, b));
}

Value slice(Args& args) {
  const Value v = args.value(0);
  SliceBounds b;
  b.left = args.integer(1);
  if (args.has(2)) {
    b.right = args.integer(2);
    b.right_open = true;
  }
  b.left_open = args.open_bound_optarg("left_bound", false);
  b.right_open = args.open_bound_optarg("right_bound", b.right_open);
  return slice_value(args, v, b);
}

Value skip(Args& args) {
  const Value v = args.value(0);
  SliceBounds b;
  b.left = args.integer(1);
  return slice_value(args, v, b);
}

Value limit(Args& args) {
  const Sequence source = sequence_arg(args, 0);
  const std::int64_t n = args.integer(1);
  if (n < 0) throw_logic("LIMIT takes a non-negative argument (got " + std::to_string(n) + ")");
  return source.with(slice_of_stream(source.stream, 0, static_cast<std::uint64_t>(n)));
}

Value nth(Args& args) {
  const Value v = args.value(0);
  return nth_of(args, v, args.integer(1));
}

[[noreturn]] void throw_out_of_bounds(std::int64_t n) { throw_non_existence("Index out of bounds: " + std::to_string(n)); }

std::optional<Datum> first_row(Context& cx, Stream& stream) {
  Batch batch;
  BatchLimits limits;
  limits.max_rows = 1;
  bool more = true;
  while (more && batch.empty()) {
    cx.check_in();
    more = stream.next(cx, limits, batch);
  }
  if (batch.empty()) return std::nullopt;
  return std::move(batch.front());
}

std::optional<Datum> last_row(Context& cx, Stream& stream) {
  std::optional<Datum> last;
  for_each_batch(cx, stream, [&](Batch& batch) {
    if (!batch.empty()) last = std::move(batch.back());
    return true;
  });
  return last;
}

constexpr Optarg kSliceOptargs[] = {
    {"left_bound", "whether `start` counts: `closed` (the default) or `open`"},
    {"right_bound", "whether `end` counts: `open` (the default) or `closed`"},
};

constexpr Example kSliceExamples[] = {
    {"r.expr([0, 1, 2, 3]).slice(1, 3)", "[30,[[2,[0,1,2,3]],1,3]]", "[1,2]"},
    {"r.expr('grün')[1:-1]", R"([30,["grün",1,-1]])", R"("rü")"},
    {"r.expr([0, 1, 2, 3]).slice(1, 2, right_bound='closed')",
     R"([30,[[2,[0,1,2,3]],1,2],{"right_bound":"closed"}])",
     "[1,2]"},
};
constexpr Example kSkipExamples[] = {
    {"r.expr([1, 2, 3]).skip(1)", "[70,[[2,[1,2,3]],1]]", "[2,3]"},
};
constexpr Example kLimitExamples[] = {
    {"r.range().limit(3)", "[71,[[173,[]],3]]", "[0,1,2]"},
    {"r.expr([1]).limit(-1)", "[71,[[2,[1]],-1]]", "LIMIT takes a non-negative argument (got -1)"},
};
constexpr Example kNthExamples[] = {
    {"r.expr(['a', 'b']).nth(-1)", R"([45,[[2,["a","b"]],-1]])", R"("b")"},
    {"r.expr(['a', 'b']).nth(2)", R"([45,[[2,["a","b"]],2]])", "Index out of bounds: 2"},
};

constexpr TermDef kTerms[] = {
    {.type = TermType::kSlice, .name = "slice", .arity = between(2, 3), .eval = slice, .optargs = kSliceOptargs,
     .signature = "sequence, string or binary.slice(start[, end]) → the same",
     .doc = "The part between two positions of a sequence, a string (in code points) or a binary (in bytes).",
     .examples = kSliceExamples},
    {.type = TermType::kSkip, .name = "skip", .arity = exactly(2), .eval = skip,
     .signature = "sequence.skip(number) → sequence",
     .doc = "All but the first so many rows.",
     .examples = kSkipExamples},
    {.type = TermType::kLimit, .name = "limit", .arity = exactly(2), .eval = limit,
     .signature = "sequence.limit(number) → sequence",
     .doc = "The first so many rows.",
     .examples = kLimitExamples},
    {.type = TermType::kNth, .name = "nth", .arity = exactly(2), .eval = nth,
     .signature = "sequence.nth(number) → value",
     .doc = "The row at a position, counted from the end when that is negative.",
     .examples = kNthExamples},
};

}  // namespace

Value nth_of(Args& args, const Value& sequence, std::int64_t n) {
  if (sequence.is_datum() && sequence.raw_datum().is(Type::kArray)) {
    const Datum& array = sequence.raw_datum();
    const auto size = static_cast<std::int64_t>(array.array_size());
    const std::int64_t at = n < 0 ? n + size : n;
    if (at < 0 || at >= size) throw_out_of_bounds(n);
    return Value(array.at(static_cast<std::size_t>(at)));
  }
  const Sequence source = to_sequence(args, sequence, 0);
  // Something endless is not counted through far.
  const bool far = n < 0 || static_cast<std::uint64_t>(n) >= args.cx().options.array_limit;
  if (far || source.stream->feed_kind() != FeedKind::kNone) refuse_infinite(args, 0, *source.stream);
  if (n < -1) {
    if (!source.stream->is_array()) throw_logic("Cannot use an index < -1 on a stream.");
    const Datum array = to_array(args.cx(), *source.stream);
    const std::int64_t at = n + static_cast<std::int64_t>(array.array_size());
    if (at < 0) throw_out_of_bounds(n);
    return source.row(array.at(static_cast<std::size_t>(at)));
  }
  auto row = n == -1 ? last_row(args.cx(), *source.stream)
                     : first_row(args.cx(), *slice_of_stream(source.stream, static_cast<std::uint64_t>(n),
                                                             static_cast<std::uint64_t>(n) + 1));
  if (!row) throw_out_of_bounds(n);
  return source.row(std::move(*row));
}

std::span<const TermDef> position_terms() { return kTerms; }

}  // namespace reqld::reql
