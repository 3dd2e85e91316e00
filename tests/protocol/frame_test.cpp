#include "protocol/frame.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace reqld::protocol;

namespace {
std::string framed(std::uint64_t token, std::uint32_t length, const std::string& body) {
  std::string bytes(kFrameHeaderBytes, '\0');
  write_frame_header(bytes.data(), token, length);
  return bytes + body;
}
}  // namespace

TEST_CASE("a frame cut short anywhere asks for more") {
  const std::string whole = framed(7, 5, "[1,1]");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto frame = read_frame(std::string_view(whole).substr(0, cut));
    CHECK(frame.status == FrameStatus::kNeedMore);
    CHECK(frame.need_bytes == (cut < kFrameHeaderBytes ? kFrameHeaderBytes : whole.size()));
  }
  const std::string more = whole + "next";
  const auto frame = read_frame(more);
  CHECK(frame.status == FrameStatus::kComplete);
  CHECK(frame.token == 7);
  CHECK(frame.body == "[1,1]");
}

TEST_CASE("tokens are eight bytes, printed with a sign") {
  const auto frame = read_frame(framed(~std::uint64_t{0}, 0, ""));
  CHECK(frame.status == FrameStatus::kComplete);
  CHECK(frame.body.empty());
  CHECK(printable_token(frame.token) == -1);
}

TEST_CASE("the largest query is accepted, one byte more is not") {
  CHECK(read_frame(framed(1, kMaxQueryBytes, "")).status == FrameStatus::kNeedMore);
  const auto frame = read_frame(framed(1, kMaxQueryBytes + 1, ""));
  CHECK(frame.status == FrameStatus::kTooLarge);
  CHECK(frame.length_bytes == kMaxQueryBytes + 1);
  CHECK(read_frame(framed(1, 4294967295u, "")).status == FrameStatus::kTooLarge);
}
