// Copies rows out of a snapshot into buffers that many rows share.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "datum/datum.hpp"
#include "storage/tables/blobs.hpp"

namespace reqld::storage {

class RowCopier {
 public:
  static constexpr std::size_t kBufferBytes = 32 * 1024;

  /// `expected_rows`: about how many are still to come, so that a short scan makes a small buffer.
  /// `source` answers the BlobSource of the snapshot; called only for rows that hold a blob.
  template <typename Source>
  Datum copy(std::string_view row, std::size_t expected_rows, Source source) {
    if (!buffer_ || row.size() > buffer_->size() - used_) {
      const std::size_t wanted =
          row.size() > kBufferBytes
              ? row.size()
              : std::min(kBufferBytes, row.size() * std::max<std::size_t>(expected_rows, 1));
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
