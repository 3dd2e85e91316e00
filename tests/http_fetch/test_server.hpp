// A small HTTP/1.1 server for the tests: loopback, ephemeral port, one thread per connection, scripted
// replies.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace reqld::http_fetch::test {

/// One request and the means to answer it. `closed` turns true once the client or the server hangs up.
struct Exchange {
  int fd = -1;
  int connection = 0;  ///< 1 is the first accepted
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  ///< lower-cased; repeated ones joined with ", "
  std::string body;
  bool closed = false;

  /// Writes bytes as they are.
  void raw(std::string_view bytes) {
    while (!bytes.empty() && !closed) {
      ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) {
        closed = true;
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void reply(int status, std::string_view text, const std::string& extra_headers = "") {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " X\r\n" + extra_headers +
                      "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n";
    if (method != "HEAD") out += text;
    raw(out);
  }
  void redirect(const std::string& location, int status = 302) {
    reply(status, "", "Location: " + location + "\r\n");
  }
  /// Blocks until the client hangs up, or for the time given.
  void wait_for_close(int timeout_ms = -1) {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) > 0) {
      char c;
      closed = closed || recv(fd, &c, 1, MSG_PEEK) <= 0;
    }
  }
  /// Closes the connection when the handler returns.
  void hang_up() { closed = true; }
};

class TestServer {
 public:
  using Handler = std::function<void(Exchange&)>;

  explicit TestServer(Handler handler) : handler_(std::move(handler)) {
    listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listen_fd_, 1024) != 0)
      std::abort();
    getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~TestServer() {
    shutdown(listen_fd_, SHUT_RDWR);
    acceptor_.join();
    {
      std::lock_guard lock(mutex_);
      for (Connection& c : connections_) {
        if (c.fd >= 0) shutdown(c.fd, SHUT_RDWR);
      }
    }
    for (Connection& c : connections_) c.thread.join();
    close(listen_fd_);
  }

  int port() const { return port_; }
  std::string url(const std::string& path = "/", const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  int accepted() const { return accepted_; }
  int requests() const { return requests_; }

 private:
  struct Connection {
    int fd;
    std::thread thread;
  };

  void accept_all() {
    while (true) {
      int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      int number = ++accepted_;
      std::lock_guard lock(mutex_);
      connections_.push_back({fd, {}});
      Connection& connection = connections_.back();
      connection.thread = std::thread([this, &connection, fd, number] {
        serve(fd, number);
        std::lock_guard closing(mutex_);
        close(fd);
        connection.fd = -1;
      });
    }
  }

  void serve(int fd, int number) {
    std::string in;
    while (true) {
      Exchange e;
      e.fd = fd;
      e.connection = number;
      if (!read_request(fd, in, e)) break;
      ++requests_;
      handler_(e);
      if (e.closed) break;
    }
  }

  static bool fill(int fd, std::string& in) {
    char buffer[16384];
    ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    in.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  static bool read_request(int fd, std::string& in, Exchange& e) {
    std::size_t end;
    while ((end = in.find("\r\n\r\n")) == std::string::npos) {
      if (!fill(fd, in)) return false;
    }
    std::string head = in.substr(0, end + 2);
    in.erase(0, end + 4);
    std::size_t line_end = head.find("\r\n");
    std::size_t first = head.find(' ');
    std::size_t second = head.find(' ', first + 1);
    e.method = head.substr(0, first);
    e.path = head.substr(first + 1, second - first - 1);
    std::size_t length = 0;
    for (std::size_t at = line_end + 2; at < head.size();) {
      std::size_t stop = head.find("\r\n", at);
      std::size_t colon = head.find(':', at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      std::string value = head.substr(colon + 1, stop - colon - 1);
      value.erase(0, value.find_first_not_of(' '));
      std::string& slot = e.headers[name];
      slot = slot.empty() ? value : slot + ", " + value;
      if (name == "content-length") std::from_chars(value.data(), value.data() + value.size(), length);
      at = stop + 2;
    }
    while (in.size() < length) {
      if (!fill(fd, in)) return false;
    }
    e.body = in.substr(0, length);
    in.erase(0, length);
    return true;
  }

  Handler handler_;
  int listen_fd_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace reqld::http_fetch::test
