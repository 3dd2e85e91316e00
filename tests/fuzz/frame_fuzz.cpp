// fuzz libs: reqld_protocol
// Any bytes as what an authenticated client sends: cut into frames, each looked at as a query. However the
// bytes are divided over reads, the same queries come out.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/response.hpp"

using namespace reqld::protocol;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

struct Seen {
  std::uint64_t token;
  QueryType type;
  std::string text;
  bool operator==(const Seen&) const = default;
};

/// What a session would see that gets `step` bytes per read.
std::vector<Seen> conversation(std::string_view bytes, std::size_t step) {
  std::vector<Seen> seen;
  std::string pending;
  while (!bytes.empty()) {
    pending.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const QueryFrame frame = read_frame(pending);
      if (frame.status == FrameStatus::kTooLarge) {
        require(frame.length_bytes > kMaxQueryBytes);
        return seen;
      }
      if (frame.status == FrameStatus::kNeedMore) {
        require(frame.need_bytes > pending.size());
        break;
      }
      const Envelope envelope = read_envelope(frame.body);
      require((envelope.type == QueryType::kInvalid) == !envelope.client_error.empty());
      seen.push_back({frame.token, envelope.type, envelope.client_error});
      pending.erase(0, kFrameHeaderBytes + frame.body.size());
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = conversation(bytes, size + 1);
  require(whole == conversation(bytes, 1));
  require(whole == conversation(bytes, 13));

  // Also as the body of a query, and as the text of an error, which must come back as one whole frame.
  read_envelope(bytes);
  OutputQueue queue;
  append_response(queue, 7, error_response(kRuntimeError, kInternalError, bytes));
  std::string sent;
  while (!queue.empty()) {
    iovec piece[1];
    require(queue.gather(piece) == 1);
    const std::size_t take = (piece[0].iov_len + 1) / 2;
    sent.append(static_cast<const char*>(piece[0].iov_base), take);
    queue.consume(take);
  }
  const QueryFrame frame = read_frame(sent);
  require(frame.status == FrameStatus::kComplete && frame.need_bytes == sent.size());
  return 0;
}
