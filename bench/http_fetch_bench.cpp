// CPU per fetch and fetches per second of http_fetch, against a responder in a forked process on loopback.
//
//   g++ -std=c++20 -O2 -I. bench/http_fetch_bench.cpp BUILD/http_fetch/libreqld_http_fetch.a -lcurl -lfmt
//   -pthread
//   ./a.out [seconds per scenario] [name of one scenario]
//
// "cpu" is user + system time of this process (submitting and fetching, not the responder) per fetch.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <thread>
#include <unordered_map>

#include "bench/clock.hpp"
#include "http_fetch/fetcher.hpp"

using namespace reqld::bench;
using namespace reqld::http_fetch;
using namespace std::chrono_literals;

namespace {

struct Scenario {
  const char* name;
  int concurrent;
  std::size_t body_bytes;
  int delay_ms;
};

constexpr Scenario kScenarios[] = {
    {"small_c1", 1, 1000, 0},        {"small_c16", 16, 1000, 0},
    {"small_c64", 64, 1000, 0},      {"avatar_20k_c16", 16, 20000, 0},
    {"body_1m_c4", 4, 1 << 20, 0},   {"delay50_c64", 64, 1000, 50},
    {"delay50_c500", 500, 1000, 50}, {"delay1000_c1000", 1000, 1000, 1000},
};

/// Answers /BYTES/DELAY_MS; single-threaded.
class Responder {
 public:
  explicit Responder(int listen_fd) : listen_fd_(listen_fd), epoll_fd_(epoll_create1(0)) { watch(listen_fd); }

  [[noreturn]] void run() {
    while (true) {
      int timeout = -1;
      if (!due_.empty()) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(due_.front().at - Clock::now()).count();
        timeout = left > 0 ? static_cast<int>(left) : 0;
      }
      epoll_event events[256];
      int count = epoll_wait(epoll_fd_, events, 256, timeout);
      for (int i = 0; i < count; ++i) {
        events[i].data.fd == listen_fd_ ? accept_all() : read_request(events[i].data.fd);
      }
      while (!due_.empty() && due_.front().at <= Clock::now()) {
        respond(due_.front().fd, due_.front().bytes);
        due_.pop_front();
      }
    }
  }

 private:
  struct Due {
    Clock::time_point at;
    int fd;
    std::size_t bytes;
  };

  void watch(int fd) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(fd);
  }

  void read_request(int fd) {
    char buffer[4096];
    ssize_t n = recv(fd, buffer, sizeof(buffer) - 1, 0);
    if (n <= 0) {
      close(fd);
      return;
    }
    buffer[n] = 0;
    std::size_t bytes = 0;
    int delay_ms = 0;
    if (std::sscanf(buffer, "GET /%zu/%d", &bytes, &delay_ms) != 2) std::abort();
    if (delay_ms == 0) {
      respond(fd, bytes);
    } else {
      due_.push_back({Clock::now() + std::chrono::milliseconds(delay_ms), fd, bytes});
    }
  }

  void respond(int fd, std::size_t bytes) {
    std::string& out = answers_[bytes];
    if (out.empty()) {
      out = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nServer: bench\r\nContent-Length: " +
            std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'x');
    }
    for (std::size_t sent = 0; sent < out.size();) {
      ssize_t n = send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }

  int listen_fd_;
  int epoll_fd_;
  std::deque<Due> due_;
  std::unordered_map<std::size_t, std::string> answers_;
};

void run(const Scenario& scenario, int port, double seconds) {
  Options options;
  options.max_in_flight = 4096;
  options.max_in_flight_per_host = 4096;
  auto created = Fetcher::create(options);
  if (!created) std::abort();
  Fetcher& fetcher = **created;
  std::string url = "http://127.0.0.1:" + std::to_string(port) + "/" + std::to_string(scenario.body_bytes) +
                    "/" + std::to_string(scenario.delay_ms);
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  std::function<void()> next = [&] {
    Request request;
    request.url = url;
    fetcher.submit(std::move(request), [&](Outcome outcome) {
      if (!outcome.ok() || outcome->body.size() != scenario.body_bytes) ++failed;
      ++done;
      stop ? void(--running) : next();
    });
  };
  running = scenario.concurrent;
  for (int i = 0; i < scenario.concurrent; ++i) next();
  std::this_thread::sleep_for(scenario.delay_ms * 2ms + 300ms);
  std::uint64_t before = done;
  double cpu = cpu_seconds();
  auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  auto fetches = static_cast<double>(done - before);
  cpu = cpu_seconds() - cpu;
  double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  stop = true;
  while (running > 0) std::this_thread::sleep_for(1ms);
  std::printf("%-18s %9.0f fetches/s  %7.1f us cpu/fetch  %llu failed  %llu connections\n", scenario.name,
              fetches / elapsed, cpu / fetches * 1e6, static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(fetcher.counters().connections_opened));
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listen_fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listen_fd, 4096) != 0)
    return 1;
  getsockname(listen_fd, reinterpret_cast<sockaddr*>(&address), &size);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Responder(listen_fd).run();
  }
  for (const Scenario& scenario : kScenarios) {
    if (argc > 2 && std::strcmp(argv[2], scenario.name) != 0) continue;
    run(scenario, ntohs(address.sin_port), seconds);
  }
  kill(child, SIGKILL);
}
