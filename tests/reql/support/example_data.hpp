// The tables that the examples of the definition table are run on.
#pragma once

#include <string_view>

namespace reqld::reql {

/// A query that makes some of them.
struct ExampleData {
  std::string_view text;   ///< as the Python driver writes it
  std::string_view query;  ///< the same as on the wire
};

inline constexpr ExampleData kExampleData[] = {
    {"r.table_create('players')", R"([60,["players"]])"},
    {"r.table_create('teams')", R"([60,["teams"]])"},
    {"r.table_create('places')", R"([60,["places"]])"},
    {"r.table('players').index_create('team')", R"([75,[[15,["players"]],"team"]])"},
    {"r.table('players').index_create('score')", R"([75,[[15,["players"]],"score"]])"},
    {"r.table('players').index_create('tags', multi=True)",
     R"([75,[[15,["players"]],"tags"],{"multi":true}])"},
    {"r.table('places').index_create('at', geo=True)", R"([75,[[15,["places"]],"at"],{"geo":true}])"},
    {"r.table('players').insert([{'id': 1, 'name': 'Ann', 'team': 'red', 'score': 12, 'tags': ['fast', "
     "'new']}, {'id': 2, 'name': 'Bob', 'team': 'blue', 'score': 7, 'tags': ['new']}, {'id': 3, 'name': "
     "'Cy', 'team': 'red', 'score': 30, 'tags': []}])",
     R"([56,[[15,["players"]],[2,[{"id":1,"name":"Ann","team":"red","score":12,"tags":[2,["fast","new"]]},{"id":2,"name":"Bob","team":"blue","score":7,"tags":[2,["new"]]},{"id":3,"name":"Cy","team":"red","score":30,"tags":[2,[]]}]]]])"},
    {"r.table('teams').insert([{'id': 'red', 'city': 'Rome'}, {'id': 'blue', 'city': 'Bern'}])",
     R"([56,[[15,["teams"]],[2,[{"id":"red","city":"Rome"},{"id":"blue","city":"Bern"}]]]])"},
    {"r.table('places').insert([{'id': 'Rome', 'at': r.point(12.5, 41.9)}, {'id': 'Bern', 'at': "
     "r.point(7.4, 46.9)}, {'id': 'Oslo', 'at': r.point(10.7, 59.9)}])",
     R"([56,[[15,["places"]],[2,[{"id":"Rome","at":[159,[12.5,41.9]]},{"id":"Bern","at":[159,[7.4,46.9]]},{"id":"Oslo","at":[159,[10.7,59.9]]}]]]])"},
    {"r.table('players').index_wait()", R"([140,[[15,["players"]]]])"},
    {"r.table('places').index_wait()", R"([140,[[15,["places"]]]])"},
    {"r.db('rethinkdb').table('users').insert({'id': 'ann', 'password': False})",
     R"([56,[[15,[[14,["rethinkdb"]],"users"]],{"id":"ann","password":false}]])"},
};

}  // namespace reqld::reql
