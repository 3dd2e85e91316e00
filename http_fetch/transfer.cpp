#include "http_fetch/transfer.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "http_fetch/error_text.hpp"

namespace reqld::http_fetch {
namespace {

constexpr std::size_t kMaxHeaderBytes = 256u << 10;
/// Up to here a body's space is reserved on the server's word alone.
constexpr std::uint64_t kTrustedReserve = 1u << 20;

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos;
}

bool starts_expect(std::string_view line) {
  static constexpr std::string_view kExpect = "expect";
  return line.size() > kExpect.size() && strncasecmp(line.data(), kExpect.data(), kExpect.size()) == 0 &&
         (line[kExpect.size()] == ':' || line[kExpect.size()] == ';');
}

/// Spelled out where applications may know them: libcurl changes its wording between releases.
std::string_view reason_text(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
      return "Unsupported protocol";
    case CURLE_URL_MALFORMAT:
      return "URL using bad/illegal format or missing URL";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "Couldn't resolve host name";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "Couldn't resolve proxy name";
    case CURLE_COULDNT_CONNECT:
      return "could not connect to server";
    case CURLE_PARTIAL_FILE:
      return "Transferred a partial file";
    case CURLE_GOT_NOTHING:
      return "Server returned nothing (no headers, no data)";
    case CURLE_TOO_MANY_REDIRECTS:
      return "Number of redirects hit maximum amount";
    case CURLE_SEND_ERROR:
      return "Failed sending data to the peer";
    case CURLE_RECV_ERROR:
      return "Failure when receiving data from the peer";
    case CURLE_SEND_FAIL_REWIND:
      return "Send failed since rewinding of the data stream failed";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "SSL peer certificate or SSH remote key was not OK";
    case CURLE_SSL_CONNECT_ERROR:
      return "SSL connect error";
    case CURLE_BAD_CONTENT_ENCODING:
      return "Unrecognized or bad HTTP Content or Transfer-Encoding";
    default:
      return curl_easy_strerror(code);
  }
}

bool is_transient(int status) {
  return status == 408 || status == 500 || status == 502 || status == 503 || status == 504;
}

/// Nothing in here can fail but for lack of memory or a libcurl built without the feature.
template <typename T>
void set(CURL* easy, CURLoption option, T value) {
  curl_easy_setopt(easy, option, value);
}

}  // namespace

Transfer::Transfer(std::uint64_t id, Request request, Callback callback)
    : id_(id), request_(std::move(request)), callback_(std::move(callback)) {
  deadline = Clock::now() + request_.timeout;
}

Transfer::~Transfer() {
  curl_slist_free_all(header_lines_);
  if (around_) around_->buffered_bytes -= body_.size();
}

std::optional<Error> Transfer::refuse() const {
  for (const std::string& line : request_.header_lines) {
    if (has_line_break(line))
      return failure(ErrorKind::kInvalid, "a header line contains newline characters");
  }
  if (request_.auth && (has_line_break(request_.auth->user) || has_line_break(request_.auth->pass))) {
    return failure(ErrorKind::kInvalid, "the user name or password contains newline characters");
  }
  if (request_.url.find('\0') != std::string::npos) {
    return failure(ErrorKind::kTransport, reason_text(CURLE_URL_MALFORMAT));
  }
  if (request_.attempts == 0) return failure(ErrorKind::kInvalid, "could not perform, no attempts allowed");
  if (request_.timeout <= std::chrono::milliseconds(0)) return timeout_error();
  return std::nullopt;
}

void Transfer::prepare(CURL* easy, Surroundings& around) {
  const Options& options = around.options;
  easy_ = easy;
  around_ = &around;
  max_body_bytes_ = std::min(request_.max_body_bytes, options.max_body_bytes);

  set(easy, CURLOPT_PRIVATE, this);
  set(easy, CURLOPT_URL, append_params(request_.url, request_.params).c_str());
  set(easy, CURLOPT_DEFAULT_PROTOCOL, "http");
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_NOSIGNAL, 1L);
  // Else a cancelled or timed out request waits here for its getaddrinfo().
  set(easy, CURLOPT_QUICK_EXIT, 1L);
  set(easy, CURLOPT_PROXY, options.proxy.c_str());
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  set(easy, CURLOPT_ACCEPT_ENCODING, "deflate;q=1, gzip;q=0.5");
  set(easy, CURLOPT_FOLLOWLOCATION, request_.max_redirects > 0 ? 1L : 0L);
  set(easy, CURLOPT_MAXREDIRS, static_cast<long>(request_.max_redirects));
  set(easy, CURLOPT_BUFFERSIZE, 64L * 1024);
  if (!request_.verify_tls) {
    set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!options.ca_file.empty()) set(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  if (request_.auth) {
    bool digest = request_.auth->type == Auth::Type::kDigest;
    set(easy, CURLOPT_HTTPAUTH, static_cast<long>(digest ? CURLAUTH_DIGEST : CURLAUTH_BASIC));
    set(easy, CURLOPT_USERNAME, request_.auth->user.c_str());
    set(easy, CURLOPT_PASSWORD, request_.auth->pass.c_str());
  }
  set(easy, CURLOPT_COOKIEFILE, "");
  for (const std::string& cookie : request_.cookies) set(easy, CURLOPT_COOKIELIST, cookie.c_str());
  has_cookies_ = !request_.cookies.empty();

  set(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(easy, CURLOPT_WRITEDATA, this);
  set(easy, CURLOPT_PREREQFUNCTION, &Transfer::on_request);
  set(easy, CURLOPT_PREREQDATA, this);
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
  set(easy, CURLOPT_OPENSOCKETDATA, this);
  set_method(easy);
  set_headers(easy);
}

void Transfer::set_method(CURL* easy) {
  const std::size_t body_size = request_.body ? request_.body->size() : 0;
  auto upload = [&] {
    // By callback and without a seek function: libcurl then refuses to repeat the body after a redirect, as
    // recorded.
    set(easy, CURLOPT_UPLOAD, 1L);
    set(easy, CURLOPT_READFUNCTION, &Transfer::on_read);
    set(easy, CURLOPT_READDATA, this);
    set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_size));
  };
  switch (request_.method) {
    case Method::kGet:
      break;
    case Method::kHead:
      set(easy, CURLOPT_NOBODY, 1L);
      // A server that answers with a body nevertheless spoils the connection.
      set(easy, CURLOPT_FORBID_REUSE, 1L);
      break;
    case Method::kPost:
      set(easy, CURLOPT_POST, 1L);
      set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_size));
      set(easy, CURLOPT_POSTFIELDS, request_.body ? request_.body->data() : "");
      break;
    case Method::kPut:
      upload();
      break;
    case Method::kPatch:
      upload();
      set(easy, CURLOPT_CUSTOMREQUEST, "PATCH");
      break;
    case Method::kDelete:
      if (request_.body) upload();
      set(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
      break;
  }
  // libcurl repeats a request that a kept connection swallowed: not these, which may have had their effect.
  if (request_.method == Method::kPost || request_.method == Method::kPatch)
    set(easy, CURLOPT_FRESH_CONNECT, 1L);
}

void Transfer::set_headers(CURL* easy) {
  auto append = [&](const char* line) { header_lines_ = curl_slist_append(header_lines_, line); };
  if (request_.body_is_json) append("Content-Type: application/json");
  bool has_expect = request_.method == Method::kGet || request_.method == Method::kHead;
  for (const std::string& line : request_.header_lines) {
    append(line.c_str());
    has_expect = has_expect || starts_expect(line);
  }
  // Without `Expect: 100-continue`: waiting for servers that do not know it costs a second.
  if (!has_expect) append("Expect:");
  if (header_lines_) set(easy, CURLOPT_HTTPHEADER, header_lines_);
}

bool Transfer::begin_attempt(Clock::time_point now) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
  if (left <= std::chrono::milliseconds(0)) return false;
  set(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  // A redirect may have changed it.
  if (attempt_ > 0) set_method(easy_);
  if (!dirty_connection_) ++attempt_;
  sent_ = 0;
  clear_answer();
  limit_exceeded_.clear();
  denied_address_.clear();
  tried_address_ = false;
  awaiting_answer_ = false;
  has_answer_ = false;
  dropped_ = false;
  insists_on_fresh_ = std::exchange(dirty_connection_, false);
  if (insists_on_fresh_) set(easy_, CURLOPT_FRESH_CONNECT, 1L);
  return true;
}

void Transfer::clear_answer() {
  status_ = 0;
  headers_.clear();
  header_bytes_ = 0;
  content_length_ = 0;
  around_->buffered_bytes -= body_.size();
  body_.clear();
}

std::optional<Outcome> Transfer::end_attempt(CURLcode code, Clock::time_point now) {
  if (dirty_connection_) {
    // Nothing was sent on it. Once on a new connection, unless earlier requests of this attempt had their
    // effect.
    if (!insists_on_fresh_ && (!has_answer_ || is_repeatable())) return std::nullopt;
    return Outcome(transport_error(CURLE_RECV_ERROR));
  }
  if (attempt_ < request_.attempts && may_try_again(code)) {
    if (now < deadline) return std::nullopt;
    return Outcome(timeout_error());
  }
  if (code != CURLE_OK) return Outcome(transport_error(code));
  return answer();
}

bool Transfer::may_try_again(CURLcode code) const {
  if (code == CURLE_OK) return is_transient(status_);
  return code == CURLE_COULDNT_CONNECT && denied_address_.empty();
}

Outcome Transfer::answer() {
  if (status_ < 200 || status_ >= 300) {
    std::optional<std::string_view> body;
    if (!body_.empty()) body = body_;
    return Error{ErrorKind::kStatus, failure_text(request_.method, request_.url,
                                                  fmt::format("status code {}", status_), &headers_, body)};
  }
  Response response;
  response.status = status_;
  response.content_type = find_header(headers_, "content-type");
  response.headers = std::move(headers_);
  around_->buffered_bytes -= body_.size();
  response.body = std::move(body_);
  body_.clear();
  char* url = nullptr;
  if (curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url) response.effective_url = url;
  curl_slist* cookies = nullptr;
  if (has_cookies_ && curl_easy_getinfo(easy_, CURLINFO_COOKIELIST, &cookies) == CURLE_OK) {
    for (curl_slist* item = cookies; item; item = item->next) response.cookies.emplace_back(item->data);
    curl_slist_free_all(cookies);
  }
  return response;
}

Error Transfer::failure(ErrorKind kind, std::string_view reason) const {
  return {kind, failure_text(request_.method, request_.url, reason, nullptr, std::nullopt)};
}

Error Transfer::timeout_error() const {
  return {ErrorKind::kTimeout, timeout_text(request_.method, request_.url, request_.timeout)};
}

Error Transfer::cancelled_error() const {
  return failure(ErrorKind::kCancelled, "the request was cancelled");
}

Error Transfer::transport_error(CURLcode code) const {
  if (code == CURLE_OPERATION_TIMEDOUT) return timeout_error();
  if (!limit_exceeded_.empty()) return failure(ErrorKind::kTooLarge, limit_exceeded_);
  if (dropped_) return failure(ErrorKind::kTransport, reason_text(CURLE_GOT_NOTHING));
  if (!denied_address_.empty() && !tried_address_) {
    return failure(
        ErrorKind::kDenied,
        fmt::format("connecting to {} is denied by the address policy of this server", denied_address_));
  }
  return failure(ErrorKind::kTransport, reason_text(code));
}

void Transfer::complete(Outcome outcome) {
  std::exchange(callback_, nullptr)(std::move(outcome));
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Transfer*>(self)->add_header({data, size * count}) ? size * count : 0;
}

bool Transfer::add_header(std::string_view line) {
  if (awaiting_answer_) {
    awaiting_answer_ = false;
    has_answer_ = true;
    // Now, while the connection is surely open and this transfer's.
    around_->kept.note(local_port_, socket_);
  }
  around_->bytes_received += line.size();
  if (line.starts_with("HTTP/")) {
    // A new answer: after a redirect, a 401 that Digest answers, or a 1xx.
    clear_answer();
    std::size_t blank = line.find(' ');
    if (blank != line.npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), status_);
    // "See other" means: get it. libcurl only changes the methods it knows itself.
    if (status_ == 303 && (request_.method == Method::kPatch || request_.method == Method::kDelete)) {
      set(easy_, CURLOPT_CUSTOMREQUEST, nullptr);
    }
    return true;
  }
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    limit_exceeded_ =
        fmt::format("the response header is larger than the limit of {} bytes", kMaxHeaderBytes);
    return false;
  }
  if (line == "\r\n" || line == "\n") {
    // Servers that announce a body where none belongs may send it, too: into what the next request would
    // read.
    if (content_length_ > 0 && (status_ == 204 || status_ == 304)) set(easy_, CURLOPT_FORBID_REUSE, 1L);
    return true;
  }
  auto& [name, value] = headers_.emplace_back();
  if (!parse_header_line(line, name, value)) {
    headers_.pop_back();
  } else if (name == "set-cookie") {
    has_cookies_ = true;
  } else if (name == "content-length") {
    std::from_chars(value.data(), value.data() + value.size(), content_length_);
  }
  return true;
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Transfer*>(self)->add_body({data, size * count}) ? size * count : 0;
}

bool Transfer::add_body(std::string_view bytes) {
  around_->bytes_received += bytes.size();
  if (body_.size() + bytes.size() > max_body_bytes_ || content_length_ > max_body_bytes_) {
    limit_exceeded_ = fmt::format("the response body is larger than the limit of {} bytes", max_body_bytes_);
    return false;
  }
  if (around_->buffered_bytes + bytes.size() > around_->max_buffered_bytes) {
    limit_exceeded_ = "too many bytes of response bodies are being received at a time";
    return false;
  }
  if (body_.size() + bytes.size() > body_.capacity() && body_.capacity() < content_length_) {
    body_.reserve(body_.size() + bytes.size() <= kTrustedReserve ? std::min(content_length_, kTrustedReserve)
                                                                 : content_length_);
  }
  body_ += bytes;
  around_->buffered_bytes += bytes.size();
  return true;
}

std::size_t Transfer::on_read(char* out, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.request_.body) return 0;
  const std::string& body = *transfer.request_.body;
  std::size_t length = std::min(size * count, body.size() - transfer.sent_);
  std::memcpy(out, body.data() + transfer.sent_, length);
  transfer.sent_ += length;
  return length;
}

int Transfer::on_request(void* self, char*, char*, int, int local_port) {
  return static_cast<Transfer*>(self)->may_send(local_port);
}

int Transfer::may_send(int local_port) {
  // Asked twice without an answer in between: libcurl repeats what a kept connection swallowed.
  if (awaiting_answer_ && dropped_) return CURL_PREREQFUNC_ABORT;
  if (std::optional<int> fd = around_->kept.use(local_port, id_)) {
    // Bytes before the request are none of its answer: say, of a server that sends a body with a 204. TLS has
    // its own say on what may come (its records start with 20 to 23).
    char first = 0;
    if (recv(*fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && (first < 20 || first > 23)) {
      dirty_connection_ = true;
      return CURL_PREREQFUNC_ABORT;
    }
  }
  local_port_ = local_port;
  awaiting_answer_ = true;
  denied_address_.clear();
  tried_address_ = false;
  return CURL_PREREQFUNC_OK;
}

void Transfer::on_kept_socket_closing(int fd) {
  if (!awaiting_answer_) return;
  // Repeating is right when a kept connection was closed before the request got there, wrong when the server
  // took the request and hung up. TCP knows: then everything was acknowledged, and the other end has closed
  // in good order.
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  dropped_ = info.tcpi_state == TCP_CLOSE_WAIT && info.tcpi_unacked == 0;
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.around_->options.address_policy.allows(address->addr)) {
    transfer.denied_address_ = address_text(address->addr);
    return CURL_SOCKET_BAD;
  }
  transfer.tried_address_ = true;
  ++transfer.around_->connections_opened;
  transfer.socket_ = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  return transfer.socket_;
}

}  // namespace reqld::http_fetch
