#include "storage/engine/checkpoint_file.hpp"

#include <fcntl.h>

#include <cstring>

#include "storage/engine/crc32c.hpp"

namespace reqld::storage {
namespace {

constexpr char kMagic[] = "reqldckp";
/// 2: large values are in chunks. A directory of version 1 is one that has none yet.
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kOldestVersion = 1;
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

std::string_view slot_of(std::string_view file, std::uint64_t counter) {
  return file.substr((counter & 1) * kSlotBytes, kCheckpointBytes);
}

std::optional<Checkpoint> newest_in(std::string_view file) {
  std::optional<Checkpoint> best;
  for (std::size_t i = 0; i < 2; ++i) {
    auto c = decode_checkpoint(slot_of(file, i));
    if (c && (!best || c->counter > best->counter)) best = c;
  }
  return best;
}

/// Both slots, zeros where there is nothing.
Result<std::string> read_slots(File& file) {
  std::string bytes(2 * kSlotBytes, '\0');
  auto n = file.read_at(0, bytes.data(), bytes.size());
  if (!n) return n.error();
  return bytes;
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
  const auto version = load<std::uint32_t>(bytes, 8);
  if (version < kOldestVersion || version > kVersion) return std::nullopt;
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
  const auto bytes = read_slots(*file);
  if (!bytes) return bytes.error();
  const auto best = newest_in(*bytes);
  if (!best) return Error{ErrorKind::kCorrupt, path(directory) + " holds no intact checkpoint"};
  return *best;
}

Result<CheckpointFile> CheckpointFile::open(const std::string& directory) {
  auto file = File::open(path(directory), O_RDWR);
  if (!file) return file.error();
  CheckpointFile self;
  self.file_ = std::move(*file);
  if (auto upgraded = self.upgrade(); !upgraded) return upgraded.error();
  return self;
}

// An older program must find no slot that it knows, above all not the one that will be out of date.
Result<void> CheckpointFile::upgrade() {
  const auto bytes = read_slots(file_);
  if (!bytes) return bytes.error();
  const auto newest = newest_in(*bytes);
  if (!newest) return {};
  for (const std::uint64_t slot : {newest->counter + 1, newest->counter}) {
    const std::string_view now = slot_of(*bytes, slot);
    if (!decode_checkpoint(now) || load<std::uint32_t>(now, 8) == kVersion) continue;
    if (auto wrote = write_slot(slot, *newest); !wrote) return wrote;
  }
  return {};
}

Result<void> CheckpointFile::write(const Checkpoint& checkpoint) { return write_slot(checkpoint.counter, checkpoint); }

Result<void> CheckpointFile::write_slot(std::uint64_t slot, const Checkpoint& checkpoint) {
  std::string bytes = encode_checkpoint(checkpoint);
  bytes.resize(kSlotBytes);
  if (auto wrote = file_.write_at((slot & 1) * kSlotBytes, bytes.data(), bytes.size()); !wrote) return wrote;
  return file_.sync_data();
}

}  // namespace reqld::storage
