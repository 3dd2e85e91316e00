// Waiting for the memory of many rows at once instead of for one after the other.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <span>
#include <string_view>

namespace reqld::storage {

/// Asks the CPU for the rows of `keys`, and for what a search for them reads, as far as it is in memory. A hint: it changes
/// nothing, and does nothing when the transaction is no longer one of the two newest, or when the first of the keys is not
/// there. `dbi` is the main database, `page_size` that of the environment; `txn` a read transaction. Answers how many of
/// the keys behind the first were found.
std::size_t prefetch_rows(MDB_txn* txn, MDB_dbi dbi, std::size_t page_size, std::span<const std::string_view> keys);

}  // namespace reqld::storage
