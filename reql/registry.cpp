#include <array>
#include <vector>

#include "reql/term_def.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

struct Registry {
  std::array<const TermDef*, kMaxTermType + 1> by_type{};
  std::vector<const TermDef*> all;

  Registry() {
    for (const auto family : kFamilies) {
      for (const TermDef& def : family()) by_type[static_cast<std::size_t>(def.type)] = &def;
    }
    for (const TermDef* def : by_type) {
      if (def) all.push_back(def);
    }
  }
};

const Registry& registry() {
  static const Registry instance;
  return instance;
}

}  // namespace

const TermDef* find_term(int type) {
  if (type < 0 || type > kMaxTermType) return nullptr;
  return registry().by_type[static_cast<std::size_t>(type)];
}

std::span<const TermDef* const> all_terms() { return registry().all; }

}  // namespace reqld::reql
