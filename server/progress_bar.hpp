// How far a long command has come: a bar on a terminal, nothing where stderr is a file or a pipe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace reqld::server {

class ProgressBar {
 public:
  enum class Unit : std::uint8_t { kBytes, kRows };
  /// `label`: what is being done, two or three words.
  ProgressBar(std::string label, Unit unit);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `total` may be an estimate; 0: unknown.
  void show(std::uint64_t done, std::uint64_t total);
  /// Takes the bar away, before other text.
  void clear();

 private:
  const std::string label_;
  const Unit unit_;
  const bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point drawn_;
};

/// "312 MB"
std::string readable_bytes(std::uint64_t bytes);
/// What show() draws; for tests.
std::string progress_line(const std::string& label, ProgressBar::Unit unit, std::uint64_t done,
                          std::uint64_t total, double seconds);

}  // namespace reqld::server
