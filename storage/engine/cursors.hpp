// Cursors over LMDB, and over LMDB with memtables on top.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "storage/engine.hpp"
#include "storage/engine/layers.hpp"
#include "storage/engine/lmdb_env.hpp"
#include "storage/engine/stored_value.hpp"

namespace reqld::storage {

/// Looks up one key in a transaction. A large value is valid as long as `buffer` is left alone.
std::optional<std::string_view> lmdb_get(MDB_txn* txn, MDB_dbi dbi, std::string_view key, ValueBuffer& buffer);

class ReadView;

/// What LMDB has. The view must outlive the cursor.
std::unique_ptr<Cursor> make_lmdb_cursor(ReadView& view, const KeyRange& range, Direction direction);

/// What a reader of commit `at` sees; view and layers must outlive the cursor. With kNewest the writer may put more meanwhile.
std::unique_ptr<Cursor> make_merging_cursor(ReadView& view, const Layers& layers, Sequence at, const KeyRange& range,
                                            Direction direction);

}  // namespace reqld::storage
