#include "storage/engine/memtable.hpp"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

namespace reqld::storage {
namespace {
constexpr std::size_t kBuckets = 1 << 14;
}

/// Followed by its links, as many as it is high, and its key.
class Memtable::Node {
 public:
  Node(std::size_t bytes_of_key, int levels)
      : key_bytes(static_cast<std::uint32_t>(bytes_of_key)), height(static_cast<std::uint32_t>(levels)) {}

  Link* links() { return reinterpret_cast<Link*>(this + 1); }
  Node* next(int level) const {
    return reinterpret_cast<const Link*>(this + 1)[level].load(std::memory_order_acquire);
  }
  char* key_memory() { return reinterpret_cast<char*>(links() + height); }
  std::string_view key() const {
    return {reinterpret_cast<const char*>(reinterpret_cast<const Link*>(this + 1) + height), key_bytes};
  }

  std::atomic<const Version*> newest{nullptr};
  Link next_in_bucket{nullptr};
  const std::uint32_t key_bytes;
  const std::uint32_t height;
};

void Memtable::FreeMemory::operator()(void* memory) const { std::free(memory); }

// Zeros of calloc are null links: a table that nobody writes to then takes no memory.
Memtable::Memtable(Sequence base)
    : base_(base),
      head_(make_node({}, kMaxHeight)),
      buckets_(static_cast<Link*>(std::calloc(kBuckets, sizeof(Link)))),
      newest_(base) {
  if (buckets_ == nullptr) throw std::bad_alloc();
}

Memtable::Node* Memtable::make_node(std::string_view key, int height) {
  const std::size_t bytes = sizeof(Node) + static_cast<std::size_t>(height) * sizeof(Link) + key.size();
  Node* const node = new (memory_.allocate(bytes, alignof(Node))) Node(key.size(), height);
  for (int i = 0; i < height; ++i) new (node->links() + i) Link(nullptr);
  if (!key.empty()) std::memcpy(node->key_memory(), key.data(), key.size());
  return node;
}

Memtable::Link& Memtable::bucket_of(std::string_view key) const {
  return buckets_[std::hash<std::string_view>{}(key) % kBuckets];
}

Memtable::Node* Memtable::find_node(const Link& bucket, std::string_view key) {
  Node* node = bucket.load(std::memory_order_acquire);
  while (node != nullptr && node->key() != key) node = node->next_in_bucket.load(std::memory_order_relaxed);
  return node;
}

Memtable::Node* Memtable::search(std::string_view key, Node** previous) const {
  Node* node = head_;
  for (int level = height_.load(std::memory_order_acquire) - 1; level >= 0; --level) {
    for (Node* next = node->next(level); next != nullptr && next->key() < key; next = node->next(level)) node = next;
    if (previous != nullptr) previous[level] = node;
  }
  return node;
}

int Memtable::random_height() {
  int height = 1;
  random_ = random_ * 1664525 + 1013904223;
  for (std::uint32_t bits = random_ >> 8; height < kMaxHeight && (bits & 3) == 0; bits >>= 2) ++height;
  return height;
}

Memtable::Node* Memtable::insert(Link& bucket, std::string_view key) {
  const int height = random_height();
  const int height_before = height_.load(std::memory_order_relaxed);
  const Node* const behind_last = last_put_ != nullptr ? last_put_->next(0) : nullptr;
  if (last_put_ != nullptr && last_put_->key() < key && (behind_last == nullptr || key < behind_last->key())) {
    for (int level = 0; level < height_before; ++level) {
      if (level < static_cast<int>(last_put_->height)) previous_[level] = last_put_;
      if (level >= height) continue;
      for (Node* next = previous_[level]->next(level); next != nullptr && next->key() < key;
           next = previous_[level]->next(level)) {
        previous_[level] = next;
      }
    }
  } else {
    search(key, previous_);
  }
  for (int level = height_before; level < height; ++level) previous_[level] = head_;
  Node* const node = make_node(key, height);
  for (int level = 0; level < height; ++level) {
    node->links()[level].store(previous_[level]->next(level), std::memory_order_relaxed);
    previous_[level]->links()[level].store(node, std::memory_order_release);
  }
  if (height > height_before) height_.store(height, std::memory_order_release);
  node->next_in_bucket.store(bucket.load(std::memory_order_relaxed), std::memory_order_relaxed);
  bucket.store(node, std::memory_order_release);
  last_put_ = node;
  ++keys_;
  return node;
}

void Memtable::put(Sequence sequence, std::string_view key, std::string_view value, bool gone) {
  Link& bucket = bucket_of(key);
  Node* node = find_node(bucket, key);
  if (node == nullptr) node = insert(bucket, key);
  const LogEntry entry = entries_.append(key, value, gone);
  void* const memory = memory_.allocate(sizeof(Version), alignof(Version));
  unpublished_.push_back(node);
  const Version* const older = node->newest.load(std::memory_order_relaxed);
  node->newest.store(new (memory) Version{sequence, older, entry.value, gone}, std::memory_order_release);
  puts_.store(puts() + 1, std::memory_order_relaxed);
}

void Memtable::rollback(const Mark& mark) {
  entries_.rollback(mark.entries);
  while (unpublished_.size() > mark.puts) {
    Node* const node = unpublished_.back();
    unpublished_.pop_back();
    node->newest.store(node->newest.load(std::memory_order_relaxed)->older, std::memory_order_release);
  }
  puts_.store(puts() + 1, std::memory_order_relaxed);
}

void Memtable::publish(Sequence sequence) {
  unpublished_.clear();
  newest_.store(sequence, std::memory_order_release);
}

const Memtable::Version* Memtable::find(std::string_view key, Sequence at) const {
  const Node* const node = find_node(bucket_of(key), key);
  return node != nullptr ? version(node, at) : nullptr;
}

const Memtable::Node* Memtable::at_or_after(std::string_view key) const { return search(key, nullptr)->next(0); }

const Memtable::Node* Memtable::before(std::string_view key) const {
  const Node* const node = search(key, nullptr);
  return node == head_ ? nullptr : node;
}

const Memtable::Node* Memtable::last() const {
  const Node* node = head_;
  for (int level = height_.load(std::memory_order_acquire) - 1; level >= 0; --level) {
    for (const Node* next = node->next(level); next != nullptr; next = node->next(level)) node = next;
  }
  return node == head_ ? nullptr : node;
}

const Memtable::Node* Memtable::next(const Node* node) { return node->next(0); }

std::string_view Memtable::key(const Node* node) { return node->key(); }

const Memtable::Version* Memtable::version(const Node* node, Sequence at) {
  const Version* version = node->newest.load(std::memory_order_acquire);
  while (version != nullptr && version->sequence > at) version = version->older;
  return version;
}

}  // namespace reqld::storage
