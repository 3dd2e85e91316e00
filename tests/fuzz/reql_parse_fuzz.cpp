// fuzz libs: reqld_reql
// Any text as the body of a START query, and as a stored function: it is refused with an error, or becomes a
// program whose functions can be written down and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "datum/json.hpp"
#include "reql/error.hpp"
#include "reql/program.hpp"

using namespace reqld;
using namespace reqld::reql;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

std::string text_of(const Node& function) {
  return term_to_json(function, [](const Node&) { return Datum::number(1); });
}

void check(const Node& node, const Node* parent) {
  require(node.def != nullptr && node.parent == parent);
  (void)backtrace_to(&node);
  for (const Node* arg : node.args) check(*arg, &node);
  for (const OptArg& optarg : node.optargs) {
    require(node.find_optarg(optarg.name) == optarg.value);
    check(*optarg.value, &node);
  }
  // Of the outermost ones only: those inside are part of their text.
  if (node.def->type != TermType::kFunc || node.scope_depth != 0) return;
  const std::string text = text_of(node);
  const auto again = parse_term(text);
  require(again->root()->def->type == TermType::kFunc);
  require(text_of(*again->root()) == text);
}

template <typename Parse>
void attempt(std::string_view text, Parse parse) {
  try {
    const Ref<const Program> program = parse(std::string(text));
    require(program->root() != nullptr);
    check(*program->root(), nullptr);
    for (const OptArg& optarg : program->global_optargs()) require(optarg.value != nullptr);
  } catch (const QueryError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt(text, parse_query);
  attempt(text, parse_term);
  attempt("[1," + std::string(text) + "]", parse_query);
  return 0;
}
