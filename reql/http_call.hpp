// One request of r.http from the evaluator's side: carried out by the fetch pool while the query waits.
#pragma once

#include <span>

#include "datum/datum.hpp"
#include "http_fetch/content.hpp"
#include "http_fetch/headers.hpp"
#include "http_fetch/request.hpp"
#include "reql/context.hpp"

namespace reqld::reql {

struct HttpAnswer {
  Datum body;
  http_fetch::HeaderList headers;
  std::vector<std::string> cookies;
};

/// Suspends the query until there is an answer, and makes a value of it. Throws NON_EXISTENCE without a position for whatever goes
/// wrong on the way. A STOP or a lost connection cancels the request.
HttpAnswer perform_http(Context& cx, const http_fetch::Request& request, http_fetch::ResultFormat format);

/// URL parameters: an object of numbers, strings and nulls. Throws the recorded error, without a position, for anything else.
std::vector<http_fetch::Param> http_params(const Datum& object);

}  // namespace reqld::reql
