// The newest commits, in memory, on their way into LMDB.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"
#include "storage/engine/write_set.hpp"

namespace reqld::storage {

/// Sees everything, what is not committed yet included: for the writer.
constexpr Sequence kNewest = std::numeric_limits<Sequence>::max();

/// An ordered map that keeps every version of a key, each under the number of its commit. One thread writes, any number read
/// meanwhile, without a lock. What a reader was shown stays where it is for as long as the memtable lives.
class Memtable {
 public:
  /// What one commit made of a key.
  struct Version {
    Sequence sequence = 0;
    const Version* older = nullptr;
    std::string_view value;
    bool gone = false;
  };
  /// A key's place in the order.
  class Node;

  /// `base` is the newest commit of which nothing is in here.
  explicit Memtable(Sequence base);
  Memtable(const Memtable&) = delete;
  Memtable& operator=(const Memtable&) = delete;

  // For the thread that writes.

  /// Copies key and value. Seen by kNewest only, until publish().
  void put(Sequence sequence, std::string_view key, std::string_view value, bool gone);
  /// A point between two put()s since the last publish().
  struct Mark {
    EntryBuffer::Mark entries;
    std::size_t puts = 0;
  };
  Mark mark() const { return {entries_.mark(), unpublished_.size()}; }
  /// Takes back what was put since.
  void rollback(const Mark& mark);
  /// Shows what was put to everybody, as the commit `sequence`.
  void publish(Sequence sequence);
  /// What was put, in the log's form, taken back or not.
  const EntryBuffer& entries() const { return entries_; }
  /// Of keys that are or were here.
  std::size_t keys() const { return keys_; }

  // For any thread.

  /// The newest commit in here, or the base.
  Sequence newest() const { return newest_.load(std::memory_order_acquire); }
  /// Whether nothing was published yet.
  bool empty() const { return newest() == base_; }
  /// Grows with each put(): who walks with kNewest looks whether its place is still the next one.
  std::uint64_t puts() const { return puts_.load(std::memory_order_relaxed); }

  /// The version of `key` that a reader of commit `at` sees; nullptr: none in here.
  const Version* find(std::string_view key, Sequence at) const;

  /// The first key >= `key`, the last key < `key`, the last of all, the one behind; nullptr when there is none. Among them
  /// are keys without a version for the reader.
  const Node* at_or_after(std::string_view key) const;
  const Node* before(std::string_view key) const;
  const Node* last() const;
  static const Node* next(const Node* node);
  static std::string_view key(const Node* node);
  static const Version* version(const Node* node, Sequence at);

 private:
  static constexpr int kMaxHeight = 12;
  using Link = std::atomic<Node*>;
  struct FreeMemory {
    void operator()(void* memory) const;
  };

  Node* make_node(std::string_view key, int height);
  Node* insert(Link& bucket, std::string_view key);
  /// The last node before `key` on each level.
  Node* search(std::string_view key, Node** previous) const;
  Link& bucket_of(std::string_view key) const;
  static Node* find_node(const Link& bucket, std::string_view key);
  int random_height();

  const Sequence base_;
  std::pmr::monotonic_buffer_resource memory_;
  Node* head_;
  std::atomic<int> height_{1};
  std::unique_ptr<Link[], FreeMemory> buckets_;  ///< all keys once more, found without a search
  std::atomic<Sequence> newest_;
  std::atomic<std::uint64_t> puts_{0};

  // The writer's own.
  EntryBuffer entries_;
  std::vector<Node*> unpublished_;  ///< whose newest version is not shown yet, once for each put()
  std::size_t keys_ = 0;
  std::uint32_t random_ = 0x9e3779b9;
  // Where the key before was put in: the next one often follows.
  Node* last_put_ = nullptr;
  Node* previous_[kMaxHeight];
};

}  // namespace reqld::storage
