// A stored function as JSON, as over the wire: what parse_term() reads.

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/program.hpp"
#include "reql/stack.hpp"

namespace reqld::reql {

namespace {

void check_stored_nesting(std::size_t depth) {
  if (depth <= kMaxStoredFunctionNesting) return;
  throw_resource("Function nested too deeply to be stored (more than " +
                 std::to_string(kMaxStoredFunctionNesting) + " levels).");
}

// A literal in term syntax: arrays become MAKE_ARRAY. `depth` levels are around it.
void literal_to_json(const Datum& d, std::string& out, std::size_t depth) {
  check_stored_nesting(depth);
  if (d.is(Type::kArray)) {
    out += "[2,[";
    for (std::size_t i = 0; i < d.array_size(); ++i) {
      if (i) out += ',';
      literal_to_json(d.at(i), out, depth + 1);
    }
    out += "]]";
  } else if (d.is(Type::kObject)) {
    out += '{';
    for (std::size_t i = 0; i < d.object_size(); ++i) {
      if (i) out += ',';
      append_json_string(d.name_at(i), out);
      out += ':';
      literal_to_json(d.value_at(i), out, depth + 1);
    }
    out += '}';
  } else if (d.is(Type::kGeometry)) {
    literal_to_json(to_pseudo_object(d), out, depth);
  } else {
    append_json(d, out);
  }
}

// Writes one stored function.
class SourceWriter {
 public:
  SourceWriter(const Node& func, const std::function<Datum(const Node&)>& captured)
      : outside_(func.scope_depth), captured_(captured) {}
  std::string text;

  void node(const Node& node) {
    ++depth_;
    check_stored_nesting(depth_);
    write(node);
    --depth_;
  }

 private:
  void write(const Node& node) {
    if (node.is_literal) return literal_to_json(node.literal, text, depth_);
    const TermType type = node.def->type;
    if (type == TermType::kVar || type == TermType::kImplicitVar) {
      // Bound by one of the functions around the stored one?
      if (node.enclosing - node.scope_depth <= outside_)
        return literal_to_json(captured_(node), text, depth_);
    }
    if (type == TermType::kMakeObj) return optargs(node);
    text += '[';
    text += std::to_string(static_cast<int>(type));
    text += ",[";
    for (std::size_t i = 0; i < node.args.size(); ++i) {
      if (i) text += ',';
      this->node(*node.args[i]);
    }
    text += ']';
    if (!node.optargs.empty()) {
      text += ',';
      optargs(node);
    }
    text += ']';
  }

  void optargs(const Node& node) {
    text += '{';
    bool first = true;
    for (const OptArg& o : node.optargs) {
      if (!first) text += ',';
      first = false;
      append_json_string(o.name, text);
      text += ':';
      this->node(*o.value);
    }
    text += '}';
  }

  const std::uint32_t outside_;
  const std::function<Datum(const Node&)>& captured_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string term_to_json(const Node& func, const std::function<Datum(const Node& var)>& captured) {
  SourceWriter writer(func, captured);
  writer.node(func);
  return std::move(writer.text);
}

}  // namespace reqld::reql
