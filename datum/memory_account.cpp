#include "datum/memory_account.hpp"

#include <string>

#include "datum/datum.hpp"

namespace reqld {

namespace {
thread_local MemoryAccount* account_of_thread = nullptr;
}

MemoryAccount* MemoryAccount::of_thread() {
  return account_of_thread;
}

void MemoryAccount::set_of_thread(MemoryAccount* account) {
  account_of_thread = account;
}

void MemoryAccount::refuse(std::size_t bytes) {
  subtract(static_cast<std::int64_t>(bytes));
  throw DatumError(DatumErrorKind::kResource,
                   "Query too large: the values that it keeps would take more than the " +
                       std::to_string(limit_bytes_ >> 20) + " MB of memory that a query may take.");
}

}  // namespace reqld
