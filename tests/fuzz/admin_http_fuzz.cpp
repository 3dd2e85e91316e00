// fuzz libs: reqld_server
// Any bytes from a client of the HTTP port, over a real socket, in one piece or two: it goes on serving.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/admin_http.hpp"
#include "server/listener.hpp"

using namespace reqld::server;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

struct Port {
  Port() {
    auto opened = ListeningSocket::open({"127.0.0.1"}, 0);
    require(opened.error.empty());
    number = opened.sockets.front().port();
    server = std::make_unique<AdminHttp>(
        std::move(opened.sockets),
        AdminHttp::Content{[] { return "page"; }, [] { return "metrics"; }, [] { return true; }});
  }
  std::uint16_t number = 0;
  std::unique_ptr<AdminHttp> server;
};

/// What the server says to a client that sends this and then closes its side.
std::string conversation(std::string_view request, std::size_t first) {
  static Port port;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  require(fd >= 0);
  // From another address each time: thousands of connections a second leave more of them in TIME_WAIT than
  // one address has ports.
  static std::uint32_t source = 0;
  source = (source + 1) % (1 << 16);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl((127u << 24) + (1u << 16) + source);
  require(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  address.sin_port = htons(port.number);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  // Resets by the server are its right.
  (void)send(fd, request.data(), std::min(first, request.size()), MSG_NOSIGNAL);
  if (first < request.size()) (void)send(fd, request.data() + first, request.size() - first, MSG_NOSIGNAL);
  shutdown(fd, SHUT_WR);
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  close(fd);
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string answer = conversation(bytes, size > 0 ? data[0] % (size + 1) : 0);
  require(answer.empty() || answer.starts_with("HTTP/1."));
  require(conversation("GET /health HTTP/1.0\r\n\r\n", 1000).ends_with("ok\n"));
  return 0;
}
