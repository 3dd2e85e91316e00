#include "datum/time.hpp"

#include <doctest/doctest.h>

#include "random_datum.hpp"

using namespace reqld;
using reqld::testing::RandomDatum;

namespace {

template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const DatumError& e) {
    return e.what();
  }
  return "";
}

std::string normal(std::string_view text) {
  return format_iso8601(parse_iso8601(text, std::nullopt));
}
std::string zone_error(std::string_view text) {
  return error_of([&] { (void)parse_timezone(text); });
}

}  // namespace

TEST_CASE("ISO 8601 in and out") {
  CHECK(normal("2014-03-30T01:59:59.999+02:00") == "2014-03-30T01:59:59.999+02:00");
  CHECK(parse_iso8601("2014-03-30T01:59:59.999+02:00", {}).epoch_seconds == 1396137599.999);
  CHECK(normal("2013-07-29T18:21:36.680000-07:00") == "2013-07-29T18:21:36.680-07:00");
  CHECK(normal("20130729T182136Z") == "2013-07-29T18:21:36+00:00");
  CHECK(normal("2013-07-29T18+05") == "2013-07-29T18:00:00+05:00");
  CHECK(normal("2013-07-29T18:21Z") == "2013-07-29T18:21:00+00:00");
  CHECK(normal("2013-07-29T1821-0730") == "2013-07-29T18:21:00-07:30");
  CHECK(normal("2013-210T00:00:00Z") == "2013-07-29T00:00:00+00:00");
  CHECK(normal("2013210Z") == "2013-07-29T00:00:00+00:00");
  CHECK(normal("2013-366T00:00Z") == "2014-01-01T00:00:00+00:00");
  CHECK(normal("2013Z") == "2013-01-01T00:00:00+00:00");
  CHECK(normal("2013-07Z") == "2013-07-01T00:00:00+00:00");
  CHECK(normal("2013-07-29T18:21:36,5Z") == "2013-07-29T18:21:36.500+00:00");
  CHECK(normal("2013-07-29T24:00:01Z") == "2013-07-30T00:00:01+00:00");
  CHECK(normal("2013-07-29T25:00Z") == "2013-07-30T01:00:00+00:00");
  CHECK(normal("2013-07-29T10:60:60Z") == "2013-07-29T11:01:00+00:00");
  CHECK(format_iso8601(parse_iso8601("2013-07-30T20:56:05", "-07")) == "2013-07-30T20:56:05-07:00");
  CHECK(format_iso8601(parse_iso8601("2013-07-30", "Z")) == "2013-07-30T00:00:00+00:00");
  CHECK(error_of([] { (void)normal("2013-07-30T20:56:05"); }) ==
        "ISO 8601 string has no time zone, and no default time zone was provided.");
  for (const char* bad :
       {"", "x", "2013-W30-2T00:00Z", "2013W302T00Z", "2013-13-01T00:00Z", "2013-02-29T00:00Z",
        "2013-07-29T18:21:36-00:00", "2013-07-29T", "2013-07-29T1:00Z", "2013-07-29T10:00:00.Z",
        "2013-07-29 10:00Z", "2013-07-29T10:00Zx", "2013-000T00Z", "2013-367T00Z", "201Z"})
    CHECK_MESSAGE(error_of([&] { (void)normal(bad); }) != "", bad);
}

TEST_CASE("time zones as recorded") {
  CHECK(parse_timezone("Z") == 0);
  CHECK(parse_timezone("+05:30") == 330);
  CHECK(parse_timezone("+0530") == 330);
  CHECK(parse_timezone("-07") == -420);
  CHECK(parse_timezone("+14:00") == 840);
  CHECK(format_timezone(-705) == "-11:45");
  CHECK(format_timezone(-1) == "-00:01");
  CHECK(format_timezone(0) == "+00:00");
  CHECK(zone_error("-00:00") == "`-00:00` is not a valid time offset.");
  const auto offset_error = [](std::string_view zone) {
    return error_of([&] { (void)format_iso8601(in_timezone({0, 0}, zone)); });
  };
  CHECK(offset_error("-23:59") == "Error in time logic: Offset out of range: -23:59:00.");
  CHECK(offset_error("+24:00") == "Error in time logic: Offset out of range: 24:00:00.");
  CHECK(zone_error("+25:00") == "Hours out of range in `+25:00`.");
  CHECK(zone_error("-4") == "Truncated date string `-4`.");
  CHECK(zone_error("+12:60") == "Minutes out of range in `+12:60`.");
  CHECK(zone_error("utc") == "Timezone `utc` does not start with `-` or `+`.");
  CHECK(zone_error("") == "Timezone `` does not start with `-` or `+`.");
  CHECK(zone_error("+5:30") == "Invalid date string `+5:30` (got `:` but expected a digit).");
  CHECK(zone_error("+ab:cd") == "Invalid date string `+ab:cd` (got `a` but expected a digit).");
  for (const char* bad : {"+", "+1", "+01:", "+01:0", "+01:000", "+010"})
    CHECK_MESSAGE(zone_error(bad) != "", bad);
}

TEST_CASE("the parts of a time, before the epoch too") {
  const TimeParts p = time_parts(parse_iso8601("2014-03-30T01:59:59.999+02:00", {}));
  CHECK(p.year == 2014);
  CHECK(p.month == 3);
  CHECK(p.day == 30);
  CHECK(p.day_of_week == 7);
  CHECK(p.day_of_year == 89);
  CHECK(p.hours == 1);
  CHECK(p.minutes == 59);
  CHECK(p.seconds == 59.999);
  CHECK(p.time_of_day == 7199.999);
  const TimeParts early = time_parts({-1.5, 0});
  CHECK(early.year == 1969);
  CHECK(early.day_of_year == 365);
  CHECK(early.hours == 23);
  CHECK(early.seconds == 58.5);
  CHECK(early.time_of_day == 86398.5);
  CHECK(date_of({-1.5, 0}).epoch_seconds == -86400);
  CHECK(date_of({1396137599.999, 120}).epoch_seconds == 1396130400);
  CHECK(format_iso8601({-1, 0}) == "1969-12-31T23:59:59+00:00");
  CHECK(time_parts({-17980000000, 0}).year == 1400);
  CHECK(error_of([] {
          (void)time_parts({-17990000000, 0});
        }) == "Error in time logic: Year is out of valid range: 1400..9999.");
  CHECK(error_of([] {
          (void)time_parts({253430000000, 0});
        }) == "Error in time logic: Year is out of valid range: 1400..9999.");
  CHECK(error_of([] { (void)time_parts({1e300, 0}); }) != "");
  CHECK(error_of([] { (void)format_iso8601({-1e300, 0}); }) != "");
}

TEST_CASE("times made from parts") {
  CHECK(make_time(2013, 7, 29, 23, 30, 0.1, "-07:00").epoch_seconds == 1375165800.1);
  CHECK(make_time(2020, 1, 1, 24, 0, 0, "Z").epoch_seconds == 1577923200);
  CHECK(make_time(2020, 1, 1, 23, 60, 0, "Z").epoch_seconds == 1577923200);
  CHECK(format_iso8601(make_time(2020, 1, 1, 0, 0, 0.0005, "Z")) == "2020-01-01T00:00:00.001+00:00");
  CHECK(format_iso8601(make_time(2020, 1, 1, 0, 0, 59.9999, "Z")) == "2020-01-01T00:01:00+00:00");
  CHECK(format_iso8601(make_time(9999, 12, 31, 23, 59, 59.999, "Z")) == "9999-12-31T23:59:59.999+00:00");
  const auto fails = [](std::int64_t y, std::int64_t m, std::int64_t d) {
    return error_of([=] { (void)make_time(y, m, d, 0, 0, 0, "Z"); });
  };
  CHECK(fails(2020, 2, 30) == "Error in time logic: Day of month is not valid for year.");
  CHECK(fails(2020, 13, 1) == "Error in time logic: Month number is out of range 1..12.");
  CHECK(fails(2020, 1, 32) == "Error in time logic: Day of month value is out of range 1..31.");
  CHECK(fails(1399, 1, 1) == "Error in time logic: Year is out of valid range: 1400..9999.");
}

TEST_CASE("instants are kept in milliseconds") {
  CHECK(round_to_milliseconds(1.4444445) == 1.444);
  CHECK(round_to_milliseconds(1.0005) == 1.001);
  CHECK(round_to_milliseconds(1e300) == 1e300);
  CHECK(std::signbit(round_to_milliseconds(-0.0)) == false);
  CHECK(add_seconds({1375147296.6812, 0}, 1000).epoch_seconds == 1375148296.681);
  CHECK(seconds_between({1396137599.999, 120}, {0, 0}) == 1396137599.999);
  const TimeValue now = current_time();
  CHECK(now.epoch_seconds > 1.6e9);
  CHECK(round_to_milliseconds(now.epoch_seconds) == now.epoch_seconds);
}

TEST_CASE("text and instant are inverse over all years") {
  RandomDatum random(51);
  for (int i = 0; i < 20000; ++i) {
    const double epoch =
        round_to_milliseconds(static_cast<double>(random.below(271'300'000'000'000)) / 1000 - 17'900'000'000);
    const auto zone = static_cast<std::int16_t>(static_cast<int>(random.below(1561)) - 720);
    const TimeValue back = parse_iso8601(format_iso8601({epoch, zone}), {});
    REQUIRE(back.epoch_seconds == epoch);
    REQUIRE(back.zone_minutes == zone);
    const TimeParts p = time_parts({epoch, zone});
    REQUIRE(make_time(p.year, p.month, p.day, p.hours, p.minutes, p.seconds, format_timezone(zone))
                .epoch_seconds == epoch);
  }
}
