// fuzz libs: reqld_server
// Any bytes from a client of the HTTP port, over a real socket, in one piece or two: it goes on serving.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "server/admin_http.hpp"
#include "server/listener.hpp"

using namespace reqld::server;

namespace {

void require(bool ok, int line = __builtin_LINE()) {
  if (ok) return;
  std::fprintf(stderr, "line %d failed: %s\n", line, std::strerror(errno));
  std::abort();
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

int connected() {
  static const Port port;
  static std::uint32_t source = 0;
  for (int attempt = 0;; ++attempt) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(fd >= 0);
    // From another address each time: a thousand connections a second leave more of them in TIME_WAIT than
    // one address has ports.
    source = (source + 1) % (1 << 16);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl((127u << 24) + (1u << 16) + source);
    require(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    address.sin_port = htons(port.number);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    // The kernel's table of connections may be full of old ones.
    require(attempt < 80);
    close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

/// What the server says to a client that sends this and then closes its side.
std::string conversation(std::string_view request, std::size_t first) {
  const int fd = connected();
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

/// A client that asks again and again over one connection, as long as the server keeps it.
bool serves_others() {
  static int fd = -1;
  constexpr std::string_view kRequest = "GET /health HTTP/1.1\r\n\r\n";
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (fd < 0) fd = connected();
    (void)send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
      if (answer.ends_with("ok\n")) return true;
    }
    close(std::exchange(fd, -1));
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string answer = conversation(bytes, size > 0 ? data[0] % (size + 1) : 0);
  require(answer.empty() || answer.starts_with("HTTP/1."));
  require(serves_others());
  return 0;
}
