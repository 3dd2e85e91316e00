#include "server/admin_http.hpp"

#include <pthread.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <thread>
#include <utility>

namespace reqld::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;

constexpr std::chrono::seconds kTimeout{10};
constexpr std::size_t kMaxRequestBytes = 8 * 1024;
constexpr int kMaxConnections = 256;

using Response = http::response<http::string_body>;

struct Shared {
  AdminHttp::Content content;
  int connections = 0;  // all on the one thread
};

Response make_response(const http::request<http::empty_body>& request, http::status status, const char* type,
                       std::string body) {
  Response response{status, request.version()};
  response.set(http::field::server, "reqld");
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(request.keep_alive());
  response.body() = std::move(body);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

Response answer(const http::request<http::empty_body>& request, const AdminHttp::Content& content) {
  constexpr const char* kText = "text/plain; charset=utf-8";
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto response = make_response(request, http::status::method_not_allowed, kText,
                                  "Only GET and HEAD are answered here.\n");
    response.set(http::field::allow, "GET, HEAD");
    response.keep_alive(false);  // there may be a body that nobody reads
    return response;
  }
  const std::string path(request.target().substr(0, request.target().find('?')));
  if (path == "/")
    return make_response(request, http::status::ok, "text/html; charset=utf-8", content.page());
  if (path == "/metrics") {
    return make_response(request, http::status::ok, "text/plain; version=0.0.4; charset=utf-8",
                         content.metrics());
  }
  if (path == "/health") {
    return content.healthy()
               ? make_response(request, http::status::ok, kText, "ok\n")
               : make_response(request, http::status::service_unavailable, kText, "not serving\n");
  }
  return make_response(request, http::status::not_found, kText, "There is /, /health and /metrics.\n");
}

/// One client: request, response, and again.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxRequestBytes);
    stream_.expires_after(kTimeout);
    // Only the header: none of these requests has a body worth reading.
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (!error) self->write();
                            });
  }

 private:
  void write() {
    response_ = answer(parser_->get(), shared_.content);
    if (parser_->get().find(http::field::content_length) != parser_->get().end() || parser_->chunked()) {
      response_.keep_alive(false);
    }
    stream_.expires_after(kTimeout);
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return;
      if (self->response_.keep_alive()) return self->read();
      beast::error_code ignored;
      self->stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kMaxRequestBytes};
  std::optional<http::request_parser<http::empty_body>> parser_;
  Response response_;
  Shared& shared_;
};

}  // namespace

struct AdminHttp::Impl {
  explicit Impl(Content content) : shared{std::move(content)} {}

  void listen(ListeningSocket socket) {
    const auto protocol = socket.address().find(':') == std::string::npos ? Tcp::v4() : Tcp::v6();
    accept(acceptors.emplace_back(std::make_unique<Tcp::acceptor>(io, protocol, socket.release())).get());
  }

  void accept(Tcp::acceptor* acceptor) {
    acceptor->async_accept([this, acceptor](beast::error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && shared.connections < kMaxConnections) serve(std::move(socket));
      if (!error) return accept(acceptor);
      // Out of descriptors, most likely: not again at once.
      retry.expires_after(std::chrono::milliseconds(200));
      retry.async_wait([this, acceptor](beast::error_code cancelled) {
        if (!cancelled) accept(acceptor);
      });
    });
  }

  void serve(Tcp::socket socket) {
    if (!gateway) return std::make_shared<Connection>(std::move(socket), shared)->read();
    beast::error_code ignored;
    socket.native_non_blocking(true, ignored);
    const int fd = socket.release(ignored);
    if (fd < 0) return;
    gateway->adopt(fd, tls, [this](int clear) {
      asio::post(io, [this, clear] {
        // Of another family, which matters to nothing that is done with it.
        std::make_shared<Connection>(Tcp::socket(io, Tcp::v4(), clear), shared)->read();
      });
    });
  }

  Shared shared;  // outlives the connections, which the loop owns
  asio::io_context io{1};
  asio::steady_timer retry{io};
  std::vector<std::unique_ptr<Tcp::acceptor>> acceptors;
  std::thread thread;
  std::shared_ptr<const TlsContext> tls;
  std::unique_ptr<TlsGateway> gateway;  // null without TLS
};

AdminHttp::AdminHttp(std::vector<ListeningSocket> sockets, Content content,
                     std::shared_ptr<const TlsContext> tls)
    : impl_(std::make_unique<Impl>(std::move(content))) {
  impl_->tls = std::move(tls);
  if (impl_->tls) impl_->gateway = std::make_unique<TlsGateway>(1);
  for (auto& socket : sockets) impl_->listen(std::move(socket));
  impl_->thread = std::thread([this] { impl_->io.run(); });
  pthread_setname_np(impl_->thread.native_handle(), "admin-http");
}

AdminHttp::~AdminHttp() {
  impl_->io.stop();
  impl_->thread.join();
}

}  // namespace reqld::server
