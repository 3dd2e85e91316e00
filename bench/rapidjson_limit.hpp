// RapidJSON alone, reading what our readers read: the limit of whatever is built on it.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/reader.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/micro.hpp"

namespace reqld::bench {

/// Looks at every value, so that none of the reading is left out.
class JsonSums : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, JsonSums> {
 public:
  bool Default() { return ++values_, true; }
  bool Int(int n) { return number(n); }
  bool Uint(unsigned n) { return number(n); }
  bool Int64(std::int64_t n) { return number(static_cast<double>(n)); }
  bool Uint64(std::uint64_t n) { return number(static_cast<double>(n)); }
  bool Double(double n) { return number(n); }
  bool String(const char*, rapidjson::SizeType size, bool) { return values_ += size, true; }
  bool Key(const char*, rapidjson::SizeType size, bool) { return values_ += size, true; }

 private:
  bool number(double n) { return sum_ += n, true; }

  double sum_ = 0;
  std::size_t values_ = 0;
};

/// The flags that our parsers use, but numbers are converted: full precision is what we promise.
inline constexpr unsigned kLimitFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseFullPrecisionFlag | rapidjson::kParseIterativeFlag;

/// Reading in place overwrites the text: each call reads a copy, as ours do.
inline std::string padded_copy(std::string_view text) {
  constexpr std::size_t kVectorBytes = 16;
  std::string copy;
  copy.reserve(text.size() + kVectorBytes);
  return copy.assign(text);
}

/// `limit/rapidjson_sax/DATA` and `limit/rapidjson_dom/DATA`. `text` must live until `run` has returned.
inline void add_rapidjson_limits(const std::string& data, std::string_view text, std::size_t items = 1) {
  const Work work{.bytes = text.size(), .items = items};
  add("limit/rapidjson_sax/" + data, work, [text] {
    std::string copy = padded_copy(text);
    rapidjson::InsituStringStream stream(copy.data());
    JsonSums sums;
    if (rapidjson::Reader().Parse<kLimitFlags>(stream, sums).IsError()) std::abort();
    DoNotOptimize(sums);
  });
  add("limit/rapidjson_dom/" + data, work, [text] {
    std::string copy = padded_copy(text);
    // Without a buffer of its own, a small document would cost little but malloc's 64 KiB.
    alignas(16) char memory[4096];
    rapidjson::CrtAllocator heap;
    rapidjson::MemoryPoolAllocator<> allocator(memory, sizeof memory);
    rapidjson::Document document(&allocator, 1024, &heap);
    if (document.ParseInsitu<kLimitFlags>(copy.data()).HasParseError()) std::abort();
    DoNotOptimize(document);
  });
}

}  // namespace reqld::bench
