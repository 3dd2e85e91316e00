// One call of Reader::scan_index.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/database.hpp"
#include "storage/tables/index_keys.hpp"
#include "storage/tables/row_copier.hpp"

namespace reqld::storage {

class SnapshotReader;

/// Rows of an index in the order of (value, primary key, number), backwards the exact reverse. Entries of
/// truncated values that have the same beginning (a cluster) are read together and put in order by the values
/// that their rows have.
class IndexScan {
 public:
  IndexScan(SnapshotReader& reader, const TableInfo& table, const IndexInfo& index, const KeyRange& values,
            Direction direction, Reader::Limits limits, bool want_documents, std::vector<Row>& out);

  /// Appends rows; answers where to go on, nullopt at the end.
  std::optional<std::string> run(const std::optional<std::string>& resume);
  std::size_t rows() const { return rows_; }
  std::size_t document_bytes() const { return document_bytes_; }

 private:
  /// A place in the order; everything after it (in the scan's direction) is still to come.
  struct Position {
    std::string value_key;  ///< untruncated
    std::string rest;
    bool operator==(const Position&) const = default;
  };
  struct Candidate {
    Position position;
    Datum value;
  };

  bool forward() const { return direction_ == Direction::kForward; }
  bool full() const {
    return rows_ > 0 && (rows_ >= limits_.max_rows || value_bytes_ + document_bytes_ >= limits_.max_bytes);
  }
  bool below(std::string_view value_key) const { return value_key < values_.lower; }
  bool above(std::string_view value_key) const {
    return !values_.upper.empty() && value_key >= values_.upper;
  }
  bool comes_before(const Position& a, const Position& b) const;

  void seek_first(Cursor& cursor);
  void seek_after(Cursor& cursor, const Position& position);
  /// Whether the scan ends with this cluster.
  bool run_cluster(Cursor& cursor);
  void emit(std::string_view value_key, std::string_view rest, std::string_view primary_key,
            std::optional<Datum> value, std::optional<Datum> row);
  Datum row_of(std::string_view primary_key);
  /// The rows of the next entries are about to be read: has them looked for together.
  void look_ahead(const Cursor& cursor);
  std::string encode_position(const Position& position) const;

  SnapshotReader& reader_;
  const TableInfo& table_;
  const IndexInfo& index_;
  const KeyRange& values_;
  const Direction direction_;
  const Reader::Limits limits_;
  const bool want_documents_;
  std::vector<Row>& out_;

  RowCopier copier_;
  std::size_t rows_ = 0;
  std::size_t value_bytes_ = 0;
  std::size_t document_bytes_ = 0;
  std::unique_ptr<Cursor> ahead_;  ///< where look_ahead() goes on
  std::size_t looked_ahead_ = 0;   ///< entries behind the current one whose rows have been looked for
  std::optional<Position> resume_;
  Position last_;
};

}  // namespace reqld::storage
