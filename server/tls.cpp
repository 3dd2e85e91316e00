#include "server/tls.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>

#include "server/event_loop.hpp"
#include "server/log.hpp"
#include "server/watched_fd.hpp"

namespace reqld::server {
namespace {

constexpr std::chrono::milliseconds kHandshakeTimeout{10'000};
constexpr std::chrono::milliseconds kLingerTimeout{2'000};  // for the client to close too
constexpr std::size_t kScratchBytes = 64 * 1024;
constexpr int kStepsPerTurn = 32;  // then other connections of the thread get theirs

std::string reason_text(unsigned long code) {
  if (code == 0) return "unknown error";
  // OpenSSL's decoders call "unsupported" whatever they find nothing in.
  if ((ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) ||
      ERR_GET_REASON(code) == ERR_R_UNSUPPORTED)
    return "it holds nothing of the kind in PEM form";
  if (const char* const reason = ERR_reason_error_string(code)) return reason;
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

/// What OpenSSL complained about on this thread: the first thing, the others follow from it.
std::string openssl_error() {
  const auto code = ERR_peek_error();
  ERR_clear_error();
  return reason_text(code);
}

/// Why a file cannot be used; empty: it can be read, at least. OpenSSL itself tells it in its own language.
std::string unreadable(const char* what, const std::string& file_name) {
  struct stat status;
  const int fd = open(file_name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  std::string error;
  if (fd < 0) {
    error = std::strerror(errno);
  } else if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    error = std::strerror(EISDIR);
  }
  if (fd >= 0) close(fd);
  return error.empty() ? error : fmt::format("cannot read the {} '{}': {}", what, file_name, error);
}

/// A server that starts by itself has nobody to ask.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

int protocol_version(std::string_view name) {
  if (name == "TLSv1") return TLS1_VERSION;
  if (name == "TLSv1.1") return TLS1_1_VERSION;
  if (name == "TLSv1.3") return TLS1_3_VERSION;
  return TLS1_2_VERSION;
}

bool use_dh_parameters(SSL_CTX* context, const std::string& file_name) {
  BIO* const file = BIO_new_file(file_name.c_str(), "r");
  if (file == nullptr) return false;
  EVP_PKEY* const parameters = PEM_read_bio_Parameters(file, nullptr);
  BIO_free(file);
  if (parameters == nullptr) return false;
  if (SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1) return true;
  EVP_PKEY_free(parameters);
  return false;
}

/// An error text, or nothing.
std::string configure(SSL_CTX* context, const config::TlsSettings& settings) {
  // Buffers are given back while nothing is under way: an idle connection keeps none.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (SSL_CTX_set_min_proto_version(context, protocol_version(settings.min_protocol)) != 1)
    return "the protocol '" + settings.min_protocol + "' is not available: " + openssl_error();
  const std::pair<const char*, const std::string&> files[] = {{"certificate", settings.cert_file},
                                                              {"key", settings.key_file},
                                                              {"authorities", settings.ca_file},
                                                              {"parameters", settings.dhparams_file}};
  for (const auto& [what, name] : files) {
    if (name.empty()) continue;
    if (const std::string error = unreadable(what, name); !error.empty()) return error;
  }
  if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
    return "cannot use the certificate '" + settings.cert_file + "': " + openssl_error();
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const auto code = ERR_peek_last_error();
    const std::string key = "the key '" + settings.key_file + "'";
    if (ERR_GET_LIB(code) == ERR_LIB_X509 && (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
                                              ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH))
      return key + " does not belong to the certificate '" + settings.cert_file + "'";
    const std::string reason = reason_text(ERR_peek_error());
    for (unsigned long each; (each = ERR_get_error()) != 0;) {
      if (ERR_GET_LIB(each) == ERR_LIB_PEM && ERR_GET_REASON(each) == PEM_R_BAD_PASSWORD_READ)
        return "cannot use " + key + ": it is protected by a passphrase; take one that is not";
    }
    return "cannot use " + key + ": " + reason;
  }
  if (!settings.ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) != 1)
      return "cannot use the authorities in '" + settings.ca_file + "': " + openssl_error();
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(settings.ca_file.c_str()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  static constexpr unsigned char kSessions[] = "reqld";
  SSL_CTX_set_session_id_context(context, kSessions, sizeof kSessions - 1);
  if (!settings.ciphers.empty() && SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) != 1)
    return "no cipher of '" + settings.ciphers + "' is known: " + openssl_error();
  if (!settings.ecdh_curve.empty() && SSL_CTX_set1_groups_list(context, settings.ecdh_curve.c_str()) != 1)
    return "no curve '" + settings.ecdh_curve + "' is known: " + openssl_error();
  if (!settings.dhparams_file.empty() && !use_dh_parameters(context, settings.dhparams_file))
    return "cannot use the parameters '" + settings.dhparams_file + "': " + openssl_error();
  return {};
}

}  // namespace

TlsContext::Loaded TlsContext::load(const config::TlsSettings& settings) {
  if (!settings.enabled()) return {};
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return {nullptr, "TLS: " + openssl_error()};
  std::shared_ptr<const TlsContext> owner(new TlsContext(context));
  ERR_clear_error();
  if (const std::string error = configure(context, settings); !error.empty())
    return {nullptr, "TLS: " + error};
  return {std::move(owner), {}};
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

struct TlsGateway::Thread {
  std::unique_ptr<char[]> scratch{new char[kScratchBytes]};
  std::unordered_set<Connection*> connections;
  EventLoop loop;  // destroyed before these: the last connections go with it
  std::thread thread;
};

/// One client: the socket to it, and the one that the server's side has the other end of. All on the loop's
/// thread.
class TlsGateway::Connection final : public std::enable_shared_from_this<TlsGateway::Connection> {
 public:
  Connection(TlsGateway& gateway, Thread& thread, int fd, std::shared_ptr<const TlsContext> context,
             Ready ready)
      : gateway_(gateway),
        thread_(thread),
        context_(std::move(context)),
        ssl_(SSL_new(context_->get())),
        ready_(std::move(ready)),
        client_(*this, thread.loop, fd) {
    thread_.connections.insert(this);
    if (ssl_ == nullptr) return;
    SSL_set_fd(ssl_, fd);
    SSL_set_accept_state(ssl_);
  }
  ~Connection() {
    thread_.connections.erase(this);
    SSL_free(ssl_);
  }

  void start() {
    if (ssl_ == nullptr) return close();
    close_after(kHandshakeTimeout, [](const Connection& c) { return c.server_ == nullptr; });
    advance();
  }

  void close() {
    count_open(false);
    client_.close();
    if (server_) server_->close();
  }

 private:
  /// One of the two sockets. A wait keeps the connection.
  class Side final : public FdObserver {
   public:
    Side(Connection& connection, EventLoop& loop, int fd) : connection_(connection), socket_(loop, fd) {}

    int fd() const { return socket_.fd(); }
    bool is_open() const { return socket_.is_open(); }
    void close() { socket_.close(); }

    void wait(bool readable) {
      auto& waiting = readable ? reading_ : writing_;
      if (waiting || !is_open()) return;
      waiting = connection_.shared_from_this();
      if (readable) {
        socket_.wait_readable(*this);
      } else {
        socket_.wait_writable(*this);
      }
    }
    void on_readable(bool alive) override { woken(reading_, alive); }
    void on_writable(bool alive) override { woken(writing_, alive); }

   private:
    void woken(std::shared_ptr<Connection>& waiting, bool alive) {
      const auto keep = std::exchange(waiting, nullptr);
      if (!alive) keep->close();
      if (is_open()) keep->advance();
    }

    Connection& connection_;
    WatchedFd socket_;
    std::shared_ptr<Connection> reading_;
    std::shared_ptr<Connection> writing_;
  };

  void close_after(std::chrono::milliseconds delay, bool (*still)(const Connection&)) {
    thread_.loop.call_after(delay, [weak = weak_from_this(), still] {
      const auto self = weak.lock();
      if (self && still(*self)) self->close();
    });
  }

  void count_open(bool open) {
    if (std::exchange(counted_, open) == open) return;
    if (open) {
      gateway_.open_.fetch_add(1, std::memory_order_relaxed);
    } else {
      gateway_.open_.fetch_sub(1, std::memory_order_release);
    }
  }

  void advance() {
    for (int step = 0; step < kStepsPerTurn; ++step) {
      if (!client_.is_open()) return;
      if (!server_) {
        if (!shake_hands()) return;
        continue;
      }
      const bool in = receive();
      const bool out = client_.is_open() && send();
      if (!in && !out) return;
    }
    thread_.loop.call([self = shared_from_this()] { self->advance(); });
  }

  /// Whether the client has begun to speak TLS. One that speaks in clear is told apart by its first byte:
  /// OpenSSL wants five, and a driver waits for an answer after four.
  bool greeted() {
    constexpr char kHandshakeRecord = 0x16;
    char first = 0;
    const ssize_t got = recv(client_.fd(), &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      client_.wait(true);
      return false;
    }
    greeted_ = got == 1 && first == kHandshakeRecord;
    if (!greeted_) {
      if (got == 1) log::debug("closed a connection that does not speak TLS");
      close();
    }
    return greeted_;
  }

  /// True: done.
  bool shake_hands() {
    if (!greeted_ && !greeted()) return false;
    const int result = SSL_do_handshake(ssl_);
    if (result != 1) {
      if (!waits(result)) {
        log::debug("a TLS handshake failed: {}", openssl_error());
        close();
      }
      return false;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      log::error("no socket for a TLS connection: {}", std::strerror(errno));
      close();
      return false;
    }
    server_ = std::make_unique<Side>(*this, thread_.loop, ends[0]);
    count_open(true);
    std::exchange(ready_, nullptr)(ends[1]);
    return true;
  }

  /// Whether an operation that did not succeed only has to wait for the client's socket, which it then does.
  bool waits(int result) {
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
        client_.wait(true);
        return true;
      case SSL_ERROR_WANT_WRITE:
        client_.wait(false);
        return true;
      default:
        return false;
    }
  }

  /// From the client to the server. True: something has moved.
  bool receive() {
    if (!to_server_.empty()) return give_to_server();
    if (client_ended_) return false;
    const int got = SSL_read(ssl_, thread_.scratch.get(), kScratchBytes);
    if (got > 0) {
      to_server_.assign(thread_.scratch.get(), static_cast<std::size_t>(got));
      give_to_server();
      return client_.is_open();
    }
    if (waits(got)) return false;
    const bool goodbye = SSL_get_error(ssl_, got) == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    if (!goodbye) {
      close();
      return false;
    }
    client_ended_ = true;
    shutdown(server_->fd(), SHUT_WR);
    return false;
  }

  bool give_to_server() {
    const ssize_t sent = ::send(server_->fd(), to_server_.data(), to_server_.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        server_->wait(false);
      } else {
        // The server has closed: what the client still says is of no interest, what it was told is.
        to_server_ = {};
        client_ended_ = true;
      }
      return false;
    }
    to_server_.erase(0, static_cast<std::size_t>(sent));
    if (to_server_.empty()) to_server_ = {};
    return true;
  }

  /// From the server to the client. True: something has moved.
  bool send() {
    if (!to_client_.empty()) return give_to_client();
    if (server_ended_) return false;
    const ssize_t got = recv(server_->fd(), thread_.scratch.get(), kScratchBytes, 0);
    if (got > 0) {
      to_client_.assign(thread_.scratch.get(), static_cast<std::size_t>(got));
      give_to_client();
      return client_.is_open();
    }
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) {
      server_->wait(true);
      return false;
    }
    server_ended_ = true;
    SSL_shutdown(ssl_);
    ERR_clear_error();
    shutdown(client_.fd(), SHUT_WR);
    count_open(false);
    close_after(client_ended_ ? std::chrono::milliseconds(0) : kLingerTimeout,
                [](const Connection&) { return true; });
    return false;
  }

  bool give_to_client() {
    const int sent = SSL_write(ssl_, to_client_.data(), static_cast<int>(to_client_.size()));
    if (sent <= 0) {
      if (!waits(sent)) {
        ERR_clear_error();
        close();
      }
      return false;
    }
    to_client_.erase(0, static_cast<std::size_t>(sent));
    if (to_client_.empty()) to_client_ = {};
    return true;
  }

  TlsGateway& gateway_;
  Thread& thread_;
  std::shared_ptr<const TlsContext> context_;
  SSL* ssl_;
  Ready ready_;
  Side client_;
  std::unique_ptr<Side> server_;  ///< once the handshake is done
  std::string to_server_;         ///< what its socket has no room for
  std::string to_client_;
  bool greeted_ = false;
  bool client_ended_ = false;
  bool server_ended_ = false;
  bool counted_ = false;
};

TlsGateway::TlsGateway(unsigned threads) {
  for (unsigned i = 0; i < std::max(1u, threads); ++i) {
    Thread& thread = *threads_.emplace_back(std::make_unique<Thread>());
    thread.thread = std::thread([&thread] { thread.loop.run(); });
    pthread_setname_np(thread.thread.native_handle(), ("tls-" + std::to_string(i)).c_str());
  }
}

TlsGateway::~TlsGateway() {
  for (auto& thread : threads_) {
    thread->loop.call([&connections = thread->connections] {
      for (Connection* connection : std::vector(connections.begin(), connections.end())) connection->close();
    });
    thread->loop.stop();
  }
  for (auto& thread : threads_) thread->thread.join();
}

void TlsGateway::adopt(int fd, std::shared_ptr<const TlsContext> context, Ready ready) {
  Thread& thread = *threads_[next_.fetch_add(1, std::memory_order_relaxed) % threads_.size()];
  thread.loop.call([this, &thread, fd, context = std::move(context), ready = std::move(ready)]() mutable {
    std::make_shared<Connection>(*this, thread, fd, std::move(context), std::move(ready))->start();
  });
}

bool TlsGateway::wait_until_sent(std::chrono::steady_clock::time_point until) const {
  while (open_.load(std::memory_order_acquire) > 0) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace reqld::server
