// Checks bytes that may be damaged: nothing is read that was not found to be within bounds first.
#include <cmath>

#include "datum/datum.hpp"
#include "datum/encoding.hpp"

namespace reqld {

using namespace encoding;

namespace {

class Validator {
 public:
  Validator(std::string_view bytes, std::size_t max_depth)
      : begin_(reinterpret_cast<const std::uint8_t*>(bytes.data())),
        size_(bytes.size()),
        max_depth_(max_depth) {}

  bool run() {
    if (!value()) return false;
    while (!open_.empty()) {
      if (open_.back().next == open_.back().count ? !close() : !item()) return false;
    }
    return at_ == size_;
  }

 private:
  struct Open {
    std::size_t offsets;  // where the table is
    std::size_t data;
    std::size_t end;
    std::uint32_t count;
    std::uint32_t next;
    std::uint8_t width;
    std::uint8_t flags;  // as they have to be
    std::uint8_t stored_flags;
    bool object;
    std::string_view last_name;
  };

  std::size_t left() const { return limit() - at_; }
  std::size_t limit() const { return open_.empty() ? size_ : open_.back().end; }
  const std::uint8_t* here() const { return begin_ + at_; }

  bool varint(std::uint64_t& v) {
    v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left() == 0) return false;
      const std::uint64_t b = *here();
      ++at_;
      if (shift == 63 && b > 1) return false;
      v |= (b & 0x7f) << shift;
      if (b < 0x80) return b != 0 || shift == 0;  // no padding
    }
    return false;
  }

  bool sized(std::string_view& text) {
    std::uint64_t n = 0;
    if (!varint(n) || n > left()) return false;
    text = {reinterpret_cast<const char*>(here()), static_cast<std::size_t>(n)};
    at_ += static_cast<std::size_t>(n);
    return true;
  }

  bool number(std::size_t bytes) {
    if (left() < bytes) return false;
    const double d = number_at(here());
    if (!std::isfinite(d)) return false;
    std::uint8_t canonical[9];
    const auto n = static_cast<std::size_t>(write_number(canonical, d) - canonical);
    if (n != bytes || std::memcmp(canonical, here(), n) != 0) return false;
    at_ += bytes;
    return true;
  }

  bool skip(std::size_t bytes) {
    if (left() < bytes) return false;
    at_ += bytes;
    return true;
  }

  void mark_blob() {
    if (!open_.empty()) open_.back().flags |= kContainerHasBlob;
  }

  /// A value at `at_`: passes a scalar, opens a container.
  bool value() {
    if (left() == 0) return false;
    std::string_view text;
    switch (tag_at(here())) {
      case Tag::kNull:
      case Tag::kFalse:
      case Tag::kTrue:
        return skip(1);
      case Tag::kInt8:
        return number(2);
      case Tag::kInt16:
        return number(3);
      case Tag::kInt32:
        return number(5);
      case Tag::kInt64:
      case Tag::kDouble:
        return number(9);
      case Tag::kString:
      case Tag::kBinary:
        return skip(1) && sized(text);
      case Tag::kBlob:
        mark_blob();
        return skip(17);
      case Tag::kTime:
        return left() >= 11 && std::isfinite(time_at(here()).epoch_seconds) && skip(11);
      case Tag::kGeometry:
        return skip(1) && left() > 0 && tag_at(here()) == Tag::kObject && open(true);
      case Tag::kArray:
        return open(false);
      case Tag::kObject:
        return open(true);
      default:
        return false;
    }
  }

  bool open(bool object) {
    if (open_.size() >= max_depth_ || left() < 2) return false;
    const std::uint8_t flags = here()[1];
    const std::uint8_t width = flags & kContainerWidthMask;
    if (width > 2 || (flags & ~(kContainerWidthMask | kContainerHasBlob)) != 0) return false;
    const std::size_t w = std::size_t{1} << width;
    if (left() < 2 + 2 * w) return false;
    const std::size_t size = load_width(here() + 2, width);
    const std::uint32_t count = load_width(here() + 2 + w, width);
    const std::size_t table = at_ + 2 + 2 * w;
    const std::size_t end = at_ + 2 + w + size;
    if (end > limit() || size < w + w * count) return false;
    const std::size_t data = table + w * count;
    if (ContainerHeader(count, end - data).width != width) return false;
    open_.push_back({table,
                     data,
                     end,
                     count,
                     0,
                     width,
                     0,
                     static_cast<std::uint8_t>(flags & kContainerHasBlob),
                     object,
                     {}});
    at_ = data;
    return true;
  }

  bool item() {
    Open& top = open_.back();
    const std::size_t offset =
        load_width(begin_ + top.offsets + (std::size_t{top.next} << top.width), top.width);
    if (top.data + offset != at_) return false;
    if (top.object) {
      std::string_view name;
      if (!sized(name) || (top.next > 0 && name <= top.last_name)) return false;
      top.last_name = name;
    }
    ++top.next;
    return value();
  }

  bool close() {
    const Open top = open_.back();
    open_.pop_back();
    if (top.flags != 0) mark_blob();
    return at_ == top.end && top.flags == top.stored_flags;
  }

  const std::uint8_t* begin_;
  std::size_t size_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
};

}  // namespace

bool validate_encoding(std::string_view bytes, int max_depth) {
  return Validator(bytes, static_cast<std::size_t>(max_depth)).run();
}

}  // namespace reqld
