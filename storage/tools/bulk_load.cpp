#include "storage/tools/bulk_load.hpp"

#include <memory>

#include "storage/database.hpp"
#include "storage/tables/keyspace.hpp"

namespace reqld::storage {

namespace {
constexpr std::size_t kJobBytes = 4u << 20;
constexpr std::size_t kJobsInFlight = 3;
}  // namespace

BulkLoad::~BulkLoad() {
  for (auto& job : flying_) job.wait();
}

Result<void> BulkLoad::add(std::string_view key, std::string_view value) {
  return push({std::string(key), std::string(value), false});
}
Result<void> BulkLoad::remove(std::string_view key) {
  return push({std::string(key), {}, true});
}

Result<void> BulkLoad::push(Write write) {
  bytes_ += write.key.size() + write.value.size() + 32;
  writes_.push_back(std::move(write));
  return bytes_ < kJobBytes ? Result<void>() : submit();
}

Result<void> BulkLoad::submit() {
  if (writes_.empty()) return {};
  auto promise = std::make_shared<std::promise<Result<Sequence>>>();
  flying_.push_back(promise->get_future());
  engine_.submit(
      [writes = std::make_shared<std::vector<Write>>(std::move(writes_))](WriteTxn& txn) -> Result<void> {
        for (const Write& w : *writes) {
          if (w.gone)
            txn.del(w.key);
          else
            txn.put(w.key, w.value);
        }
        return {};
      },
      Durability::kSoft, [promise](Result<Sequence> result) { promise->set_value(std::move(result)); });
  writes_ = {};
  bytes_ = 0;
  return flying_.size() < kJobsInFlight ? Result<void>() : wait_for_oldest();
}

Result<void> BulkLoad::wait_for_oldest() {
  Result<Sequence> done = flying_.front().get();
  flying_.pop_front();
  return done ? Result<void>() : done.error();
}

Result<void> BulkLoad::bury_anew() {
  const std::unique_ptr<Snapshot> snapshot = engine_.snapshot();
  for (auto c = snapshot->cursor(whole_space(kGraveyardSpace), Direction::kForward); c->valid(); c->next()) {
    const std::string_view key = c->key().substr(kSpaceBytes);
    if (key.size() != 16 || load_u64(key) == 1) continue;
    std::string blob = space_key(kBlobSpace);
    blob.append(key.substr(8));
    const auto record = snapshot->get(blob);
    if (!record) continue;
    BlobHead head = decode_blob_head(*record);
    head.buried = 1;
    std::string grave = space_key(kGraveyardSpace);
    append_u64(1, grave);
    grave.append(key.substr(8));
    if (Result<void> done = remove(c->key()); !done) return done;
    if (Result<void> done = add(grave, {}); !done) return done;
    if (Result<void> done = add(blob, encode_blob_head(head)); !done) return done;
  }
  return {};
}

Result<void> BulkLoad::finish() {
  const auto drain = [this]() -> Result<void> {
    if (Result<void> done = submit(); !done) return done;
    while (!flying_.empty())
      if (Result<void> done = wait_for_oldest(); !done) return done;
    return {};
  };
  if (Result<void> done = drain(); !done) return done;
  // Change logs go by the old numbers: the database forgets them when it is opened.
  if (Result<void> done = add(space_key(kMetaSpace, kMetaRenumbered), {}); !done) return done;
  try {
    if (Result<void> done = bury_anew(); !done) return done;
  } catch (const StorageError& e) {
    return Error{e.kind(), e.what()};
  }
  if (Result<void> done = drain(); !done) return done;
  std::promise<Result<Sequence>> synced;
  engine_.sync([&synced](Result<Sequence> result) { synced.set_value(std::move(result)); });
  const Result<Sequence> result = synced.get_future().get();
  return result ? Result<void>() : result.error();
}

}  // namespace reqld::storage
