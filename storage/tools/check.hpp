// Verifies everything that a database holds, and says exactly what is wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/database.hpp"

namespace reqld::storage {

struct CheckOptions {
  IndexFunctionFactory index_functions;  ///< without it entries of indexes are only counted
  std::size_t max_findings = 1000;       ///< more are counted, not kept
  /// Called now and then with what is being looked at, and how many of how many rows are done.
  std::function<void(const std::string& what, std::uint64_t done, std::uint64_t total)> progress;
};

struct CheckReport {
  std::uint64_t dbs = 0, tables = 0, indexes = 0, rows = 0, entries = 0, blobs = 0, blob_bytes = 0;
  std::uint64_t problems = 0;
  std::vector<std::string> findings;  ///< one line each; the first `max_findings`
  bool ok() const { return problems == 0; }
};

/// On one snapshot of an open engine; writers go on.
CheckReport check_database(Engine& engine, const CheckOptions& options);

/// Of a directory that no server runs on; recovers it when it was not closed cleanly. kInUse when a server
/// runs on it, kCorrupt when it cannot be opened.
Result<CheckReport> check_directory(const std::string& directory, const CheckOptions& options);

}  // namespace reqld::storage
