// Fills an engine of its own with keys, in large jobs.
#pragma once

#include <deque>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.hpp"

namespace reqld::storage {

class BulkLoad {
 public:
  explicit BulkLoad(Engine& engine) : engine_(engine) {}
  ~BulkLoad();
  BulkLoad(const BulkLoad&) = delete;
  BulkLoad& operator=(const BulkLoad&) = delete;

  Result<void> add(std::string_view key, std::string_view value);
  Result<void> remove(std::string_view key);
  /// Writes the rest, makes what was buried in another history reclaimable in this one, and waits until all
  /// of it is on disk.
  Result<void> finish();

 private:
  struct Write {
    std::string key;
    std::string value;
    bool gone;
  };
  Result<void> push(Write write);
  Result<void> submit();
  Result<void> wait_for_oldest();
  Result<void> bury_anew();

  Engine& engine_;
  std::vector<Write> writes_;
  std::size_t bytes_ = 0;
  std::deque<std::future<Result<Sequence>>> flying_;
};

}  // namespace reqld::storage
