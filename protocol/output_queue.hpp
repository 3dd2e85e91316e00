// Bytes that wait to be sent on one connection.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reqld::protocol {

/// A queue of bytes made for gather writes: small pieces are joined, large strings are taken over and never
/// copied. Not thread-safe.
class OutputQueue {
 public:
  /// Copies `bytes` to the end.
  void append(std::string_view bytes);

  /// Appends `bytes`; from kTakeOverBytes on the string itself is kept.
  void append(std::string&& bytes);

  bool empty() const { return queued_bytes_ == 0; }
  std::size_t queued_bytes() const { return queued_bytes_; }

  /// Fills `out` with the first pieces, for one writev; returns how many.
  std::size_t gather(std::span<iovec> out) const;

  /// Forgets the first `bytes` bytes: they have been sent. At most queued_bytes().
  void consume(std::size_t bytes);

  void clear();

  static constexpr std::size_t kTakeOverBytes = 8 * 1024;

 private:
  std::string& tail(std::size_t bytes);

  std::vector<std::string> pieces_;
  std::size_t first_ = 0;         ///< index of the first piece not fully sent
  std::size_t first_offset_ = 0;  ///< bytes of it that are sent
  std::size_t queued_bytes_ = 0;
  bool tail_open_ = false;  ///< the last piece is of joined small ones and may grow
};

}  // namespace reqld::protocol
