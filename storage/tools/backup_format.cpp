#include "storage/tools/backup_format.hpp"

#include <algorithm>

#include "storage/engine/crc32c.hpp"

namespace reqld::storage {

namespace {

// "REQLDBK" and the version, then blocks: type (1 byte), payload length (u32), CRC-32C of type, length and
// payload (u32), payload.
constexpr std::string_view kMagic("REQLDBK\x01", 8);
constexpr char kHeaderBlock = 'H';
constexpr char kEntriesBlock = 'D';
constexpr char kEndBlock = 'E';
constexpr std::size_t kBlockHeaderBytes = 9;
constexpr std::size_t kBlockBytes = 1u << 20;
constexpr std::size_t kMaxBlockBytes = 0xf0000000;

void put_le(std::uint64_t n, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(n >> (8 * i)));
}

std::uint64_t take_le(std::string_view& in, int bytes) {
  std::uint64_t n = 0;
  for (int i = 0; i < bytes; ++i)
    n |= std::uint64_t{static_cast<std::uint8_t>(in[static_cast<std::size_t>(i)])} << (8 * i);
  in.remove_prefix(static_cast<std::size_t>(bytes));
  return n;
}

std::uint32_t checksum(std::string_view head, std::string_view payload) {
  return crc32c(crc32c(0, head.data(), head.size()), payload.data(), payload.size());
}

Error damaged(const std::string& what, std::uint64_t offset) {
  return {ErrorKind::kCorrupt, "The backup " + what + " (at byte " + std::to_string(offset) + ")."};
}

}  // namespace

Result<void> BackupWriter::write_block(char type, std::string_view payload) {
  std::string head(1, type);
  put_le(payload.size(), 4, head);
  const std::uint32_t crc = checksum(head, payload);
  // The chain tells a backup from one whose blocks were exchanged.
  chain_ = crc32c(chain_, &crc, sizeof crc);
  put_le(crc, 4, head);
  if (Result<void> written = sink_(head); !written) return written;
  return sink_(payload);
}

Result<void> BackupWriter::begin(const BackupHeader& header) {
  if (Result<void> written = sink_(kMagic); !written) return written;
  std::string payload;
  put_le(header.sequence, 8, payload);
  put_le(header.history, 8, payload);
  put_le(header.time_us, 8, payload);
  put_le(header.size_hint, 8, payload);
  return write_block(kHeaderBlock, payload);
}

Result<void> BackupWriter::add(std::string_view key, std::string_view value) {
  if (value.size() > kMaxBlockBytes) return Error{ErrorKind::kInvalid, "A value is too large for a backup."};
  put_le(key.size(), 2, block_);
  put_le(value.size(), 4, block_);
  block_.append(key);
  block_.append(value);
  ++totals_.keys;
  totals_.bytes += key.size() + value.size();
  return block_.size() < kBlockBytes ? Result<void>() : flush();
}

Result<void> BackupWriter::flush() {
  if (block_.empty()) return {};
  Result<void> written = write_block(kEntriesBlock, block_);
  block_.clear();
  return written;
}

Result<void> BackupWriter::end() {
  if (Result<void> flushed = flush(); !flushed) return flushed;
  std::string payload;
  put_le(totals_.keys, 8, payload);
  put_le(totals_.bytes, 8, payload);
  put_le(chain_, 4, payload);
  return write_block(kEndBlock, payload);
}

Result<void> BackupReader::read_exactly(char* out, std::size_t size) {
  while (size > 0) {
    const Result<std::size_t> n = source_(out, size);
    if (!n) return n.error();
    if (*n == 0) return damaged("ends too early", offset_);
    out += *n;
    size -= *n;
    offset_ += *n;
  }
  return {};
}

Result<char> BackupReader::read_block() {
  char head[kBlockHeaderBytes];
  const std::uint64_t at = offset_;
  if (Result<void> read = read_exactly(head, sizeof head); !read) return read.error();
  std::string_view rest(head, sizeof head);
  rest.remove_prefix(1);
  const std::uint64_t size = take_le(rest, 4);
  const auto crc = static_cast<std::uint32_t>(take_le(rest, 4));
  if (size > kMaxBlockBytes + 1024) return damaged("has a damaged block", at);
  // A damaged length must not make us ask for gigabytes at once.
  block_.clear();
  while (block_.size() < size) {
    const std::size_t have = block_.size();
    block_.resize(have + std::min<std::size_t>(size - have, 16u << 20));
    if (Result<void> read = read_exactly(block_.data() + have, block_.size() - have); !read)
      return read.error();
  }
  if (checksum({head, 5}, block_) != crc) return damaged("has a damaged block", at);
  if (head[0] != kEndBlock) chain_ = crc32c(chain_, &crc, sizeof crc);
  return head[0];
}

Result<BackupHeader> BackupReader::begin() {
  char magic[kMagic.size()];
  if (Result<void> read = read_exactly(magic, sizeof magic); !read) return read.error();
  if (std::string_view(magic, sizeof magic) != kMagic)
    return Error{ErrorKind::kInvalid, "This is not a backup that this version can read."};
  const Result<char> type = read_block();
  if (!type) return type.error();
  if (*type != kHeaderBlock || block_.size() != 32) return damaged("has no header", kMagic.size());
  std::string_view rest = block_;
  BackupHeader header;
  header.sequence = take_le(rest, 8);
  header.history = take_le(rest, 8);
  header.time_us = take_le(rest, 8);
  header.size_hint = take_le(rest, 8);
  return header;
}

Result<void> BackupReader::read_all(
    const std::function<Result<void>(std::string_view key, std::string_view value)>& take,
    const std::function<void(std::uint64_t bytes)>& progress) {
  std::uint64_t shown = 0;
  std::string_view key, value;
  for (;;) {
    const Result<bool> more = next(key, value);
    if (!more) return more.error();
    if (!*more) return {};
    if (Result<void> taken = take(key, value); !taken) return taken;
    if (progress && totals_.bytes >= shown + kBytesPerProgress) {
      shown = totals_.bytes;
      progress(shown);
    }
  }
}

Result<bool> BackupReader::next(std::string_view& key, std::string_view& value) {
  while (rest_.empty()) {
    if (ended_) return false;
    const std::uint64_t at = offset_;
    const Result<char> type = read_block();
    if (!type) return type.error();
    rest_ = block_;
    if (*type == kEntriesBlock) continue;
    if (*type != kEndBlock || rest_.size() != 20) return damaged("has an unknown block", at);
    const std::uint64_t keys = take_le(rest_, 8), bytes = take_le(rest_, 8), chain = take_le(rest_, 4);
    if (keys != totals_.keys || bytes != totals_.bytes || chain != chain_) return damaged("is not whole", at);
    ended_ = true;
    return false;
  }
  if (rest_.size() < 6) return damaged("has a damaged entry", offset_);
  const std::size_t key_size = take_le(rest_, 2);
  const std::size_t value_size = take_le(rest_, 4);
  if (rest_.size() < key_size || rest_.size() - key_size < value_size)
    return damaged("has a damaged entry", offset_);
  key = rest_.substr(0, key_size);
  value = rest_.substr(key_size, value_size);
  rest_.remove_prefix(key_size + value_size);
  ++totals_.keys;
  totals_.bytes += key.size() + value.size();
  return true;
}

}  // namespace reqld::storage
