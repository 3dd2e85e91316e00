// One request on its way through libcurl. Internal to http_fetch: everything in here runs on its worker's
// thread.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "http_fetch/admission.hpp"
#include "http_fetch/fetcher.hpp"
#include "http_fetch/kept_connections.hpp"

namespace reqld::http_fetch {

/// What the transfers of one worker share.
struct Surroundings {
  const Options& options;
  std::uint64_t max_buffered_bytes = 0;
  std::uint64_t buffered_bytes = 0;
  std::uint64_t connections_opened = 0;
  std::uint64_t bytes_received = 0;
  KeptConnections kept = {};
};

class Transfer : public Admission::Ticket {
 public:
  Transfer(std::uint64_t id, Request request, Callback callback);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  std::uint64_t id() const { return id_; }
  const Request& request() const { return request_; }
  CURL* easy() const { return easy_; }

  /// What is wrong with the request itself, before anything is done; also sees to requests that may not even
  /// try (no attempts, no time).
  std::optional<Error> refuse() const;

  /// Sets up `easy`, which must be in libcurl's initial state, outlives the transfer and stays its own until
  /// then.
  void prepare(CURL* easy, Surroundings& around);

  /// Before each attempt. False: no time is left.
  bool begin_attempt(Clock::time_point now);

  /// The attempt ended; nothing: another one is due.
  std::optional<Outcome> end_attempt(CURLcode code, Clock::time_point now);

  Error timeout_error() const;
  Error cancelled_error() const;
  /// Calls the callback, once.
  void complete(Outcome outcome);

  /// libcurl waits for this socket, on behalf of this transfer.
  void on_socket_used(int fd) { socket_ = fd; }
  /// libcurl is about to close the kept connection on which this transfer sent its request.
  void on_kept_socket_closing(int fd);

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* out, std::size_t size, std::size_t count, void* self);
  static int on_request(void* self, char* peer_ip, char* local_ip, int peer_port, int local_port);
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);

  int may_send(int local_port);
  bool is_repeatable() const { return request_.method == Method::kGet || request_.method == Method::kHead; }
  void set_method(CURL* easy);
  void set_headers(CURL* easy);
  bool add_header(std::string_view line);
  bool add_body(std::string_view bytes);
  void clear_answer();
  bool may_try_again(CURLcode code) const;
  Error failure(ErrorKind kind, std::string_view reason) const;
  Error transport_error(CURLcode code) const;
  Outcome answer();

  const std::uint64_t id_;
  Request request_;
  Callback callback_;

  CURL* easy_ = nullptr;
  Surroundings* around_ = nullptr;
  curl_slist* header_lines_ = nullptr;
  std::uint64_t attempt_ = 0;
  std::uint64_t max_body_bytes_ = 0;
  std::size_t sent_ = 0;  ///< of the request body

  int status_ = 0;
  HeaderList headers_;
  std::size_t header_bytes_ = 0;
  std::uint64_t content_length_ = 0;
  std::string body_;
  bool has_cookies_ = false;

  std::string limit_exceeded_;  ///< why the body or header was cut short, as a reason text
  std::string denied_address_;  ///< refused by the policy since the last request was sent
  bool tried_address_ = false;  ///< another address was allowed meanwhile
  int socket_ = -1;
  int local_port_ = 0;
  bool awaiting_answer_ = false;
  bool has_answer_ = false;        ///< any in this attempt, a redirect too
  bool dirty_connection_ = false;  ///< the kept connection had unread bytes of an earlier answer
  bool insists_on_fresh_ = false;  ///< this attempt repeats one that met a dirty connection
  bool dropped_ = false;           ///< the server took the request and closed the connection without a word
};

}  // namespace reqld::http_fetch
