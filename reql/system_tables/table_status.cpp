// table_status: how tables are doing. On one server they are ready as soon as they exist.

#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"

namespace reqld::reql {

namespace {

class TableStatusTable : public SystemTable {
 public:
  explicit TableStatusTable(IdentifierFormat format) : SystemTable("table_status", format) {}

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) {
      for (const auto& [key, table] : catalog->tables) {
        if (key.first != db->id) continue;
        out.push_back(table_status(cx.engine(), format() == IdentifierFormat::kName ? name : db->id, *table, true));
      }
    }
    return out;
  }
};

}  // namespace

Ref<Table> make_table_status_table(IdentifierFormat format) { return make_ref<TableStatusTable>(format); }

}  // namespace reqld::reql
