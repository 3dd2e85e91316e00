// Calling storage from a query: parks the query until the answer is there.
#pragma once

#include <string>
#include <utility>

#include "reql/context.hpp"
#include "reql/suspend.hpp"
#include "storage/database.hpp"

namespace reqld::reql {

/// Throws the EvalError that a failed storage call means to a client.
[[noreturn]] void throw_storage_error(const storage::Error& error);

/// Calls `start(done)` and waits for the answer.
template <typename Start>
storage::Result<storage::Sequence> await_storage(Context& cx, Start&& start) {
  return await_value<storage::Result<storage::Sequence>>(cx.waiting(), std::forward<Start>(start));
}

/// Stores a system record (a null one removes it), and waits until that is on disk. Throws as throw_storage_error.
void store_record(Context& cx, const char* collection, const std::string& key, const Datum& record);

}  // namespace reqld::reql
