#include "server/progress_bar.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace reqld::server {
namespace {

constexpr int kWidth = 30;
constexpr std::chrono::milliseconds kBetween{100};

std::string readable_time(double seconds) {
  const auto s = static_cast<std::uint64_t>(seconds + 0.5);
  if (s < 90) return fmt::format("{} s", s);
  if (s < 5400) return fmt::format("{} min", (s + 30) / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
  return unit == 0 || value >= 100 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                   : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string progress_line(const std::string& label, ProgressBar::Unit unit, std::uint64_t done,
                          std::uint64_t total, double seconds) {
  const auto amount = [unit](std::uint64_t n) {
    return unit == ProgressBar::Unit::kBytes ? readable_bytes(n) : fmt::format("{} rows", n);
  };
  if (total == 0) return fmt::format("{}: {}", label, amount(done));
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const int full = static_cast<int>(share * kWidth);
  std::string line =
      fmt::format("{} [{}{}] {:3.0f} %  {} of {}", label, std::string(static_cast<std::size_t>(full), '#'),
                  std::string(static_cast<std::size_t>(kWidth - full), '.'), share * 100, amount(done),
                  amount(std::max(done, total)));
  // Not from the first moments: they say nothing.
  if (share > 0.02 && share < 1 && seconds > 1) {
    line += fmt::format("  {} left", readable_time(seconds / share * (1 - share)));
  }
  return line;
}

ProgressBar::ProgressBar(std::string label, Unit unit)
    : label_(std::move(label)),
      unit_(unit),
      terminal_(isatty(STDERR_FILENO) != 0),
      began_(std::chrono::steady_clock::now()) {}

void ProgressBar::show(std::uint64_t done, std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - drawn_ < kBetween) return;
  drawn_ = now;
  shown_ = true;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  fmt::print(stderr, "\r{}\x1b[K", progress_line(label_, unit_, done, total, seconds));
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace reqld::server
