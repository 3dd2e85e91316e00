#include "storage/table_set.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/database.hpp"

namespace reqld::storage {
namespace {

TableSet::Table make_table(const std::string& id, const std::string& database, const std::string& name) {
  auto table = std::make_shared<TableInfo>();
  table->id = id;
  table->db_id = database;
  table->name = name;
  return table;
}

using ByName = std::map<std::pair<std::string, std::string>, TableSet::Table>;

void check_same(const TableSet& set, const ByName& expected) {
  REQUIRE(set.size() == expected.size());
  CHECK(set.empty() == expected.empty());
  auto at = set.begin();
  for (const auto& [name, table] : expected) {
    CHECK(*at++ == table);
    CHECK(set.by_id(table->id) == table);
    CHECK(set.by_name(name.first, name.second) == table);
    CHECK_FALSE(set.by_id(table->id + "?"));
    CHECK_FALSE(set.by_name(name.first, name.second + "?"));
    CHECK_FALSE(set.by_name(name.first + "?", name.second));
  }
  for (const std::string database : {"", "a", "b", "c", "d"}) {
    std::vector<TableSet::Table> of_database;
    for (const auto& [name, table] : expected) {
      if (name.first == database) of_database.push_back(table);
    }
    const auto found = set.of_database(database);
    CHECK(std::vector<TableSet::Table>(found.begin(), found.end()) == of_database);
  }
}

}  // namespace

TEST_CASE("a table set finds what a map would") {
  std::mt19937 random(3);
  TableSet set;
  ByName expected;
  check_same(set, expected);
  for (int i = 0; i < 400; ++i) {
    const std::string database(1, static_cast<char>('a' + random() % 3));
    const std::string name = "t" + std::to_string(random() % 60);
    if (const auto there = expected.find({database, name}); there != expected.end()) {
      set.remove(there->second->id);
      expected.erase(there);
    } else {
      const auto table = make_table("id" + std::to_string(random() % 1000) + "-" + std::to_string(i), database, name);
      set.add(table);
      expected.emplace(std::pair(database, name), table);
    }
    set.remove("nobody's");
    if (i % 40 == 0) check_same(set, expected);
  }
  check_same(set, expected);
  std::vector<TableSet::Table> tables;
  for (const auto& [name, table] : expected) tables.push_back(table);
  std::shuffle(tables.begin(), tables.end(), random);
  check_same(TableSet(std::move(tables)), expected);
}

TEST_CASE("a copy of a table set does not follow the original") {
  TableSet set;
  set.add(make_table("1", "a", "x"));
  const TableSet before = set;
  set.remove("1");
  // Under another name, as after a rename.
  set.add(make_table("1", "a", "y"));
  CHECK(before.by_name("a", "x") != nullptr);
  CHECK(before.by_name("a", "y") == nullptr);
  CHECK(set.by_name("a", "x") == nullptr);
  CHECK(set.by_id("1")->name == "y");
}

}  // namespace reqld::storage
