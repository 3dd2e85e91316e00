// Limits and timeouts of the network side.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace reqld::server {

struct ServerOptions {
  unsigned reactors = 2;  ///< threads that serve connections
  unsigned workers = 2;   ///< threads that run heavy queries

  std::size_t max_connections = 100'000;          ///< one more is told so and closed
  std::size_t max_running_per_connection = 1024;  ///< then nothing more is read from it until one ends
  std::size_t max_open_per_connection = 100'000;  ///< cursors and feeds; then a START is refused
  std::size_t max_running = 16'384;               ///< of all connections; then a START is refused
  std::size_t max_queued_output_bytes =
      16u << 20;  ///< per connection; then it is neither read from nor are cursors continued
  std::chrono::milliseconds handshake_timeout{20'000};
  std::chrono::milliseconds linger_timeout{2'000};  ///< how long a refused client may take to read why

  std::string server_version = "2.4.4";  ///< what the handshake tells drivers
};

}  // namespace reqld::server
