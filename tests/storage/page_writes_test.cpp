// Checkpoints write few pages at a time, and everybody else as ever.
#include "storage/engine/page_writes.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/storage/engine_fixture.hpp"

namespace reqld::storage {
namespace {

/// How often this thread, or with "self" this process, has called write and its like. Without streams: what checks their types in
/// a build with sanitizers writes too.
std::uint64_t write_calls(const char* whose = "thread-self") {
  char text[512] = {};
  const int fd = ::open((std::string("/proc/") + whose + "/io").c_str(), O_RDONLY);
  const ssize_t n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  const char* const line = n > 0 ? std::strstr(text, "syscw: ") : nullptr;
  return line != nullptr ? std::strtoull(line + 7, nullptr, 10) : 0;
}

}  // namespace

TEST_CASE("writev writes the same in one call or in several") {
  std::vector<std::string> pages;
  for (std::size_t i = 0; i < 20; ++i) pages.emplace_back(i == 5 ? 0 : 4096, static_cast<char>('a' + i));
  std::vector<iovec> pieces;
  std::string all;
  for (std::string& page : pages) {
    pieces.push_back({page.data(), page.size()});
    all += page;
  }
  const auto write_to = [&](int fd) { return ::writev(fd, pieces.data(), static_cast<int>(pieces.size())); };
  for (const bool in_parts : {false, true}) {
    CAPTURE(in_parts);
    std::optional<ShortPageWrites> scope;
    if (in_parts) scope.emplace();
    const TempDirectory directory;
    const int fd = ::open((directory.path() + "/f").c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(fd >= 0);
    const std::uint64_t before = write_calls();
    const ssize_t written = write_to(fd);
    const std::uint64_t calls = write_calls() - before;
    CHECK(written == static_cast<ssize_t>(all.size()));
    CHECK(calls == (in_parts ? 3 : 1));
    std::string content(all.size() + 1, '\0');
    content.resize(static_cast<std::size_t>(::pread(fd, content.data(), content.size(), 0)));
    CHECK(content == all);
    ::close(fd);

    const int full = ::open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    CHECK(write_to(full) == -1);
    CHECK(errno == ENOSPC);
    ::close(full);

    // What does not fit is left out, as ever.
    int pipe_ends[2];
    REQUIRE(::pipe2(pipe_ends, O_NONBLOCK) == 0);
    REQUIRE(::fcntl(pipe_ends[1], F_SETPIPE_SZ, 65536) == 65536);
    CHECK(write_to(pipe_ends[1]) == 65536);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
  }
}

TEST_CASE("a checkpoint writes few pages at a time") {
  const TempDirectory directory;
  auto engine = open_engine(directory);
  const std::uint64_t before = write_calls("self");
  const auto done = run(*engine, Durability::kSoft, [](WriteTxn& txn) {
    for (int i = 0; i < 20'000; ++i) txn.put("key" + std::to_string(i), std::string(2000, 'v'));
    return Result<void>();
  });
  CHECK(done);
  engine.reset();
  // At most two of these rows fit in a page. The log takes a few calls more.
  CHECK(write_calls("self") - before >= 10'000 / 8);
}

}  // namespace reqld::storage
