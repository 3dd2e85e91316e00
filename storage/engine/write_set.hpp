// What a batch of jobs writes: the bytes that go to the log, and a sorted view of the newest job's part of them.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
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

  /// Copies the entry; the views returned live until clear() or a rollback() to before it.
  LogEntry append(std::string_view key, std::string_view value, bool gone);

  Mark mark() const;
  void rollback(const Mark& mark);
  /// Forgets everything; keeps a little memory for the next batch.
  void clear();

  std::size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  /// Appends the pieces, in order, to `out`.
  void pieces(std::vector<iovec>& out) const;

  /// Calls `f(const LogEntry&)` for each entry in order until it returns false; false then.
  template <typename F>
  bool for_each(F f) const;

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t used = 0;
  };
  char* reserve(std::size_t size);

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  ///< index of the block being filled; later ones are empty spares
  std::size_t bytes_ = 0;
};

/// Takes one entry off the front of `in`; false when `in` does not hold a whole one.
bool parse_entry(std::string_view& in, LogEntry& out);

template <typename F>
bool EntryBuffer::for_each(F f) const {
  for (std::size_t i = 0; i < blocks_.size() && i <= current_; ++i) {
    std::string_view in(blocks_[i].data.get(), blocks_[i].used);
    LogEntry entry;
    while (!in.empty() && parse_entry(in, entry)) {
      if (!f(entry)) return false;
    }
  }
  return true;
}

/// The newest write of each key within one job, sorted: a skip list, cheap for one key and for a million.
/// Nodes stay where they are until clear().
class Overlay {
 public:
  struct Node;

  Overlay();

  void put(const LogEntry& entry);
  const LogEntry* find(std::string_view key) const;
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Changes whenever a key is added: positions found before may miss it.
  std::uint64_t version() const { return version_; }
  void clear();

  /// The first key >= `key`, the last key < `key`, the first and last of all; nullptr when there is none.
  const Node* at_or_after(std::string_view key) const;
  const Node* before(std::string_view key) const;
  const Node* first() const;
  const Node* last() const;
  static const Node* next(const Node* node);
  static const LogEntry& entry(const Node* node);

 private:
  static constexpr int kMaxHeight = 12;
  Node* make_node(const LogEntry& entry, int height);
  Node* search(std::string_view key, Node** previous) const;

  alignas(std::max_align_t) char inline_memory_[2048];
  std::pmr::monotonic_buffer_resource memory_;
  Node* head_ = nullptr;
  int height_ = 1;
  std::size_t size_ = 0;
  std::uint64_t version_ = 0;
  std::uint32_t random_ = 0x9e3779b9;
};

}  // namespace reqld::storage
