// A blocking client for tests, and a server on an ephemeral loopback port.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "protocol/crypto.hpp"
#include "protocol/frame.hpp"
#include "server/server.hpp"
#include "tests/server/fake_host.hpp"

namespace reqld::server::testing {

/// Waits for a condition; false when it does not come true within a minute.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Frame {
  std::uint64_t token = 0;
  std::string json;
};

/// Throws std::runtime_error when something takes longer than ten seconds.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  ~TestClient() {
    if (fd_ >= 0) close(fd_);
  }

  static TestClient logged_in(std::uint16_t port) {
    TestClient client(port);
    client.log_in();
    return client;
  }

  void log_in(const std::string& user = "admin", const std::string& password = "secret") {
    const std::string bare = "n=" + user + ",r=clientnonce";
    send_bytes(std::string("\xc3\xbd\xc2\x34") +
               R"({"protocol_version":0,"authentication_method":"SCRAM-SHA-256","authentication":"n,,)" +
               bare + "\"}" + '\0');
    read_text();
    const std::string challenge = read_text();
    const auto field = [&](const std::string& name) {
      const std::size_t at = challenge.find(name) + name.size();
      return challenge.substr(at, challenge.find_first_of(",\"", at) - at);
    };
    const std::string server_first =
        challenge.substr(challenge.find("r="), challenge.rfind("\",") - challenge.find("r="));
    const std::string without_proof = "c=biws,r=" + field("r=");
    const auto salted = protocol::pbkdf2_sha256(password, *protocol::base64_decode(field(",s=")),
                                                static_cast<std::uint32_t>(std::stoul(field(",i="))));
    const auto client_key = protocol::hmac_sha256(protocol::as_text(salted), "Client Key");
    const auto signature =
        protocol::hmac_sha256(protocol::as_text(protocol::sha256(protocol::as_text(client_key))),
                              bare + "," + server_first + "," + without_proof);
    std::string proof;
    for (std::size_t i = 0; i < protocol::kDigestBytes; ++i)
      proof += static_cast<char>(client_key[i] ^ signature[i]);
    send_bytes(R"({"authentication":")" + without_proof + ",p=" + protocol::base64_encode(proof) + "\"}" +
               '\0');
    const std::string answer = read_text();
    if (answer.find("\"success\":true") == std::string::npos) throw std::runtime_error(answer);
  }

  static std::string framed(std::uint64_t token, std::string_view body) {
    std::string bytes(protocol::kFrameHeaderBytes, '\0');
    protocol::write_frame_header(bytes.data(), token, static_cast<std::uint32_t>(body.size()));
    return bytes.append(body);
  }

  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("send");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void query(std::uint64_t token, std::string_view body) { send_bytes(framed(token, body)); }

  /// Sends and reads one reply, which has to have the token.
  std::string ask(std::uint64_t token, std::string_view body) {
    query(token, body);
    return reply(token);
  }
  std::string reply(std::uint64_t token) {
    const Frame frame = read_frame();
    if (frame.token != token) throw std::runtime_error("reply to another token: " + frame.json);
    return frame.json;
  }
  Frame read_frame() {
    for (;;) {
      const auto frame = protocol::read_frame(received_);
      if (frame.status == protocol::FrameStatus::kComplete) {
        Frame result{frame.token, std::string(frame.body)};
        received_.erase(0, frame.need_bytes);
        return result;
      }
      if (!receive()) throw std::runtime_error("closed");
    }
  }
  /// Up to the next zero byte.
  std::string read_text() {
    std::size_t end;
    while ((end = received_.find('\0')) == std::string::npos) {
      if (!receive()) throw std::runtime_error("closed");
    }
    std::string text = received_.substr(0, end);
    received_.erase(0, end + 1);
    return text;
  }
  /// Everything until the server closes.
  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }
  /// Whether nothing comes for so long.
  bool quiet(std::chrono::milliseconds time) {
    pollfd poll_fd{fd_, POLLIN, 0};
    return received_.empty() && poll(&poll_fd, 1, static_cast<int>(time.count())) == 0;
  }
  void half_close() { shutdown(fd_, SHUT_WR); }
  /// Closes with a reset.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(std::exchange(fd_, -1));
  }
  int fd() const { return fd_; }

 private:
  bool receive() {
    pollfd poll_fd{fd_, POLLIN, 0};
    if (poll(&poll_fd, 1, 60'000) != 1) throw std::runtime_error("nothing came");
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string received_;
};

/// A Server with a FakeHost. Stops by itself.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) : server_(std::move(options), host) {
    auto opened = ListeningSocket::open({"127.0.0.1"}, 0);
    if (!opened.error.empty()) throw std::runtime_error(opened.error);
    port_ = opened.sockets.front().port();
    server_.listen(std::move(opened.sockets));
  }
  ~TestServer() { stop(); }

  bool stop(std::chrono::milliseconds grace = std::chrono::milliseconds(0)) {
    return server_.stop(grace, std::chrono::seconds(10));
  }
  std::uint16_t port() const { return port_; }
  TestClient connect() const { return TestClient(port_); }
  TestClient log_in() const { return TestClient::logged_in(port_); }
  ServerCounters counters() const { return server_.counters(); }

  FakeHost host;

 private:
  Server server_;
  std::uint16_t port_ = 0;
};

}  // namespace reqld::server::testing
