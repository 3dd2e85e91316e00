// table_status: how tables are doing. On one server they are ready as soon as they exist, and there is no
// more to tell of them in _debug_table_status.

#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"

namespace reqld::reql {

namespace {

class TableStatusTable : public SystemTable {
 public:
  using SystemTable::SystemTable;

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) {
      for (const auto& table : catalog->tables.of_database(db->id)) {
        out.push_back(table_status(cx.engine(), name, *table, true, format()));
      }
    }
    return out;
  }
};

}  // namespace

Ref<Table> make_table_status_table(IdentifierFormat format) {
  return make_ref<TableStatusTable>("table_status", format);
}
Ref<Table> make_debug_table_status_table(IdentifierFormat format) {
  return make_ref<TableStatusTable>("_debug_table_status", format);
}

}  // namespace reqld::reql
