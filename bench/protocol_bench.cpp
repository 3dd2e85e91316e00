// What a frame costs: replies from their rows to what a writev is given, and queries cut off the input;
// beside memcpy of the same bytes.
//
//   ./dev bench micro protocol [--benchmark_filter=REGEX]
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/micro.hpp"
#include "protocol/frame.hpp"
#include "protocol/response.hpp"

using namespace reqld;
using namespace reqld::bench;
using namespace reqld::protocol;

namespace {

void add_memcpy(const std::string& data, const std::string& from, std::string& to) {
  to.resize(from.size());
  add("limit/memcpy/" + data, {.bytes = from.size(), .items = 1}, [&from, &to] {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  });
}

/// Rows are handed over, so each reply gets a copy; it is part of the figure.
void add_reply(const std::string& data, const std::string& rows, OutputQueue& out, std::string& copy) {
  add("protocol/reply/" + data, {.bytes = rows.size(), .items = 1}, [&rows, &out] {
    Response response;
    response.rows = rows;
    append_response(out, 1, std::move(response));
    iovec pieces[16];
    DoNotOptimize(out.gather(pieces));
    out.consume(out.queued_bytes());
  });
  add_memcpy(data, rows, copy);
}

/// Queries as they come when a client keeps several outstanding.
std::string queries(int count, std::string_view body) {
  std::string input;
  for (int i = 0; i < count; ++i) {
    char header[kFrameHeaderBytes];
    write_frame_header(header, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(body.size()));
    input.append(header, sizeof header).append(body);
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string atom =
      R"({"id":"1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11","n":12,"s":")" + std::string(200, 'x') + "\"}";
  std::string batch = atom;
  for (int i = 1; i < 1000; ++i) batch += ',' + atom;
  OutputQueue out;
  std::string atom_copy, batch_copy, input_copy;
  add_reply("document", atom, out, atom_copy);
  add_reply("documents_1000", batch, out, batch_copy);

  const std::string input =
      queries(16, R"([1,[16,[[15,["users"]],"1f8a4c1e-5b1c-4c55-9b0e-0c5f4a0d9a11"]],{}])");
  add("protocol/read_frames/queries_16", {.bytes = input.size(), .items = 16}, [&] {
    std::string_view rest = input;
    while (!rest.empty()) {
      const QueryFrame frame = read_frame(rest);
      if (frame.status != FrameStatus::kComplete) std::abort();
      DoNotOptimize(frame.body);
      rest.remove_prefix(kFrameHeaderBytes + frame.body.size());
    }
  });
  add_memcpy("queries_16", input, input_copy);
  return run(argc, argv);
}
