#include "storage/tables/blobs.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "storage/database.hpp"

namespace reqld::storage {

namespace {

struct RunningJob {
  BlobStore* store = nullptr;
  WriteTxn* txn = nullptr;
};
thread_local RunningJob running_job;

class Source final : public BlobSource {
 public:
  Source(std::shared_ptr<BlobStore> store, Sequence at) : store_(std::move(store)), at_(at) {
    store_->epochs().pin(at_);
  }
  void read(std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out) override {
    store_->read(id, offset, length, out);
  }
  std::uint64_t age() const override { return at_; }

 private:
  ~Source() override { store_->epochs().unpin(at_); }
  std::shared_ptr<BlobStore> store_;
  Sequence at_;
};

[[noreturn]] void throw_unreadable(std::uint64_t id) {
  throw DatumError(DatumErrorKind::kInternal,
                   "The bytes of stored binary " + std::to_string(id) + " cannot be read.");
}

KeyBuffer blob_key(std::uint64_t id) {
  KeyBuffer key(kBlobSpace);
  key.append_u64(id);
  return key;
}

KeyBuffer chunk_key(std::uint64_t id, std::uint64_t number) {
  KeyBuffer key(kChunkSpace);
  key.append_u64(id);
  key.append_u32(static_cast<std::uint32_t>(number));
  return key;
}

KeyBuffer grave_key(Sequence buried, std::uint64_t id) {
  KeyBuffer key(kGraveyardSpace);
  key.append_u64(buried);
  key.append_u64(id);
  return key;
}

template <typename View>
void read_chunks(View& view, std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out) {
  const auto record = view.get(blob_key(id));
  if (!record) throw_unreadable(id);
  const BlobHead head = decode_blob_head(*record);
  if (offset > head.length || length > head.length - offset) throw_unreadable(id);
  if (length == 0) return;
  out.reserve(out.size() + length);
  std::uint64_t number = offset / head.chunk_bytes;
  std::uint64_t skip = offset % head.chunk_bytes;
  const auto chunk = view.cursor(
      {std::string(chunk_key(id, number)), std::string(chunk_key(id, head.chunks()))}, Direction::kForward);
  for (; length > 0; chunk->next()) {
    if (!chunk->valid() || chunk->key() != chunk_key(id, number).view() || chunk->value().size() <= skip)
      throw_unreadable(id);
    const std::uint64_t n = std::min<std::uint64_t>(length, chunk->value().size() - skip);
    out.append(chunk->value(), skip, n);
    length -= n;
    skip = 0;
    ++number;
  }
}

std::vector<std::uint64_t> distinct_ids(const Datum& row) {
  std::vector<BlobRef> refs;
  collect_blobs(row, refs);
  std::vector<std::uint64_t> ids;
  ids.reserve(refs.size());
  for (const BlobRef& ref : refs) ids.push_back(ref.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

Ref<BlobSource> BlobStore::source(Sequence at) {
  return Ref<BlobSource>(new Source(shared_from_this(), at));
}

void BlobStore::close() {
  std::unique_lock lock(mutex_);
  engine_ = nullptr;
}

void BlobStore::read(std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out) {
  if (running_job.store == this) return read_chunks(*running_job.txn, id, offset, length, out);
  std::shared_lock lock(mutex_);
  if (!engine_) throw_unreadable(id);
  const std::unique_ptr<Snapshot> snapshot = engine_->snapshot();
  read_chunks(*snapshot, id, offset, length, out);
}

BlobStore::InJob::InJob(BlobStore& store, WriteTxn& txn) {
  running_job = {&store, &txn};
}
BlobStore::InJob::~InJob() {
  running_job = {};
}

void collect_blobs(const Datum& d, std::vector<BlobRef>& out) {
  if (!d.has_blob()) return;
  if (const auto ref = d.blob_ref()) {
    out.push_back(*ref);
  } else if (d.type() == Type::kArray) {
    for (std::size_t i = 0; i < d.array_size(); ++i) collect_blobs(d.at(i), out);
  } else if (d.type() == Type::kObject) {
    for (std::size_t i = 0; i < d.object_size(); ++i) collect_blobs(d.value_at(i), out);
  }
}

BlobSource* BlobWriter::source() {
  // One before this commit: what this job removes stays readable for whoever keeps its rows.
  if (!source_) source_ = store_.source(txn_.sequence() - 1);
  return source_.get();
}

Datum BlobWriter::replace(const std::optional<Datum>& old_row, const Datum& document) {
  std::optional<Datum> moved = move_out(document);
  const Datum& row = moved ? *moved : document;
  const bool had = old_row && old_row->has_blob();
  if (!had && !row.has_blob()) return row;

  const std::vector<std::uint64_t> before = had ? distinct_ids(*old_row) : std::vector<std::uint64_t>();
  const std::vector<std::uint64_t> after = distinct_ids(row);
  std::vector<std::uint64_t> ids;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(ids));
  for (const std::uint64_t id : ids) hold(id);
  ids.clear();
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(ids));
  for (const std::uint64_t id : ids) let_go(id);
  return row;
}

void BlobWriter::retain(const Datum& row) {
  if (!row.has_blob()) return;
  for (const std::uint64_t id : distinct_ids(row)) hold(id);
}

void BlobWriter::release(const Datum& old_row) {
  if (!old_row.has_blob()) return;
  for (const std::uint64_t id : distinct_ids(old_row)) let_go(id);
}

void BlobWriter::finish() {
  if (next_id_ == 0) return;
  std::string value;
  append_u64(next_id_, value);
  txn_.put(space_key(kMetaSpace, kMetaNextBlob), value);
}

// Nothing when `d` stays as it is.
std::optional<Datum> BlobWriter::move_out(const Datum& d) {
  if (d.encoded_size() < threshold_) return std::nullopt;
  switch (d.type()) {
    case Type::kBinary: {
      const auto bytes = d.inline_binary();
      if (!bytes || bytes->size() < threshold_) return std::nullopt;
      return Datum::blob({store(*bytes), bytes->size()}, source());
    }
    case Type::kArray: {
      std::vector<Datum> values;
      bool changed = false;
      const std::size_t n = d.array_size();
      for (std::size_t i = 0; i < n; ++i) {
        Datum value = d.at(i);
        std::optional<Datum> moved = move_out(value);
        if (moved && !changed) {
          changed = true;
          values.reserve(n);
          for (std::size_t k = 0; k < i; ++k) values.push_back(d.at(k));
        }
        if (changed) values.push_back(moved ? std::move(*moved) : std::move(value));
      }
      if (!changed) return std::nullopt;
      return Datum::array(values);
    }
    case Type::kObject: {
      std::optional<ObjectBuilder> builder;
      const std::size_t n = d.object_size();
      for (std::size_t i = 0; i < n; ++i) {
        std::optional<Datum> moved = move_out(d.value_at(i));
        if (!moved) continue;
        if (!builder) builder.emplace(d);
        builder->set(d.name_at(i), std::move(*moved));
      }
      if (!builder) return std::nullopt;
      return builder->finish();
    }
    default:
      return std::nullopt;
  }
}

std::uint64_t BlobWriter::store(std::string_view bytes) {
  if (next_id_ == 0) {
    const auto next = txn_.get(space_key(kMetaSpace, kMetaNextBlob));
    next_id_ = next ? load_u64(*next) : 1;
  }
  const std::uint64_t id = next_id_++;
  BlobHead head{.length = bytes.size(), .rows = 0, .buried = 0, .chunk_bytes = kChunkBytes};
  txn_.put(blob_key(id), encode_blob_head(head));
  for (std::uint64_t at = 0, number = 0; at < bytes.size(); at += kChunkBytes, ++number)
    txn_.put(chunk_key(id, number), bytes.substr(at, kChunkBytes));
  return id;
}

BlobHead BlobWriter::head(std::uint64_t id) {
  const auto record = txn_.get(blob_key(id));
  if (!record)
    throw StorageError({ErrorKind::kCorrupt, "Stored binary " + std::to_string(id) +
                                                 " is not there, but a document refers to it."});
  return decode_blob_head(*record);
}

void BlobWriter::hold(std::uint64_t id) {
  BlobHead h = head(id);
  if (h.rows == 0 && h.buried != 0) {
    txn_.del(grave_key(h.buried, id));
    h.buried = 0;
  }
  ++h.rows;
  txn_.put(blob_key(id), encode_blob_head(h));
}

void BlobWriter::let_go(std::uint64_t id) {
  BlobHead h = head(id);
  if (h.rows == 0)
    throw StorageError({ErrorKind::kCorrupt, "Stored binary " + std::to_string(id) + " is counted too low."});
  if (--h.rows == 0) {
    h.buried = txn_.sequence();
    txn_.put(grave_key(h.buried, id), {});
    buried_ = true;
  }
  txn_.put(blob_key(id), encode_blob_head(h));
}

bool reclaim_blobs(WriteTxn& txn, Sequence oldest, std::size_t max_chunks) {
  for (;;) {
    Sequence buried;
    std::uint64_t id;
    {
      const auto graves = txn.cursor(whole_space(kGraveyardSpace), Direction::kForward);
      if (!graves->valid()) return false;
      const std::string_view key = graves->key().substr(kSpaceBytes);
      buried = load_u64(key);
      id = load_u64(key.substr(8));
    }
    if (buried > oldest) return false;
    std::vector<std::string> chunks;
    {
      std::string prefix = space_key(kChunkSpace);
      append_u64(id, prefix);
      std::string end = space_key(kChunkSpace);
      append_u64(id + 1, end);
      for (auto c = txn.cursor({prefix, end}, Direction::kForward); c->valid() && chunks.size() < max_chunks;
           c->next())
        chunks.emplace_back(c->key());
    }
    for (const std::string& chunk : chunks) txn.del(chunk);
    max_chunks -= chunks.size();
    if (max_chunks == 0) return true;
    txn.del(blob_key(id));
    txn.del(grave_key(buried, id));
    --max_chunks;
    if (max_chunks == 0) return true;
  }
}

}  // namespace reqld::storage
