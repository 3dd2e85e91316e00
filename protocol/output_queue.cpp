#include "protocol/output_queue.hpp"

#include <utility>

namespace reqld::protocol {
namespace {
constexpr std::size_t kJoinedBytes = 64 * 1024;  ///< small pieces are joined up to about this size
}

std::string& OutputQueue::tail(std::size_t bytes) {
  if (!tail_open_ || pieces_.back().size() + bytes > kJoinedBytes) {
    pieces_.emplace_back();
    tail_open_ = true;
  }
  return pieces_.back();
}

void OutputQueue::append(std::string_view bytes) {
  if (bytes.empty()) return;
  tail(bytes.size()).append(bytes);
  queued_bytes_ += bytes.size();
}

void OutputQueue::append(std::string&& bytes) {
  if (bytes.size() < kTakeOverBytes) return append(std::string_view(bytes));
  queued_bytes_ += bytes.size();
  pieces_.push_back(std::move(bytes));
  tail_open_ = false;
}

std::size_t OutputQueue::gather(std::span<iovec> out) const {
  std::size_t n = 0;
  std::size_t offset = first_offset_;
  for (std::size_t i = first_; i < pieces_.size() && n < out.size(); ++i, offset = 0) {
    const std::string& piece = pieces_[i];
    out[n++] = {const_cast<char*>(piece.data()) + offset, piece.size() - offset};
  }
  return n;
}

void OutputQueue::consume(std::size_t bytes) {
  queued_bytes_ -= bytes;
  if (queued_bytes_ == 0) return clear();
  while (bytes > 0) {
    std::string& piece = pieces_[first_];
    const std::size_t rest = piece.size() - first_offset_;
    if (bytes < rest) {
      first_offset_ += bytes;
      return;
    }
    bytes -= rest;
    first_offset_ = 0;
    // Large pieces are given back at once, not when the whole queue is sent.
    if (piece.size() >= kTakeOverBytes) std::string().swap(piece);
    ++first_;
  }
  if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::clear() {
  // One joined piece keeps its memory: the next replies go there.
  const bool keep = tail_open_ && pieces_.size() == 1 && pieces_.front().capacity() <= 2 * kJoinedBytes;
  if (keep) {
    pieces_.front().clear();
  } else {
    pieces_.clear();
    tail_open_ = false;
  }
  first_ = first_offset_ = queued_bytes_ = 0;
}

}  // namespace reqld::protocol
