#include "protocol/frame.hpp"

#include <bit>
#include <cstring>

namespace reqld::protocol {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian and is copied as it is");

QueryFrame read_frame(std::string_view input) {
  QueryFrame frame;
  if (input.size() < kFrameHeaderBytes) return frame;
  std::memcpy(&frame.token, input.data(), sizeof frame.token);
  std::memcpy(&frame.length_bytes, input.data() + sizeof frame.token, sizeof frame.length_bytes);
  if (frame.length_bytes > kMaxQueryBytes) {
    frame.status = FrameStatus::kTooLarge;
    return frame;
  }
  frame.need_bytes = kFrameHeaderBytes + frame.length_bytes;
  if (input.size() >= frame.need_bytes) {
    frame.status = FrameStatus::kComplete;
    frame.body = input.substr(kFrameHeaderBytes, frame.length_bytes);
  }
  return frame;
}

void write_frame_header(char* out, std::uint64_t token, std::uint32_t length_bytes) {
  std::memcpy(out, &token, sizeof token);
  std::memcpy(out + sizeof token, &length_bytes, sizeof length_bytes);
}

}  // namespace reqld::protocol
