#include "datum/time.hpp"

#include <date/date.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

namespace reqld {

namespace {

constexpr int kMinYear = 1400, kMaxYear = 9999;
constexpr int kMinZone = -12 * 60, kMaxZone = 14 * 60;
constexpr std::int64_t kDayMs = 86'400'000;

[[noreturn]] void fail(const std::string& message) {
  throw DatumError(DatumErrorKind::kLogic, message);
}
[[noreturn]] void refuse_year() {
  fail(fmt::format("Error in time logic: Year is out of valid range: {}..{}.", kMinYear, kMaxYear));
}

date::sys_days checked_day(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (year < kMinYear || year > kMaxYear) refuse_year();
  if (month < 1 || month > 12) fail("Error in time logic: Month number is out of range 1..12.");
  if (day < 1 || day > 31) fail("Error in time logic: Day of month value is out of range 1..31.");
  const date::year_month_day ymd(date::year(static_cast<int>(year)),
                                 date::month(static_cast<unsigned>(month)),
                                 date::day(static_cast<unsigned>(day)));
  if (!ymd.ok()) fail("Error in time logic: Day of month is not valid for year.");
  return ymd;
}

/// A time as days and milliseconds on the clock of its zone.
struct LocalTime {
  date::sys_days day;
  std::int64_t ms;  // of the day
};

/// Zones beyond these can be given to a time, but then it has no place in the calendar.
void check_zone(std::int16_t minutes) {
  if (minutes >= kMinZone && minutes <= kMaxZone) return;
  const int magnitude = std::abs(minutes);
  fail(fmt::format("Error in time logic: Offset out of range: {}{:02}:{:02}:00.", minutes < 0 ? "-" : "",
                   magnitude / 60, magnitude % 60));
}

LocalTime to_local(TimeValue t) {
  check_zone(t.zone_minutes);
  constexpr auto first = date::sys_days(date::year(kMinYear) / 1 / 1).time_since_epoch().count();
  constexpr auto end = date::sys_days(date::year(kMaxYear + 1) / 1 / 1).time_since_epoch().count();
  const double seconds = t.epoch_seconds + 60.0 * t.zone_minutes;
  if (!(seconds >= static_cast<double>(first) * 86400 && seconds < static_cast<double>(end) * 86400))
    refuse_year();
  const std::int64_t ms = std::llround(t.epoch_seconds * 1000) + std::int64_t{60'000} * t.zone_minutes;
  const std::int64_t day = (ms - (ms % kDayMs + kDayMs) % kDayMs) / kDayMs;
  return {date::sys_days(date::days(static_cast<int>(day))), ms - day * kDayMs};
}

TimeValue from_local(date::sys_days day, double seconds, std::int16_t zone_minutes) {
  check_zone(zone_minutes);
  const double epoch =
      static_cast<double>(day.time_since_epoch().count()) * 86400 + seconds - 60.0 * zone_minutes;
  return {round_to_milliseconds(epoch), zone_minutes};
}

/// Reads a date or zone from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool next_is_digit(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() && text_[at_ + ahead] >= '0' && text_[at_ + ahead] <= '9';
  }
  bool skip(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  /// How many digits come next.
  std::size_t count_digits() const {
    std::size_t n = 0;
    while (next_is_digit(n)) ++n;
    return n;
  }
  int digits(int count) {
    int value = 0;
    for (; count > 0; --count, ++at_) {
      if (!next_is_digit()) expected("a digit");
      value = value * 10 + (text_[at_] - '0');
    }
    return value;
  }
  /// The digits after a decimal sign, as a fraction of 1.
  double fraction() {
    if (!next_is_digit()) expected("a digit");
    double value = 0, unit = 0.1;
    for (; next_is_digit(); ++at_, unit /= 10) value += (text_[at_] - '0') * unit;
    return value;
  }
  [[noreturn]] void expected(std::string_view what) const {
    if (done()) fail(fmt::format("Truncated date string `{}`.", text_));
    fail(fmt::format("Invalid date string `{}` (got `{}` but expected {}).", text_, text_[at_], what));
  }
  [[noreturn]] void refuse(std::string_view why) const {
    fail(fmt::format("Invalid date string `{}` ({}).", text_, why));
  }
  std::string_view rest() const { return text_.substr(at_); }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

date::sys_days scan_date(Scanner& scan) {
  const int year = scan.digits(4);
  const bool extended = scan.skip('-');
  if (scan.peek() == 'W') scan.refuse("ISO 8601 week dates are not supported");
  const std::size_t n = scan.count_digits();
  if (n == 0 && !extended) return checked_day(year, 1, 1);
  if (n == 3) {
    const int day = scan.digits(3);
    const auto first = checked_day(year, 1, 1);
    if (day < 1 || day > 366) fail("Error in time logic: Day of year value is out of range 1..366.");
    return first + date::days(day - 1);
  }
  const int month = scan.digits(2);
  if (extended && !scan.skip('-')) {
    if (scan.next_is_digit()) scan.expected("`-`");
    return checked_day(year, month, 1);
  }
  return checked_day(year, month, scan.digits(2));
}

/// Seconds since midnight.
double scan_time(Scanner& scan) {
  double seconds = scan.digits(2) * 3600.0;
  const bool extended = scan.skip(':');
  if (!extended && !scan.next_is_digit()) return seconds;
  seconds += scan.digits(2) * 60.0;
  if (extended ? !scan.skip(':') : !scan.next_is_digit()) return seconds;
  seconds += scan.digits(2);
  if (scan.skip('.') || scan.skip(',')) seconds += scan.fraction();
  return seconds;
}

}  // namespace

double round_to_milliseconds(double seconds) {
  constexpr double kPrecise = 1e13;  // from here on a double has no milliseconds
  if (std::fabs(seconds) >= kPrecise) return seconds;
  return std::round(seconds * 1000) / 1000 + 0.0;  // never -0.0
}

TimeValue current_time() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {
      static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()) / 1000,
      0};
}

Datum to_datum(TimeValue t) {
  return Datum::time(round_to_milliseconds(t.epoch_seconds), t.zone_minutes);
}

std::string format_timezone(std::int16_t zone_minutes) {
  const int minutes = zone_minutes < 0 ? -zone_minutes : zone_minutes;
  return fmt::format("{}{:02}:{:02}", zone_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::int16_t parse_timezone(std::string_view text) {
  if (text == "Z") return 0;
  if (text.empty() || (text[0] != '+' && text[0] != '-'))
    fail(fmt::format("Timezone `{}` does not start with `-` or `+`.", text));
  const bool negative = text[0] == '-';
  Scanner scan(text);
  (void)scan.skip(text[0]);
  const int hours = scan.digits(2);
  int minutes = 0;
  if (scan.skip(':') || !scan.done()) minutes = scan.digits(2);
  if (!scan.done()) scan.expected("the end");
  if (hours > 24) fail(fmt::format("Hours out of range in `{}`.", text));
  if (minutes > 59) fail(fmt::format("Minutes out of range in `{}`.", text));
  const int total = (negative ? -1 : 1) * (hours * 60 + minutes);
  if (negative && total == 0) fail(fmt::format("`{}` is not a valid time offset.", text));
  return static_cast<std::int16_t>(total);
}

std::string format_iso8601(TimeValue t) {
  const LocalTime local = to_local(t);
  const date::year_month_day ymd(local.day);
  const std::int64_t ms = local.ms % 1000, seconds = local.ms / 1000;
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(ymd.year()),
                                 static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                                 seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (ms != 0) text += fmt::format(".{:03}", ms);
  return text + format_timezone(t.zone_minutes);
}

TimeValue parse_iso8601(std::string_view text, std::optional<std::string_view> default_timezone) {
  Scanner scan(text);
  const date::sys_days day = scan_date(scan);
  double seconds = 0;
  if (scan.skip('T')) seconds = scan_time(scan);
  if (!scan.done()) {
    if (scan.peek() != 'Z' && scan.peek() != '+' && scan.peek() != '-')
      scan.expected("a time or a time zone");
    return from_local(day, seconds, parse_timezone(scan.rest()));
  }
  if (!default_timezone) fail("ISO 8601 string has no time zone, and no default time zone was provided.");
  return from_local(day, seconds, parse_timezone(*default_timezone));
}

TimeValue make_time(std::int64_t year, std::int64_t month, std::int64_t day, std::int64_t hours,
                    std::int64_t minutes, double seconds, std::string_view timezone) {
  const std::int16_t zone = parse_timezone(timezone);
  const date::sys_days start = checked_day(year, month, day);
  return from_local(start, static_cast<double>(hours) * 3600 + static_cast<double>(minutes) * 60 + seconds,
                    zone);
}

TimeParts time_parts(TimeValue t) {
  const LocalTime local = to_local(t);
  const date::year_month_day ymd(local.day);
  TimeParts parts{};
  parts.year = static_cast<int>(ymd.year());
  parts.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  parts.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  parts.day_of_week = static_cast<int>(date::weekday(local.day).iso_encoding());
  parts.day_of_year = static_cast<int>((local.day - date::sys_days(ymd.year() / 1 / 1)).count()) + 1;
  parts.hours = static_cast<int>(local.ms / 3'600'000);
  parts.minutes = static_cast<int>(local.ms / 60'000 % 60);
  parts.seconds = static_cast<double>(local.ms % 60'000) / 1000;
  parts.time_of_day = static_cast<double>(local.ms) / 1000;
  return parts;
}

TimeValue date_of(TimeValue t) {
  return from_local(to_local(t).day, 0, t.zone_minutes);
}

TimeValue add_seconds(TimeValue t, double seconds) {
  return {round_to_milliseconds(t.epoch_seconds + seconds), t.zone_minutes};
}

double seconds_between(TimeValue a, TimeValue b) {
  return round_to_milliseconds(a.epoch_seconds - b.epoch_seconds);
}

}  // namespace reqld
