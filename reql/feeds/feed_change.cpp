#include "reql/feeds/feed_change.hpp"

#include "datum/json.hpp"

namespace reqld::reql {

const std::string& FeedElement::json() const {
  if (const std::string* known = json_.load(std::memory_order_acquire)) return *known;
  auto made = std::make_unique<std::string>();
  append_json(datum(), *made);
  const std::string* known = nullptr;
  if (json_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *known;
}

}  // namespace reqld::reql
