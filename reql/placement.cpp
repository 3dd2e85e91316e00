#include "reql/placement.hpp"

#include <string>
#include <utility>
#include <vector>

namespace reqld::reql {

std::optional<std::int64_t> read_shards(Args& args) {
  const auto shards = args.integer_optarg("shards");
  if (shards && *shards < 1) {
    throw EvalError(ErrorCode::kQueryLogic, "Every table must have at least one shard.",
                    args.optarg_node("shards"));
  }
  if (shards && *shards > 64) {
    throw EvalError(ErrorCode::kQueryLogic, "Maximum number of shards is 64.", args.optarg_node("shards"));
  }
  return shards;
}

void check_replicas(Args& args) {
  constexpr std::string_view kDefaultTag = "default";
  const Node* replicas_node = args.optarg_node("replicas");
  const auto blame = [&](std::string message) -> void {
    throw EvalError(ErrorCode::kQueryLogic, std::move(message), replicas_node);
  };
  const auto primary_tag = args.string_optarg("primary_replica_tag");
  const auto nonvoting = args.datum_optarg("nonvoting_replica_tags");
  const auto replicas = args.datum_optarg("replicas");
  std::vector<std::pair<std::string, std::int64_t>> counts;
  if (replicas && replicas->is(Type::kObject)) {
    if (!primary_tag) blame("`primary_replica_tag` must be specified when `replicas` is an OBJECT.");
    for (std::size_t i = 0; i < replicas->object_size(); ++i) {
      const std::int64_t n = Args::blaming(replicas_node, [&] { return replicas->value_at(i).as_integer(); });
      if (n < 0) blame("Can't have a negative number of replicas");
      counts.emplace_back(replicas->name_at(i), n);
    }
  } else {
    if (replicas && primary_tag) blame("`replicas` must be an OBJECT if `primary_replica_tag` is specified.");
    if (replicas && nonvoting)
      blame("`replicas` must be an OBJECT if `nonvoting_replica_tags` is specified.");
    std::int64_t n = 1;
    if (replicas) n = Args::blaming(replicas_node, [&] { return replicas->as_integer(); });
    if (n < 0) blame("Can't have a negative number of replicas");
    counts.emplace_back(kDefaultTag, n);
  }
  const auto count_of = [&](std::string_view tag) -> const std::int64_t* {
    for (const auto& [name, n] : counts) {
      if (name == tag) return &n;
    }
    return nullptr;
  };
  if (replicas && primary_tag && !count_of(*primary_tag)) {
    throw_op_failed("Can't use server tag `" + *primary_tag +
                    "` for primary replicas because you specified no replicas in server tag `" +
                    *primary_tag + "`.");
  }
  if (replicas && nonvoting && nonvoting->is(Type::kArray)) {
    for (std::size_t i = 0; i < nonvoting->array_size(); ++i) {
      const Datum tag = nonvoting->at(i);
      if (!count_of(tag.as_string())) {
        throw_op_failed(
            "You specified that the replicas in server tag `" + std::string(tag.as_string()) +
            "` should be non-voting, but you didn't specify a number of replicas in server tag `" +
            std::string(tag.as_string()) + "`.");
      }
    }
  }
  std::int64_t total = 0;
  for (const auto& [tag, n] : counts) {
    total += n;
    const std::int64_t servers = tag == kDefaultTag ? 1 : 0;
    if (n > servers) {
      throw_op_failed("Can't put " + std::to_string(n) + " replicas on servers with the tag `" + tag +
                      "` because there are only " + std::to_string(servers) + " servers with the tag `" +
                      tag + "`. It's impossible to have more replicas of the data than there are servers.");
    }
  }
  if (total == 0) {
    throw_op_failed(
        "You must set `replicas` to at least one. `replicas` includes the primary replica; if there are zero "
        "replicas, there is "
        "nowhere to put the data.");
  }
}

}  // namespace reqld::reql
