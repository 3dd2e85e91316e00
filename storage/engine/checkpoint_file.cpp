#include "storage/engine/checkpoint_file.hpp"

#include <fcntl.h>

#include <cstring>

#include "storage/engine/crc32c.hpp"

namespace reqld::storage {
namespace {

constexpr char kMagic[] = "reqldckp";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSlotBytes = 4096;
constexpr std::size_t kCrcAt = kCheckpointBytes - 4;
constexpr std::size_t kMetaAt = 64;

template <typename T>
void store(std::string& out, std::size_t at, T v) {
  std::memcpy(out.data() + at, &v, sizeof v);
}

template <typename T>
T load(std::string_view in, std::size_t at) {
  T v;
  std::memcpy(&v, in.data() + at, sizeof v);
  return v;
}

}  // namespace

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string out(kCheckpointBytes, '\0');
  std::memcpy(out.data(), kMagic, 8);
  store(out, 8, kVersion);
  store(out, 16, checkpoint.database);
  store(out, 24, checkpoint.counter);
  store(out, 32, checkpoint.sequence);
  store(out, 40, checkpoint.position.segment);
  store(out, 48, checkpoint.position.offset);
  std::memcpy(out.data() + kMetaAt, checkpoint.meta.data(), checkpoint.meta.size());
  store(out, kCrcAt, crc32c(0, out.data(), kCrcAt));
  return out;
}

std::optional<Checkpoint> decode_checkpoint(std::string_view bytes) {
  if (bytes.size() < kCheckpointBytes || std::memcmp(bytes.data(), kMagic, 8) != 0) return std::nullopt;
  if (load<std::uint32_t>(bytes, kCrcAt) != crc32c(0, bytes.data(), kCrcAt)) return std::nullopt;
  if (load<std::uint32_t>(bytes, 8) != kVersion) return std::nullopt;
  Checkpoint c;
  c.database = load<std::uint64_t>(bytes, 16);
  c.counter = load<std::uint64_t>(bytes, 24);
  c.sequence = load<std::uint64_t>(bytes, 32);
  c.position = {load<std::uint64_t>(bytes, 40), load<std::uint64_t>(bytes, 48)};
  std::memcpy(c.meta.data(), bytes.data() + kMetaAt, c.meta.size());
  return c;
}

Result<void> CheckpointFile::create(const std::string& directory, const Checkpoint& first) {
  const std::string unfinished = path(directory) + ".new";
  {
    auto file = File::open(unfinished, O_RDWR | O_CREAT | O_TRUNC);
    if (!file) return file.error();
    std::string bytes(2 * kSlotBytes, '\0');
    const std::string slot = encode_checkpoint(first);
    std::memcpy(bytes.data() + (first.counter & 1) * kSlotBytes, slot.data(), slot.size());
    if (auto wrote = file->write_at(0, bytes.data(), bytes.size()); !wrote) return wrote;
    if (auto synced = file->sync_data(); !synced) return synced;
  }
  if (auto renamed = rename_file(unfinished, path(directory)); !renamed) return renamed;
  return sync_directory(directory);
}

Result<Checkpoint> CheckpointFile::read(const std::string& directory) {
  auto file = File::open(path(directory), O_RDONLY);
  if (!file) return file.error();
  std::string bytes(2 * kSlotBytes, '\0');
  auto n = file->read_at(0, bytes.data(), bytes.size());
  if (!n) return n.error();
  std::optional<Checkpoint> best;
  for (std::size_t i = 0; i < 2; ++i) {
    auto c = decode_checkpoint(std::string_view(bytes).substr(i * kSlotBytes, kCheckpointBytes));
    if (c && (!best || c->counter > best->counter)) best = c;
  }
  if (!best) return Error{ErrorKind::kCorrupt, path(directory) + " holds no intact checkpoint"};
  return *best;
}

Result<CheckpointFile> CheckpointFile::open(const std::string& directory) {
  auto file = File::open(path(directory), O_RDWR);
  if (!file) return file.error();
  CheckpointFile self;
  self.file_ = std::move(*file);
  return self;
}

Result<void> CheckpointFile::write(const Checkpoint& checkpoint) {
  std::string slot = encode_checkpoint(checkpoint);
  slot.resize(kSlotBytes);
  if (auto wrote = file_.write_at((checkpoint.counter & 1) * kSlotBytes, slot.data(), slot.size()); !wrote) return wrote;
  return file_.sync_data();
}

}  // namespace reqld::storage
