#include "http_fetch/fetcher.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "http_fetch/error_text.hpp"
#include "http_fetch/worker.hpp"

namespace reqld::http_fetch {

void FetchHandle::cancel() const {
  if (std::shared_ptr<Inbox> inbox = inbox_.lock()) inbox->cancel(id_);
}

class Fetcher::Impl {
 public:
  explicit Impl(Options o) : options(std::move(o)) {}
  ~Impl() {
    for (const auto& worker : workers) worker->stop();
    for (const auto& worker : workers) worker->join();
  }

  const Options options;
  SharedCounters counters;
  std::atomic<std::uint64_t> next_id{1};
  std::vector<std::unique_ptr<Worker>> workers;  // last: their threads use the rest
};

Fetcher::Fetcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Fetcher::~Fetcher() = default;

Result<std::unique_ptr<Fetcher>> Fetcher::create(Options options) {
  if (options.threads < 1 || options.max_in_flight < 1 || options.max_in_flight_per_host < 1) {
    return Error{ErrorKind::kInvalid, "the http pool needs at least one thread and one request in flight"};
  }
  static std::once_flag initialised;
  static CURLcode initialised_code = CURLE_OK;
  std::call_once(initialised, [] { initialised_code = curl_global_init(CURL_GLOBAL_ALL); });
  if (initialised_code != CURLE_OK) {
    return Error{ErrorKind::kTransport, std::string("libcurl: ") + curl_easy_strerror(initialised_code)};
  }
  auto impl = std::make_unique<Impl>(std::move(options));
  for (int i = 0; i < impl->options.threads; ++i) {
    std::unique_ptr<Worker> worker = Worker::start(impl->options, impl->counters);
    if (!worker) return Error{ErrorKind::kTransport, "cannot start a thread of the http pool"};
    impl->workers.push_back(std::move(worker));
  }
  return std::unique_ptr<Fetcher>(new Fetcher(std::move(impl)));
}

FetchHandle Fetcher::submit(Request request, Callback callback) {
  SharedCounters& counters = impl_->counters;
  const Options& options = impl_->options;
  const std::size_t limit = options.max_in_flight + options.max_queued;
  counters.submitted.fetch_add(1, std::memory_order_relaxed);
  if (counters.outstanding.fetch_add(1, std::memory_order_relaxed) >= limit) {
    counters.outstanding.fetch_sub(1, std::memory_order_relaxed);
    counters.refused.fetch_add(1, std::memory_order_relaxed);
    callback(Error{ErrorKind::kQueueFull,
                   failure_text(request.method, request.url,
                                "too many HTTP requests are waiting on this server", nullptr, std::nullopt)});
    return {};
  }
  auto least = std::min_element(impl_->workers.begin(), impl_->workers.end(),
                                [](const auto& a, const auto& b) { return a->load() < b->load(); });
  std::uint64_t id = impl_->next_id.fetch_add(1, std::memory_order_relaxed);
  FetchHandle handle((*least)->inbox(), id);
  auto transfer = std::make_unique<Transfer>(id, std::move(request), std::move(callback));
  if (auto refused = (*least)->add(std::move(transfer))) {
    counters.outstanding.fetch_sub(1, std::memory_order_relaxed);
    refused->complete(refused->cancelled_error());
  }
  return handle;
}

Counters Fetcher::counters() const {
  const SharedCounters& c = impl_->counters;
  return {c.submitted, c.refused, c.completed, c.connections_opened, c.bytes_received};
}

}  // namespace reqld::http_fetch
