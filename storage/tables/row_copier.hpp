// Copies rows out of a snapshot into buffers that many rows share.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"
#include "storage/database.hpp"
#include "storage/tables/blobs.hpp"

namespace reqld::storage {

/// Before a scan gathers another row behind the `rows` it has, of `most`: so that they are not moved about while they become
/// more, and those of a short scan take little.
inline void make_room(std::vector<Row>& out, std::size_t rows, std::size_t most) {
  constexpr std::size_t kShort = 16;
  constexpr std::size_t kLong = 1024;
  if (rows != 0 && rows != kShort) return;
  const std::size_t wanted = out.size() + std::min(most > rows ? most - rows : 1, rows == 0 ? kShort : kLong);
  if (wanted > out.capacity()) out.reserve(std::max(wanted, 2 * out.capacity()));
}

class RowCopier {
 public:
  static constexpr std::size_t kFirstBufferBytes = 4 * 1024;
  static constexpr std::size_t kBufferBytes = 32 * 1024;

  /// `expected_rows`: about how many are still to come, so that a short scan makes a small buffer.
  /// `source` answers the BlobSource of the snapshot; called only for rows that hold a blob.
  template <typename Source>
  Datum copy(std::string_view row, std::size_t expected_rows, Source source) {
    if (!buffer_ || row.size() > buffer_->size() - used_) {
      // Often fewer rows come than there might.
      const std::size_t most = buffer_ ? std::min(kBufferBytes, 2 * buffer_->size()) : kFirstBufferBytes;
      const std::size_t wanted = std::min(most, row.size() * std::max<std::size_t>(expected_rows, 1));
      buffer_ = Buffer::make(std::max(wanted, row.size()));
      used_ = 0;
    }
    std::uint8_t* at = buffer_->data() + used_;
    std::memcpy(at, row.data(), row.size());
    used_ += row.size();
    if (row_has_blob(row)) buffer_->add_blob_source(source());
    return Datum::from_encoded(at, *buffer_);
  }

 private:
  Ref<Buffer> buffer_;
  std::size_t used_ = 0;
};

}  // namespace reqld::storage
