// Where things lie in a page of LMDB 0.9 on a 64-bit little-endian machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace reqld::storage::lmdb {

// Every page.
constexpr std::size_t kPageNumberAt = 0;
constexpr std::size_t kPageFlagsAt = 10;
constexpr std::size_t kPageHeaderBytes = 16;
constexpr std::uint16_t kBranchFlag = 0x01;
constexpr std::uint16_t kMetaFlag = 0x08;

// A page of the tree: after the header the offsets of its nodes (u16 each), up to `lower`.
constexpr std::size_t kPageLowerAt = 12;
constexpr std::size_t kNodeHeaderBytes = 8;
constexpr std::size_t kNodeValueSizeAt = 0;  ///< of a leaf's node
constexpr std::size_t kNodeFlagsAt = 4;      ///< of a leaf's node: none when its value lies behind the key
constexpr std::uint16_t kOwnPagesFlag = 0x01;  ///< the number of the first page with the value does, which lies behind a header
constexpr std::size_t kNodeKeySizeAt = 6;
constexpr std::uint64_t kChildPageMask = 0xffff'ffff'ffff;  ///< of a branch node's header

// A meta page.
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kVersionAt = 20;
constexpr std::size_t kPageSizeAt = 40;
constexpr std::size_t kDepthAt = 94;  ///< of the main database
constexpr std::size_t kRootAt = 128;
constexpr std::size_t kLastPageAt = 136;
constexpr std::size_t kTransactionAt = 144;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;

template <typename T>
T field(const void* page, std::size_t at) {
  T v;
  std::memcpy(&v, static_cast<const char*>(page) + at, sizeof v);
  return v;
}

template <typename T>
void set_field(void* page, std::size_t at, T v) {
  std::memcpy(static_cast<char*>(page) + at, &v, sizeof v);
}

}  // namespace reqld::storage::lmdb
