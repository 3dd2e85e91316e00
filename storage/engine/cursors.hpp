// Cursors over LMDB, and over LMDB with a job's own writes laid on top.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/stored_value.hpp"
#include "storage/engine/write_set.hpp"

namespace reqld::storage {

/// Looks up one key in a transaction. A large value is valid as long as `buffer` is left alone.
std::optional<std::string_view> lmdb_get(MDB_txn* txn, MDB_dbi dbi, std::string_view key, ValueBuffer& buffer);

std::unique_ptr<Cursor> make_lmdb_cursor(MDB_txn* txn, MDB_dbi dbi, const KeyRange& range, Direction direction);

/// `overlay` must outlive the cursor; it may get further writes while the cursor is open.
std::unique_ptr<Cursor> make_merging_cursor(MDB_txn* txn, MDB_dbi dbi, const Overlay& overlay, const KeyRange& range,
                                            Direction direction);

}  // namespace reqld::storage
