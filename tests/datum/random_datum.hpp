// Random values for the property tests, nested and with the awkward cases more often than chance would have
// them.
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>

#include "datum/datum.hpp"
#include "datum/time.hpp"

namespace reqld::testing {

inline std::string text_of(const Datum& d) {
  return std::string(d.as_string());
}

/// Blobs in memory.
class MemoryBlobs : public BlobSource {
 public:
  explicit MemoryBlobs(std::uint64_t age = 1) : age_(age) {}
  void read(std::uint64_t id, std::uint64_t offset, std::uint64_t length, std::string& out) override {
    out.append(blobs_.at(id), offset, length);
  }
  std::uint64_t age() const override { return age_; }
  Datum add(const std::string& bytes) {
    const std::uint64_t id = blobs_.size() + 1;
    blobs_[id] = bytes;
    return Datum::blob({id, bytes.size()}, this);
  }

 private:
  std::map<std::uint64_t, std::string> blobs_;
  std::uint64_t age_;
};

struct RandomOptions {
  bool extremes = false;  ///< minval and maxval
  bool geometry = true;
  MemoryBlobs* blobs = nullptr;
};

class RandomDatum {
 public:
  explicit RandomDatum(std::uint64_t seed, RandomOptions options = {}) : random_(seed), options_(options) {}

  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }

  double number() {
    switch (below(9)) {
      case 0:
        return static_cast<double>(below(4)) - 1;
      case 1:
        return -0.0;
      case 2:
        return static_cast<double>(below(70000)) - 35000;
      case 3:
        return std::ldexp(1, static_cast<int>(below(60))) * (chance(0.5) ? 1 : -1) +
               static_cast<double>(below(3)) - 1;
      case 4:
        return static_cast<double>(below(1000)) / 10;
      case 5:
        return std::numeric_limits<double>::denorm_min() * static_cast<double>(below(5));
      case 6:
        return std::numeric_limits<double>::max() / (1 + static_cast<double>(below(3)));
      default: {
        double d = 0;
        do {
          const std::uint64_t bits = random_();
          std::memcpy(&d, &bits, sizeof d);
        } while (!std::isfinite(d));
        return d;
      }
    }
  }

  /// Bytes with many zeros, ones and 0xff among them.
  std::string bytes(std::size_t max) {
    std::string s;
    for (std::size_t n = below(max + 1); n > 0; --n) {
      constexpr char kAwkward[] = {'\0', '\1', '\2', '\xff', 'a', 'b'};
      s.push_back(chance(0.7) ? kAwkward[below(sizeof kAwkward)] : static_cast<char>(below(256)));
    }
    return s;
  }

  std::string text(std::size_t max) {
    std::string s;
    for (std::size_t n = below(max + 1); n > 0; --n) {
      constexpr std::string_view kPieces[] = {
          "a", "b", "\"", "\\", "\n", "\x01", "\x1f", "é", "漢", "😀", std::string_view("\0", 1), "xyz"};
      s += kPieces[below(std::size(kPieces))];
    }
    return s;
  }

  /// Few enough that they meet often.
  std::string name() {
    if (chance(0.1)) return text(20);
    return std::string(1, static_cast<char>('a' + below(6))) +
           (chance(0.3) ? std::string(1, static_cast<char>('a' + below(3))) : "");
  }

  Datum value(int depth = 4) {
    switch (below(depth > 0 ? 14 : 9)) {
      case 0:
        return Datum::null();
      case 1:
        return Datum::boolean(chance(0.5));
      case 2:
      case 3:
        return Datum::number(number());
      case 4:
        return Datum::string(text(4));
      case 5:
        return Datum::string(text(chance(0.05) ? 400 : 24));
      case 6: {
        const std::string b = bytes(chance(0.05) ? 3000 : 12);
        return options_.blobs && chance(0.4) ? options_.blobs->add(b) : Datum::binary(b);
      }
      case 7:
        return Datum::time(round_to_milliseconds(static_cast<double>(below(4'000'000'000'000)) / 1000 - 2e9),
                           static_cast<std::int16_t>(static_cast<int>(below(27)) * 60 - 720));
      case 8:
        if (options_.extremes) return chance(0.5) ? Datum::minval() : Datum::maxval();
        return Datum::integer(static_cast<std::int64_t>(below(3)));
      case 9:
        return options_.geometry ? Datum::geometry(point()) : Datum::null();
      case 10:
      case 11:
        return array(depth);
      default:
        return object(depth);
    }
  }

  Datum array(int depth) {
    ArrayBuilder builder;
    for (std::size_t n = below(chance(0.03) ? 300 : 6); n > 0; --n) builder.add(value(depth - 1));
    return builder.finish();
  }

  Datum object(int depth) {
    ObjectBuilder builder;
    for (std::size_t n = below(chance(0.02) ? 100 : 6); n > 0; --n) builder.set(name(), value(depth - 1));
    return builder.finish();
  }

  std::mt19937_64& engine() { return random_; }

 private:
  Datum point() {
    ObjectBuilder builder;
    builder.set("type", Datum::string("Point"));
    builder.set("coordinates",
                Datum::array({Datum::integer(static_cast<std::int64_t>(below(3))), Datum::number(0.5)}));
    return builder.finish();
  }

  std::mt19937_64 random_;
  RandomOptions options_;
};

}  // namespace reqld::testing
