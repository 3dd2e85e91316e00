// What the server needs of the language and of the user table. `assembly` provides the real one, tests a
// fake.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "protocol/scram.hpp"
#include "reql/query.hpp"

namespace reqld::server {

class Server;

/// Thread-safe: called on every reactor. Outlives the Server.
class QueryHost {
 public:
  virtual ~QueryHost() = default;

  /// See reql::make_query. `client` stays valid for the life of the query.
  virtual std::unique_ptr<reql::Query> make_query(const reql::ClientInfo& client, std::string body) = 0;

  /// A hint that queries of the calling thread will read these rows next. Must not block.
  virtual void prefetch(std::span<const storage::RowPlace> /*rows*/) {}

  /// What is stored of a user's password. Must not block.
  virtual protocol::Credentials credentials(const std::string& user) = 0;

  /// Once, before the first query: `server` lives as long as there are queries.
  virtual void attach(const Server& /*server*/) {}

  /// For SERVER_INFO.
  virtual std::string server_id() const = 0;
  virtual std::string server_name() const = 0;  ///< may change
};

}  // namespace reqld::server
