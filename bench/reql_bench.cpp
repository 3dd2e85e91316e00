// What reading a query costs, beside RapidJSON alone on the same text. parse_query parses and compiles in one
// pass over RapidJSON's document: what is above `limit/rapidjson_dom` is the compiling.
//
//   ./dev bench micro reql [--benchmark_filter=REGEX]
#include <string>
#include <string_view>

#include "bench/micro.hpp"
#include "bench/rapidjson_limit.hpp"
#include "reql/program.hpp"

using namespace reqld;
using namespace reqld::bench;

namespace {

struct Sample {
  const char* name;
  std::string_view text;
};

constexpr Sample kQueries[] = {
    // r.expr(1234).add(1).mul(2.5).sub(7)
    {"expr_arithmetic", R"([1,[25,[[26,[[24,[1234,1]],2.5]],7]],{}])"},
    // r.table('users').get('…')
    {"point_get", R"([1,[16,[[15,["users"]],"1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11"]],{"db":[14,["test"]]}])"},
    // r.table('users').filter(u => u('age').gt(45).and(u('city').eq('Amsterdam')))
    {"filter_lambda", R"([1,[39,[[15,["users"]],[69,[[2,[1]],[67,[[21,[[170,[[10,[1]],"age"]],45]],)"
                      R"([17,[[170,[[10,[1]],"city"]],"Amsterdam"]]]]]]]],{"db":[14,["test"]]}])"},
    // r.table('users').insert({…}, durability='soft')
    {"insert", R"([1,[56,[[15,["users"]],{"id":"1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11","name":"Ada Lovelace","age":36,)"
               R"("city":"London","email":"ada@example.org","tags":[2,["math","poetry"]],"score":12.75,)"
               R"("address":{"street":"12 St James's Square","code":"SW1Y"},"active":true}],{"durability":"soft"}],)"
               R"({"db":[14,["test"]]}])"},
    // The same with `since` = r.now(), the last field: what was taken for a literal is none.
    {"insert_with_a_term", R"([1,[56,[[15,["users"]],{"id":"1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11","name":"Ada Lovelace","age":36,)"
                           R"("city":"London","email":"ada@example.org","tags":[2,["math","poetry"]],"score":12.75,)"
                           R"("address":{"street":"12 St James's Square","code":"SW1Y"},"active":true,"since":[103,[]]}],)"
                           R"({"durability":"soft"}],{"db":[14,["test"]]}])"},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [name, text] : kQueries) {
    add(std::string("reql/parse_compile/") + name, {.bytes = text.size(), .items = 1},
        [text = text] { DoNotOptimize(reql::parse_query(padded_copy(text))); });
    add_rapidjson_limits(name, text);
  }
  return run(argc, argv);
}
