#include "storage/engine/write_set.hpp"

#include <cstring>
#include <new>

namespace reqld::storage {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kMaxVarint = 10;

char* write_varint(char* out, std::uint64_t v) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}

bool read_varint(std::string_view& in, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

bool parse_entry(std::string_view& in, LogEntry& out) {
  std::uint64_t key_size = 0;
  std::uint64_t value_size = 0;
  if (!read_varint(in, key_size) || !read_varint(in, value_size)) return false;
  if (key_size > in.size()) return false;
  out.key = in.substr(0, key_size);
  in.remove_prefix(key_size);
  out.gone = value_size == 0;
  const std::uint64_t bytes = out.gone ? 0 : value_size - 1;
  if (bytes > in.size()) return false;
  out.value = in.substr(0, bytes);
  in.remove_prefix(bytes);
  return true;
}

char* EntryBuffer::reserve(std::size_t size) {
  if (blocks_.empty()) current_ = 0;
  while (current_ < blocks_.size()) {
    Block& block = blocks_[current_];
    if (block.capacity - block.used >= size) return block.data.get() + block.used;
    if (block.used == 0) {  // a spare too small for this entry
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(current_));
      continue;
    }
    ++current_;
  }
  Block block;
  block.capacity = std::max(kBlockBytes, size);
  block.data = std::unique_ptr<char[]>(new char[block.capacity]);
  blocks_.push_back(std::move(block));
  return blocks_.back().data.get();
}

LogEntry EntryBuffer::append(std::string_view key, std::string_view value, bool gone) {
  char* const start = reserve(key.size() + value.size() + 2 * kMaxVarint);
  char* out = write_varint(start, key.size());
  out = write_varint(out, gone ? 0 : value.size() + 1);
  LogEntry entry;
  entry.gone = gone;
  if (!key.empty()) std::memcpy(out, key.data(), key.size());
  entry.key = {out, key.size()};
  out += key.size();
  if (!value.empty()) std::memcpy(out, value.data(), value.size());
  entry.value = {out, value.size()};
  out += value.size();
  const auto size = static_cast<std::size_t>(out - start);
  blocks_[current_].used += size;
  bytes_ += size;
  return entry;
}

EntryBuffer::Mark EntryBuffer::mark() const {
  return {current_, current_ < blocks_.size() ? blocks_[current_].used : 0, bytes_};
}

void EntryBuffer::rollback(const Mark& mark) {
  for (std::size_t i = mark.block + 1; i < blocks_.size(); ++i) blocks_[i].used = 0;
  if (mark.block < blocks_.size()) blocks_[mark.block].used = mark.used;
  current_ = mark.block;
  bytes_ = mark.bytes;
}

void EntryBuffer::clear() {
  constexpr std::size_t kKeptBlocks = 8;
  std::size_t kept = 0;
  for (auto& block : blocks_) {
    if (kept == kKeptBlocks || block.capacity > 2 * kBlockBytes) continue;
    block.used = 0;
    if (&blocks_[kept] != &block) blocks_[kept] = std::move(block);
    ++kept;
  }
  blocks_.resize(kept);
  current_ = 0;
  bytes_ = 0;
}

void EntryBuffer::pieces(std::vector<iovec>& out) const {
  for (std::size_t i = 0; i < blocks_.size() && i <= current_; ++i) {
    if (blocks_[i].used > 0) out.push_back({blocks_[i].data.get(), blocks_[i].used});
  }
}

struct Overlay::Node {
  LogEntry entry;
  Node* next[1];  // as many as the node is high
};

Overlay::Overlay() : memory_(inline_memory_, sizeof inline_memory_) { head_ = make_node({}, kMaxHeight); }

Overlay::Node* Overlay::make_node(const LogEntry& entry, int height) {
  const std::size_t size = sizeof(Node) + static_cast<std::size_t>(height - 1) * sizeof(Node*);
  Node* node = new (memory_.allocate(size, alignof(Node))) Node{entry, {nullptr}};
  for (int i = 0; i < height; ++i) node->next[i] = nullptr;
  return node;
}

Overlay::Node* Overlay::search(std::string_view key, Node** previous) const {
  Node* node = head_;
  for (int level = height_ - 1; level >= 0; --level) {
    while (node->next[level] != nullptr && node->next[level]->entry.key < key) node = node->next[level];
    if (previous != nullptr) previous[level] = node;
  }
  return node;
}

void Overlay::put(const LogEntry& entry) {
  Node* previous[kMaxHeight];
  Node* const at = search(entry.key, previous)->next[0];
  if (at != nullptr && at->entry.key == entry.key) {
    at->entry = entry;
    return;
  }
  int height = 1;
  random_ = random_ * 1664525 + 1013904223;
  for (std::uint32_t bits = random_ >> 8; height < kMaxHeight && (bits & 3) == 0; bits >>= 2) ++height;
  for (; height_ < height; ++height_) previous[height_] = head_;
  Node* node = make_node(entry, height);
  for (int i = 0; i < height; ++i) {
    node->next[i] = previous[i]->next[i];
    previous[i]->next[i] = node;
  }
  ++size_;
  ++version_;
}

const LogEntry* Overlay::find(std::string_view key) const {
  if (size_ == 0) return nullptr;
  const Node* node = at_or_after(key);
  return node != nullptr && node->entry.key == key ? &node->entry : nullptr;
}

void Overlay::clear() {
  if (size_ == 0) return;
  memory_.release();
  head_ = make_node({}, kMaxHeight);
  height_ = 1;
  size_ = 0;
  ++version_;
}

const Overlay::Node* Overlay::at_or_after(std::string_view key) const { return search(key, nullptr)->next[0]; }

const Overlay::Node* Overlay::before(std::string_view key) const {
  const Node* node = search(key, nullptr);
  return node == head_ ? nullptr : node;
}

const Overlay::Node* Overlay::first() const { return head_->next[0]; }

const Overlay::Node* Overlay::last() const {
  const Node* node = head_;
  for (int level = height_ - 1; level >= 0; --level) {
    while (node->next[level] != nullptr) node = node->next[level];
  }
  return node == head_ ? nullptr : node;
}

const Overlay::Node* Overlay::next(const Node* node) { return node->next[0]; }

const LogEntry& Overlay::entry(const Node* node) { return node->entry; }

}  // namespace reqld::storage
