// r.http with `page`: the items of one answer after the other.
#pragma once

#include "http_fetch/request.hpp"
#include "reql/function.hpp"
#include "reql/http_call.hpp"
#include "reql/stream.hpp"

namespace reqld::reql {

struct HttpPaging {
  http_fetch::Request first;
  Datum params;  ///< of the first request, as an object
  http_fetch::ResultFormat format = http_fetch::ResultFormat::kAuto;
  Ref<Function> next_page;  ///< null: `link-next`
  std::int64_t page_limit = 0;  ///< requests; negative: any number
  const Node* node = nullptr;       ///< errors of requests are blamed on it
  const Node* page_node = nullptr;  ///< what `next_page` answers wrongly
};

/// A page that is an array stands for its elements. The next request is made when rows of it are wanted.
Ref<Stream> http_pages(HttpPaging paging);

}  // namespace reqld::reql
