// _debug_scratch: a table in memory, for tests of what reads and writes system tables. Not listed; gone with the server.

#include <map>
#include <mutex>

#include "datum/key_codec.hpp"
#include "reql/feeds/hub.hpp"
#include "reql/merge.hpp"
#include "reql/system_tables/system_table.hpp"

namespace reqld::reql {

namespace {

struct Rows {
  std::mutex mutex;
  std::map<std::string, Datum> by_key;
};

Rows& all_rows() {
  static Rows rows;
  return rows;
}

class DebugScratchTable : public SystemTable {
 public:
  explicit DebugScratchTable(IdentifierFormat format) : SystemTable("_debug_scratch", format) {}

  RowOutcome write_row(Context& cx, const Datum& key, bool /*key_generated*/, const RowFunction& compute) override {
    RowOutcome outcome;
    {
      Rows& rows = all_rows();
      const std::lock_guard lock(rows.mutex);
      const std::string at = to_primary_key(key);
      if (const auto found = rows.by_key.find(at); found != rows.by_key.end()) outcome.old_row = found->second;
      outcome.new_row = compute(cx, outcome.old_row);
      refuse_literals(outcome.new_row);
      if (outcome.new_row.is_null()) {
        rows.by_key.erase(at);
      } else {
        rows.by_key[at] = outcome.new_row.compact();
      }
    }
    if (!(outcome.old_row == outcome.new_row)) cx.engine().feeds().system_table_changed();
    return outcome;
  }

 protected:
  std::vector<Datum> rows(Context&) override {
    Rows& rows = all_rows();
    const std::lock_guard lock(rows.mutex);
    std::vector<Datum> out;
    for (const auto& [key, row] : rows.by_key) out.push_back(row);
    return out;
  }
};

}  // namespace

Ref<Table> make_debug_scratch_table(IdentifierFormat format) { return make_ref<DebugScratchTable>(format); }

}  // namespace reqld::reql
