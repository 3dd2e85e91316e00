#include "reql/sequence.hpp"

namespace reqld::reql {

Value Sequence::with(Ref<Stream> derived) const {
  if (!table) return Value(std::move(derived));
  return Value(ValueKind::kSelection, make_ref<Selection>(table, std::move(derived)));
}

Value Sequence::row(Datum d) const {
  if (!table) return Value(std::move(d));
  Datum key = d.get(table->primary_key()).value_or(Datum());
  return Value(ValueKind::kSingleSelection, make_ref<SingleSelection>(table, std::move(key), std::move(d)));
}

Sequence to_sequence(Args& args, const Value& value, std::size_t i) {
  switch (value.kind()) {
    case ValueKind::kTable:
    case ValueKind::kTableSlice: return {to_stream(args.cx(), value), value.object<TableSlice>().table};
    case ValueKind::kSelection: return {value.object<Selection>().stream, value.object<Selection>().table};
    case ValueKind::kDatum:
    case ValueKind::kSequence: return {to_stream(args.cx(), value), {}};
    default: return {Args::blaming(args.node_of(i), [&] { return to_stream(args.cx(), value); }), {}};
  }
}

Sequence sequence_arg(Args& args, std::size_t i) { return to_sequence(args, args.value(i), i); }

void refuse_infinite(Args& args, std::size_t i, const Stream& stream) {
  Args::blaming(args.node_of(i), [&] { refuse_infinite(stream); });
}

const Node* table_node(const Node* chain) {
  while (chain->def->type != TermType::kTable && !chain->args.empty()) chain = chain->args[0];
  return chain;
}

}  // namespace reqld::reql
