#include "server/control.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <sstream>
#include <thread>

#include "server/log.hpp"
#include "storage/tools/backup.hpp"

namespace reqld::server {
namespace {

constexpr const char* kName = "control";
constexpr std::size_t kMostClients = 16;
// Who takes nothing for so long holds back the reuse of pages for nothing.
constexpr timeval kStalled{.tv_sec = 600, .tv_usec = 0};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// The address of the socket of a directory: by way of the directory's descriptor, since an address has room
/// for some hundred characters only.
sockaddr_un address_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, kName);
  return address;
}

bool may_connect(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

storage::ByteSink socket_sink(int fd) {
  return [fd](std::string_view bytes) -> storage::Result<void> {
    while (!bytes.empty()) {
      const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        return storage::Error{storage::ErrorKind::kIo,
                              fmt::format("the client is gone: {}", std::strerror(errno))};
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  };
}

}  // namespace

struct Control::Impl {
  Impl(int socket, std::string dir, storage::Database& db, storage::IndexFunctionFactory factory)
      : listener(socket), directory(std::move(dir)), database(db), index_functions(std::move(factory)) {
    if (pipe2(stop_ends, O_CLOEXEC) != 0) stop_ends[0] = stop_ends[1] = -1;
    thread = std::thread([this] { run(); });
  }

  ~Impl() {
    close(stop_ends[1]);  // its other end becomes readable
    thread.join();
    close(stop_ends[0]);
    for (Client& client : clients) {
      shutdown(client.fd, SHUT_RDWR);
      client.thread.join();
      close(client.fd);
    }
    unlink((directory + "/" + kName).c_str());
  }

  void run() {
    for (;;) {
      pollfd polled[] = {{listener.get(), POLLIN, 0}, {stop_ends[0], POLLIN, 0}};
      if (poll(polled, 2, -1) < 0 && errno != EINTR) return;
      if (polled[1].revents != 0) return;
      if (polled[0].revents == 0) continue;
      Descriptor accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      reap();
      if (accepted.get() < 0 || clients.size() >= kMostClients || !may_connect(accepted.get())) continue;
      setsockopt(accepted.get(), SOL_SOCKET, SO_SNDTIMEO, &kStalled, sizeof kStalled);
      setsockopt(accepted.get(), SOL_SOCKET, SO_RCVTIMEO, &kStalled, sizeof kStalled);
      Client& client = clients.emplace_back();
      client.fd = accepted.release();
      client.thread = std::thread([this, &client] {
        serve(client.fd);
        shutdown(client.fd, SHUT_RDWR);
        client.done = true;
      });
    }
  }

  void reap() {
    for (auto it = clients.begin(); it != clients.end();) {
      if (!it->done) {
        ++it;
        continue;
      }
      it->thread.join();
      close(it->fd);
      it = clients.erase(it);
    }
  }

  void serve(int fd) {
    std::string request;
    for (char c = 0; request.size() < 100; request += c) {
      const ssize_t n = recv(fd, &c, 1, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      if (c == '\n') break;
    }
    const storage::ByteSink sink = socket_sink(fd);
    try {
      if (request == "backup") return backup(sink);
      if (request == "check") return check(sink);
      (void)sink("error unknown request\n");
    } catch (const std::exception& e) {
      log::error("{} failed: {}", request, e.what());
      (void)sink(fmt::format("error {}\n", one_line(e.what())));
    }
  }

  void backup(const storage::ByteSink& sink) {
    log::info("a backup begins");
    const auto done =
        storage::write_backup(database.engine(), sink, {.data_directory = directory, .progress = {}});
    if (done) {
      log::info("a backup ended: {} keys, {} bytes", done->keys, done->bytes);
    } else {
      log::warn("a backup failed: {}", done.error().message);
    }
  }

  void check(const storage::ByteSink& sink) {
    storage::CheckOptions options;
    options.index_functions = index_functions;
    bool gone = false;
    options.progress = [&](const std::string& what, std::uint64_t done, std::uint64_t total) {
      if (!gone && !sink(fmt::format("progress {} {} {}\n", done, total, one_line(what)))) gone = true;
      if (gone) throw std::runtime_error("the client is gone");
    };
    const auto report = storage::check_database(database.engine(), options);
    log::info("a check ended: {} rows, {} problems", report.rows, report.problems);
    for (const auto& finding : report.findings) {
      if (!sink(fmt::format("finding {}\n", one_line(finding)))) return;
    }
    (void)sink(encode_report(report) + "\n");
  }

  struct Client {
    int fd = -1;
    std::atomic<bool> done{false};
    std::thread thread;
  };

  Descriptor listener;
  const std::string directory;
  storage::Database& database;
  const storage::IndexFunctionFactory index_functions;
  int stop_ends[2];
  std::list<Client> clients;  // the thread's, until it has ended
  std::thread thread;
};

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Control::~Control() = default;

std::unique_ptr<Control> Control::open(const std::string& directory, storage::Database& database,
                                       storage::IndexFunctionFactory index_functions, std::string& error) {
  const auto failed = [&] {
    error = fmt::format("No control socket in '{}': {}.", directory, std::strerror(errno));
    return nullptr;
  };
  const Descriptor folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return failed();
  // The directory is locked, so what is there is left over from a server that was killed.
  unlinkat(folder.get(), kName, 0);
  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_in(folder.get());
  if (listener.get() < 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      fchmodat(folder.get(), kName, 0600, 0) != 0 || listen(listener.get(), 8) != 0) {
    return failed();
  }
  return std::unique_ptr<Control>(new Control(
      std::make_unique<Impl>(listener.release(), directory, database, std::move(index_functions))));
}

int connect_control(const std::string& directory, std::string& error) {
  const Descriptor folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) {
    error = fmt::format("Cannot open '{}': {}.", directory, std::strerror(errno));
    return -1;
  }
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_in(folder.get());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fd.release();
  if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTSOCK)
    error = fmt::format("Cannot connect to the server on '{}': {}.", directory, std::strerror(errno));
  return -1;
}

std::string encode_report(const storage::CheckReport& r) {
  return fmt::format("report {} {} {} {} {} {} {} {}", r.dbs, r.tables, r.indexes, r.rows, r.entries, r.blobs,
                     r.blob_bytes, r.problems);
}

bool decode_report(const std::string& line, storage::CheckReport& r) {
  std::istringstream in(line);
  std::string word;
  in >> word >> r.dbs >> r.tables >> r.indexes >> r.rows >> r.entries >> r.blobs >> r.blob_bytes >>
      r.problems;
  return word == "report" && !in.fail();
}

}  // namespace reqld::server
