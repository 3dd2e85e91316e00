// A compiled query: an immutable tree of nodes, shared by everything that outlives the query (functions, indexes, feeds).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datum/datum.hpp"
#include "reql/query.hpp"
#include "reql/term_def.hpp"

namespace reqld::reql {

struct OptArg {
  std::string name;
  Node* value;
};

/// Null when it is not among them.
const Node* find_optarg(std::span<const OptArg> optargs, std::string_view name);

/// One term of a query.
struct Node {
  const TermDef* def = nullptr;  ///< never null; a literal has that of DATUM
  const Node* parent = nullptr;  ///< null for the root
  std::span<Node*> args;         ///< the program's memory
  std::vector<OptArg> optargs;   ///< sorted by name
  Datum literal;                 ///< of a DATUM node
  std::int32_t position = -1;    ///< index in the parent's arguments; -1: an optional argument (or the root)
  TermFlags subtree_flags = 0;   ///< flags of this node and all below
  std::uint32_t literal_array_size = 0;  ///< longest array inside a folded literal
  std::uint32_t scope_depth = 0;  ///< VAR, IMPLICIT_VAR: how many functions out; FUNC: how many enclose it
  std::uint32_t enclosing = 0;    ///< VAR, IMPLICIT_VAR: how many functions enclose it in all
  std::uint32_t slot = 0;         ///< VAR: which argument there
  bool is_literal = false;
  bool is_row_expression = false;  ///< see reql/row_expression.hpp
  bool has_args_term = false;   ///< an argument is r.args: they are spliced when evaluated
  bool captures = false;        ///< FUNC: a function stands inside, so its scope may outlive the call
  bool contains_group = false;  ///< a GROUP term stands in it, so its first argument may be grouped data

  const Node* find_optarg(std::string_view name) const { return reql::find_optarg(optargs, name); }
};

/// Owns the nodes. Thread-safe because immutable.
class Program {
 public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const Node* root() const { return root_; }
  const std::vector<OptArg>& global_optargs() const { return global_optargs_; }

  void retain() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  friend class Parser;
  struct OwnedNode {
    Node node;
    OwnedNode* older;
  };
  /// Of a usual query all nodes lie in the program itself, which is still small enough for malloc's fast path.
  static constexpr std::size_t kFirstBytes = 864;

  ~Program();
  Node* add_node();
  /// Room for the arguments of a node, none of which is there yet.
  void reserve_args(Node& node, std::size_t count);

  mutable std::atomic<std::uint32_t> refs_{0};
  alignas(std::max_align_t) std::byte first_bytes_[kFirstBytes];
  std::pmr::monotonic_buffer_resource memory_{first_bytes_, sizeof first_bytes_};
  OwnedNode* newest_ = nullptr;
  Node* root_ = nullptr;
  std::vector<OptArg> global_optargs_;
};

/// Parses `[1, term, optargs]`; `body` is parsed in place. Throws QueryError, and DatumError when a literal takes more memory than
/// values may.
Ref<const Program> parse_query(std::string body);

/// Parses a single term (a stored function) from its JSON text. Throws as parse_query does.
Ref<const Program> parse_term(std::string text);

/// "Expected 2 arguments but found 1." when a term does not take `count` arguments.
std::optional<std::string> arity_error(const TermDef& def, std::size_t count);

/// The path from the root of the query to `node`.
Backtrace backtrace_to(const Node* node);

/// The text of a FUNC term as JSON, as over the wire. Variables of functions around it are replaced by what `captured` answers.
std::string term_to_json(const Node& func, const std::function<Datum(const Node& var)>& captured);

}  // namespace reqld::reql
