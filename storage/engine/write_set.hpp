// What is written, in the form that the log keeps it in.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace reqld::storage {

/// One write: `gone` means that the key is removed. Views into the buffer or the file that the entry is from.
struct LogEntry {
  std::string_view key;
  std::string_view value;
  bool gone = false;
};

/// Entries in the log's form, in pieces that never move. The order of appending is the order of applying.
class EntryBuffer {
 public:
  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
    std::size_t bytes = 0;
  };

  /// Copies the entry; the views returned live as long as the buffer, or until a rollback() to before the entry.
  LogEntry append(std::string_view key, std::string_view value, bool gone);

  Mark mark() const;
  void rollback(const Mark& mark);

  std::size_t bytes() const { return bytes_; }
  /// Appends the pieces behind `mark`, in order, to `out`.
  void pieces(const Mark& mark, std::vector<iovec>& out) const;

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t used = 0;
  };
  char* reserve(std::size_t size);

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  ///< index of the block being filled; later ones are empty
  std::size_t bytes_ = 0;
};

/// Takes one entry off the front of `in`; false when `in` does not hold a whole one.
bool parse_entry(std::string_view& in, LogEntry& out);

}  // namespace reqld::storage
