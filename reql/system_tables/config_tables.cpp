// db_config and table_config: what exists, and how it is set up.

#include "reql/system_tables/system_table.hpp"
#include "reql/table_config.hpp"

namespace reqld::reql {

namespace {

class DbConfigTable : public SystemTable {
 public:
  explicit DbConfigTable(IdentifierFormat format) : SystemTable("db_config", format) {}

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    for (const auto& [name, db] : cx.database().catalog()->dbs) out.push_back(db_config(*db));
    return out;
  }
};

class TableConfigTable : public SystemTable {
 public:
  explicit TableConfigTable(IdentifierFormat format) : SystemTable("table_config", format) {}

 protected:
  std::vector<Datum> rows(Context& cx) override {
    std::vector<Datum> out;
    const auto catalog = cx.database().catalog();
    for (const auto& [name, db] : catalog->dbs) {
      for (const auto& [key, table] : catalog->tables) {
        if (key.first != db->id) continue;
        out.push_back(table_config(cx.engine(), format() == IdentifierFormat::kName ? name : db->id, *table));
      }
    }
    return out;
  }
};

}  // namespace

Ref<Table> make_db_config_table(IdentifierFormat format) { return make_ref<DbConfigTable>(format); }
Ref<Table> make_table_config_table(IdentifierFormat format) { return make_ref<TableConfigTable>(format); }

}  // namespace reqld::reql
