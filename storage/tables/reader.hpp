// Reads within one snapshot.
#pragma once

#include <memory>

#include "storage/database.hpp"
#include "storage/tables/blobs.hpp"

namespace reqld::storage {

class SnapshotReader final : public Reader {
 public:
  /// Enters the epoch, then takes the snapshot.
  SnapshotReader(Engine& engine, BlobStore& blobs);
  ~SnapshotReader() override;

  Sequence sequence() const override { return snapshot_->sequence(); }
  std::optional<Datum> get(const TableInfo& table, std::string_view key) override;
  void prefetch(std::span<const RowPlace> rows) override;
  std::uint64_t count(const TableInfo& table) override;
  std::optional<std::string> scan(const TableInfo& table, const KeyRange& keys, Direction direction,
                                  Limits limits, std::vector<Row>& out) override;
  std::optional<std::string> middle(const TableInfo& table, const KeyRange& keys) override;
  std::optional<std::string> scan_index(const TableInfo& table, const IndexInfo& index,
                                        const IndexRange& range, Direction direction,
                                        const std::optional<std::string>& resume, Limits limits,
                                        bool want_documents, std::vector<Row>& out) override;
  std::optional<std::string> scan_with_values(const TableInfo& table, const IndexInfo& index,
                                              const KeyRange& keys, Limits limits,
                                              std::vector<Row>& out) override;
  ChangeLogRead read_change_log(const std::shared_ptr<const TableInfo>& table, ChangePosition after,
                                Limits limits, std::vector<RowChange>& out) override;

  /// For rows that hold blobs.
  BlobSource* blob_source();
  Snapshot& snapshot() { return *snapshot_; }

 private:
  BlobStore& blobs_;
  Epochs::Slot slot_;
  std::unique_ptr<Snapshot> snapshot_;
  Ref<BlobSource> source_;
};

}  // namespace reqld::storage
