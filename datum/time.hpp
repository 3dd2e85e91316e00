// Instants with a fixed offset: ISO 8601 text, zones, the calendar. All functions throw DatumError(kLogic)
// with the recorded texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "datum/datum.hpp"

namespace reqld {

/// The nearest whole millisecond, in seconds: what every time that enters a datum is rounded to.
double round_to_milliseconds(double seconds);

/// The time right now, in UTC.
TimeValue current_time();

/// A datum of type time, rounded to milliseconds. Any finite instant will do: only the calendar has bounds.
Datum to_datum(TimeValue t);
inline Datum time_from_epoch(double epoch_seconds) {
  return to_datum({epoch_seconds, 0});
}

/// "+02:00"; UTC is "+00:00".
std::string format_timezone(std::int16_t zone_minutes);
/// Minutes east of Greenwich of "Z", "+hh", "+hhmm" or "+hh:mm", up to 24 hours. Whether a calendar knows it
/// (from -12:00 to +14:00) shows when a time is taken apart or put together.
std::int16_t parse_timezone(std::string_view text);

/// "2014-03-30T01:59:59.999+02:00", in the time's zone; the fraction only when there is one. Years 1400 to
/// 9999.
std::string format_iso8601(TimeValue t);
/// Calendar and ordinal dates, basic and extended, down to fractions of a second; no week dates. Without a
/// zone in the text `default_timezone` counts, and without that it throws. Hours, minutes and seconds that
/// are too large roll over, as recorded.
TimeValue parse_iso8601(std::string_view text, std::optional<std::string_view> default_timezone);

/// Hours, minutes and seconds roll over; the date must exist.
TimeValue make_time(std::int64_t year, std::int64_t month, std::int64_t day, std::int64_t hours,
                    std::int64_t minutes, double seconds, std::string_view timezone);

/// A time taken apart, in its zone.
struct TimeParts {
  int year;         ///< 1400 to 9999
  int month;        ///< 1 to 12
  int day;          ///< 1 to 31
  int day_of_week;  ///< 1 Monday to 7 Sunday
  int day_of_year;  ///< 1 to 366
  int hours;
  int minutes;
  double seconds;      ///< with milliseconds
  double time_of_day;  ///< seconds since midnight
};
/// Throws "Error in time logic: Year is out of valid range: 1400..9999.".
TimeParts time_parts(TimeValue t);
/// Midnight of its day, in its zone.
TimeValue date_of(TimeValue t);
inline TimeValue in_timezone(TimeValue t, std::string_view timezone) {
  return {t.epoch_seconds, parse_timezone(timezone)};
}

TimeValue add_seconds(TimeValue t, double seconds);
/// a - b in seconds.
double seconds_between(TimeValue a, TimeValue b);

}  // namespace reqld
