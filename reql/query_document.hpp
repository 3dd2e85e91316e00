// The JSON of a query, in which every literal is a value already.
#pragma once

#include <rapidjson/document.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datum/datum.hpp"

namespace reqld::reql {

/// Each level of a query costs the parser a stack frame or two; well below any thread's stack.
inline constexpr int kMaxQueryDepth = 2000;
/// Longer literal arrays are built when they are evaluated, so that array_limit is checked there.
inline constexpr std::size_t kMaxFoldedArray = 100000;

using Json = rapidjson::Value;

inline std::string_view view(const Json& string) { return {string.GetString(), string.GetStringLength()}; }

/// A JSON document of terms. An object or a MAKE_ARRAY term with no term in it never becomes JSON nodes: it is a single one that
/// stands for its value. What has an error in it, which the parser has to report where it finds it, is there as JSON.
class QueryDocument {
 public:
  enum class Form : std::uint8_t {
    kQuery,  ///< [1, term, optional arguments]
    kTerm,
  };
  /// Parses `text` in place; it must live as long as this. Throws QueryError when it is no JSON, and DatumError when a value takes
  /// more memory than values may.
  QueryDocument(std::string& text, Form form);
  QueryDocument(const QueryDocument&) = delete;
  QueryDocument& operator=(const QueryDocument&) = delete;

  const Json& root() const { return json_; }

  struct Literal {
    Datum value;
    std::uint32_t longest_array;  ///< of those in it, itself included
  };
  /// What the node stands for; nullptr when it is ordinary JSON.
  const Literal* literal(const Json& node) const;
  /// The text of a string, a literal or not; nullopt when it is something else.
  std::optional<std::string_view> text(const Json& node) const;
  /// The type that the node has in the JSON, as errors name it: "OBJECT".
  std::string_view type_name(const Json& node) const;

  /// What a stack of RapidJSON allocates from: memory of its own while it is small. Holds one block at a time.
  class SmallStack {
   public:
    static constexpr bool kNeedFree = false;
    static constexpr std::size_t kSmallBytes = 1024;
    SmallStack() = default;
    SmallStack(const SmallStack&) = delete;
    SmallStack& operator=(const SmallStack&) = delete;
    ~SmallStack() { std::free(large_); }

    void* Malloc(std::size_t bytes) { return Realloc(nullptr, 0, bytes); }
    void* Realloc(void* block, std::size_t old_bytes, std::size_t bytes);
    static void Free(void*) {}

   private:
    alignas(16) char small_[kSmallBytes];
    void* large_ = nullptr;
  };
  using JsonDocument = rapidjson::GenericDocument<rapidjson::UTF8<>, rapidjson::MemoryPoolAllocator<>, SmallStack>;

 private:
  // A usual query needs no other memory than this.
  alignas(16) char node_bytes_[4096];
  rapidjson::MemoryPoolAllocator<> nodes_{node_bytes_, sizeof node_bytes_};
  SmallStack stack_;
  JsonDocument json_{&nodes_, SmallStack::kSmallBytes, &stack_};
  alignas(std::max_align_t) std::byte scratch_bytes_[2048];
  std::pmr::monotonic_buffer_resource scratch_{scratch_bytes_, sizeof scratch_bytes_};
  std::pmr::vector<Literal> literals_{&scratch_};
};

}  // namespace reqld::reql
