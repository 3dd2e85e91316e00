#include "storage/engine/write_set.hpp"

#include <algorithm>
#include <cstring>

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

void EntryBuffer::pieces(const Mark& mark, std::vector<iovec>& out) const {
  std::size_t skipped = mark.used;
  for (std::size_t i = mark.block; i < blocks_.size() && i <= current_; ++i) {
    const Block& block = blocks_[i];
    if (block.used > skipped) out.push_back({block.data.get() + skipped, block.used - skipped});
    skipped = 0;
  }
}

}  // namespace reqld::storage
