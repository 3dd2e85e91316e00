// What the engine's tests share: a directory of their own, submitting and waiting.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "storage/engine.hpp"
#include "tests/storage/eventually.hpp"

namespace reqld::storage {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "reqld-engine-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::unique_ptr<Engine> open_engine(const TempDirectory& dir, EngineOptions options = {}) {
  options.directory = dir.path();
  auto engine = Engine::open(options);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

inline std::future<Result<Sequence>> submit(Engine& engine, Durability durability, Engine::Job job) {
  auto promise = std::make_shared<std::promise<Result<Sequence>>>();
  auto future = promise->get_future();
  engine.submit(std::move(job), durability, [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
  return future;
}

inline Result<Sequence> run(Engine& engine, Durability durability, Engine::Job job) {
  return submit(engine, durability, std::move(job)).get();
}

}  // namespace reqld::storage
