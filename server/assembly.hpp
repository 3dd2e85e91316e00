// Puts storage, the http pool and the language together, and shows them to the server as a QueryHost. The one place of this
// folder that knows them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/query_host.hpp"

namespace reqld::server {

struct AssemblyOptions {
  std::string directory;          ///< of the data; created when missing
  std::string server_name = "reqld";
  std::string initial_password;   ///< of `admin`, when none has been set yet; empty: leave it
  unsigned worker_threads = 2;

  // r.http
  std::size_t max_fetches = 1024;           ///< under way at a time
  std::uint64_t max_fetch_bytes = 64u << 20;  ///< of one body
  std::vector<std::string> fetch_allow;     ///< CIDR; empty: all
  std::vector<std::string> fetch_deny;      ///< CIDR; stronger than allow
};

class Assembly : public QueryHost {
 public:
  struct Opened {
    std::unique_ptr<Assembly> assembly;  ///< null when `error` is set
    std::string error;                   ///< for the operator
  };
  static Opened open(const AssemblyOptions& options);

  /// The directory is closed cleanly: no query may be running.
  ~Assembly() override;

  std::unique_ptr<reql::Query> make_query(const reql::ClientInfo& client, std::string body) override;
  protocol::Credentials credentials(const std::string& user) override;
  std::string server_id() const override;
  std::string server_name() const override;

 private:
  struct Parts;
  explicit Assembly(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace reqld::server
