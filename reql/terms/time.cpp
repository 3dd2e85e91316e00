// Times: made from text, numbers and parts, taken apart, compared with periods.

#include "datum/json.hpp"
#include "datum/time.hpp"
#include "reql/eval.hpp"
#include "reql/terms/families.hpp"

namespace reqld::reql {

namespace {

TimeValue time_argument(Args& args, std::size_t i) {
  const Datum d = args.datum(i);
  if (!d.is(Type::kTime)) {
    throw EvalError(ErrorCode::kQueryLogic, "Not a TIME pseudotype: `" + to_pretty_json(d) + "`.", args.node_of(i));
  }
  return d.as_time();
}

Value value_of(TimeValue t) { return Value(reqld::to_datum(t)); }

// --- Making times

Value now(Args& args) {
  Context& cx = args.cx();
  if (cx.now.is_null()) cx.now = reqld::to_datum(current_time());
  return Value(cx.now);
}

Value iso8601(Args& args) {
  const std::string text = args.string(0);
  const auto default_timezone = args.string_optarg("default_timezone");
  return Args::blaming(args.node_of(0), [&] { return value_of(parse_iso8601(text, default_timezone)); });
}

Value epoch_time(Args& args) { return Value(time_from_epoch(args.number(0))); }

Value time(Args& args) {
  const std::size_t n = args.size();
  if (n != 4 && n != 7) throw_logic("Got " + std::to_string(n) + " arguments to TIME (expected 4 or 7).");
  const std::int64_t year = args.integer(0);
  const std::int64_t month = args.integer(1);
  const std::int64_t day = args.integer(2);
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  double seconds = 0;
  if (n == 7) {
    hours = args.integer(3);
    minutes = args.integer(4);
    seconds = args.number(5);
  }
  const std::string timezone = args.string(n - 1);
  return value_of(make_time(year, month, day, hours, minutes, seconds, timezone));
}

Value in_timezone_term(Args& args) {
  const TimeValue t = time_argument(args, 0);
  const std::string timezone = args.string(1);
  return value_of(in_timezone(t, timezone));
}

Value date(Args& args) { return value_of(date_of(time_argument(args, 0))); }

// --- Times as something else

Value to_iso8601(Args& args) { return Value(Datum::string(format_iso8601(time_argument(args, 0)))); }
Value to_epoch_time(Args& args) { return Value(Datum::number(time_argument(args, 0).epoch_seconds)); }
Value timezone(Args& args) { return Value(Datum::string(format_timezone(time_argument(args, 0).zone_minutes))); }

template <auto part>
Value part_of_time(Args& args) {
  return Value(Datum::number(time_parts(time_argument(args, 0)).*part));
}

Value during(Args& args) {
  const double t = time_argument(args, 0).epoch_seconds;
  const double begin = time_argument(args, 1).epoch_seconds;
  const double end = time_argument(args, 2).epoch_seconds;
  const bool left_open = args.open_bound_optarg("left_bound", false);
  const bool right_open = args.open_bound_optarg("right_bound", true);
  return Value(Datum::boolean((left_open ? begin < t : begin <= t) && (right_open ? t < end : t <= end)));
}

// --- Names of days and months

template <int number>
Value calendar_constant(Args&) {
  return Value(Datum::integer(number));
}

constexpr Optarg kIso8601Optargs[] = {
    {"default_timezone", "the time zone of texts that name none"},
};
constexpr Optarg kDuringOptargs[] = {
    {"left_bound", "whether the start itself counts: `closed` (the default) or `open`"},
    {"right_bound", "whether the end itself counts: `open` (the default) or `closed`"},
};

constexpr Example kNowExamples[] = {
    {"r.now() == r.now()", "[17,[[103,[]],[103,[]]]]", "true"},
};
constexpr Example kIso8601Examples[] = {
    {"r.iso8601('2021-03-04T05:06:07+01:00').to_epoch_time()",
     R"([102,[[99,["2021-03-04T05:06:07+01:00"]]]])",
     "1614830767"},
    {"r.iso8601('2021-03-04T05:06:07', default_timezone='Z').to_iso8601()",
     R"([100,[[99,["2021-03-04T05:06:07"],{"default_timezone":"Z"}]]])",
     R"("2021-03-04T05:06:07+00:00")"},
    {"r.iso8601('2021-03-04')",
     R"([99,["2021-03-04"]])",
     "ISO 8601 string has no time zone, and no default time zone was provided."},
};
constexpr Example kToIso8601Examples[] = {
    {"r.epoch_time(0.5).to_iso8601()", "[100,[[101,[0.5]]]]", R"("1970-01-01T00:00:00.500+00:00")"},
};
constexpr Example kEpochTimeExamples[] = {
    {"r.epoch_time(86400).to_iso8601()", "[100,[[101,[86400]]]]", R"("1970-01-02T00:00:00+00:00")"},
};
constexpr Example kToEpochTimeExamples[] = {
    {"r.time(1970, 1, 2, 'Z').to_epoch_time()", R"([102,[[136,[1970,1,2,"Z"]]]])", "86400"},
};
constexpr Example kTimeExamples[] = {
    {"r.time(2021, 3, 4, 5, 6, 7.5, '+01:00').to_iso8601()",
     R"([100,[[136,[2021,3,4,5,6,7.5,"+01:00"]]]])",
     R"("2021-03-04T05:06:07.500+01:00")"},
    {"r.time(2021, 2, 30, 'Z')",
     R"([136,[2021,2,30,"Z"]])",
     "Error in time logic: Day of month is not valid for year."},
};
constexpr Example kInTimezoneExamples[] = {
    {"r.epoch_time(0).in_timezone('+02:00').to_iso8601()",
     R"([100,[[104,[[101,[0]],"+02:00"]]]])",
     R"("1970-01-01T02:00:00+02:00")"},
};
constexpr Example kDuringExamples[] = {
    {"r.epoch_time(5).during(r.epoch_time(0), r.epoch_time(5))",
     "[105,[[101,[5]],[101,[0]],[101,[5]]]]",
     "false"},
    {"r.epoch_time(5).during(r.epoch_time(0), r.epoch_time(5), right_bound='closed')",
     R"([105,[[101,[5]],[101,[0]],[101,[5]]],{"right_bound":"closed"}])",
     "true"},
};
constexpr Example kDateExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07Z').date().to_iso8601()",
     R"([100,[[106,[[99,["2021-03-04T05:06:07Z"]]]]]])",
     R"("2021-03-04T00:00:00+00:00")"},
};
constexpr Example kTimeOfDayExamples[] = {
    {"r.iso8601('2021-03-04T00:01:30Z').time_of_day()", R"([126,[[99,["2021-03-04T00:01:30Z"]]]])", "90"},
};
constexpr Example kTimezoneExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07+01:30').timezone()",
     R"([127,[[99,["2021-03-04T05:06:07+01:30"]]]])",
     R"("+01:30")"},
};
constexpr Example kYearExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').year()", R"([128,[[99,["2021-03-04T05:06:07.25Z"]]]])", "2021"},
};
constexpr Example kMonthExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').month()", R"([129,[[99,["2021-03-04T05:06:07.25Z"]]]])", "3"},
};
constexpr Example kDayExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').day()", R"([130,[[99,["2021-03-04T05:06:07.25Z"]]]])", "4"},
};
constexpr Example kDayOfWeekExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').day_of_week()",
     R"([131,[[99,["2021-03-04T05:06:07.25Z"]]]])",
     "4"},
};
constexpr Example kDayOfYearExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').day_of_year()",
     R"([132,[[99,["2021-03-04T05:06:07.25Z"]]]])",
     "63"},
};
constexpr Example kHoursExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').hours()", R"([133,[[99,["2021-03-04T05:06:07.25Z"]]]])", "5"},
};
constexpr Example kMinutesExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').minutes()", R"([134,[[99,["2021-03-04T05:06:07.25Z"]]]])", "6"},
};
constexpr Example kSecondsExamples[] = {
    {"r.iso8601('2021-03-04T05:06:07.25Z').seconds()", R"([135,[[99,["2021-03-04T05:06:07.25Z"]]]])", "7.25"},
};
// In the order of their numbers on the wire.
constexpr Example kCalendarExamples[] = {
    {"r.monday", "[107,[]]", "1"},
    {"r.tuesday", "[108,[]]", "2"},
    {"r.wednesday", "[109,[]]", "3"},
    {"r.thursday", "[110,[]]", "4"},
    {"r.friday", "[111,[]]", "5"},
    {"r.saturday", "[112,[]]", "6"},
    {"r.sunday", "[113,[]]", "7"},
    {"r.january", "[114,[]]", "1"},
    {"r.february", "[115,[]]", "2"},
    {"r.march", "[116,[]]", "3"},
    {"r.april", "[117,[]]", "4"},
    {"r.may", "[118,[]]", "5"},
    {"r.june", "[119,[]]", "6"},
    {"r.july", "[120,[]]", "7"},
    {"r.august", "[121,[]]", "8"},
    {"r.september", "[122,[]]", "9"},
    {"r.october", "[123,[]]", "10"},
    {"r.november", "[124,[]]", "11"},
    {"r.december", "[125,[]]", "12"},
};

// `example`: in kCalendarExamples.
template <int number, std::size_t example>
constexpr TermDef named(TermType type, std::string_view name, std::string_view signature) {
  return {.type = type,
          .name = name,
          .arity = exactly(0),
          .eval = calendar_constant<number>,
          .signature = signature,
          .doc = "Its number: days count from Monday, months from January.",
          .examples = std::span(&kCalendarExamples[example], 1)};
}

constexpr TermDef kTerms[] = {
    {.type = TermType::kNow, .name = "now", .arity = exactly(0), .flags = kConstantInQuery, .eval = now,
     .signature = "r.now() → time",
     .doc = "The time, the same all through a query.",
     .examples = kNowExamples},
    {.type = TermType::kIso8601, .name = "iso8601", .arity = exactly(1), .eval = iso8601, .optargs = kIso8601Optargs,
     .signature = "r.iso8601(text) → time",
     .doc = "The time that an ISO 8601 text stands for.",
     .examples = kIso8601Examples},
    {.type = TermType::kToIso8601, .name = "to_iso8601", .arity = exactly(1), .eval = to_iso8601,
     .signature = "time.to_iso8601() → string",
     .doc = "The time as ISO 8601 text.",
     .examples = kToIso8601Examples},
    {.type = TermType::kEpochTime, .name = "epoch_time", .arity = exactly(1), .eval = epoch_time,
     .signature = "r.epoch_time(seconds) → time",
     .doc = "The time so many seconds after 1970 began, UTC.",
     .examples = kEpochTimeExamples},
    {.type = TermType::kToEpochTime, .name = "to_epoch_time", .arity = exactly(1), .eval = to_epoch_time,
     .signature = "time.to_epoch_time() → number",
     .doc = "The seconds since 1970 began, UTC.",
     .examples = kToEpochTimeExamples},
    {.type = TermType::kTime, .name = "time", .arity = between(4, 7), .eval = time,
     .signature = "r.time(year, month, day[, hours, minutes, seconds], timezone) → time",
     .doc = "The time with this year, month, day, perhaps hours, minutes, seconds, and time zone.",
     .examples = kTimeExamples},
    {.type = TermType::kInTimezone, .name = "in_timezone", .arity = exactly(2), .eval = in_timezone_term,
     .signature = "time.in_timezone(timezone) → time",
     .doc = "The same instant, shown in another time zone.",
     .examples = kInTimezoneExamples},
    {.type = TermType::kDuring, .name = "during", .arity = exactly(3), .eval = during, .optargs = kDuringOptargs,
     .signature = "time.during(start, end) → bool",
     .doc = "Whether the time lies between two others.",
     .examples = kDuringExamples},
    {.type = TermType::kDate, .name = "date", .arity = exactly(1), .eval = date,
     .signature = "time.date() → time",
     .doc = "Midnight of the day.",
     .examples = kDateExamples},
    {.type = TermType::kTimeOfDay, .name = "time_of_day", .arity = exactly(1), .eval = part_of_time<&TimeParts::time_of_day>,
     .signature = "time.time_of_day() → number",
     .doc = "The seconds since midnight.",
     .examples = kTimeOfDayExamples},
    {.type = TermType::kTimezone, .name = "timezone", .arity = exactly(1), .eval = timezone,
     .signature = "time.timezone() → string",
     .doc = "The time zone, as an offset from UTC.",
     .examples = kTimezoneExamples},
    {.type = TermType::kYear, .name = "year", .arity = exactly(1), .eval = part_of_time<&TimeParts::year>,
     .signature = "time.year() → number",
     .doc = "The year.",
     .examples = kYearExamples},
    {.type = TermType::kMonth, .name = "month", .arity = exactly(1), .eval = part_of_time<&TimeParts::month>,
     .signature = "time.month() → number",
     .doc = "The month, from 1.",
     .examples = kMonthExamples},
    {.type = TermType::kDay, .name = "day", .arity = exactly(1), .eval = part_of_time<&TimeParts::day>,
     .signature = "time.day() → number",
     .doc = "The day of the month, from 1.",
     .examples = kDayExamples},
    {.type = TermType::kDayOfWeek, .name = "day_of_week", .arity = exactly(1), .eval = part_of_time<&TimeParts::day_of_week>,
     .signature = "time.day_of_week() → number",
     .doc = "The day of the week, from 1 for Monday to 7 for Sunday.",
     .examples = kDayOfWeekExamples},
    {.type = TermType::kDayOfYear, .name = "day_of_year", .arity = exactly(1), .eval = part_of_time<&TimeParts::day_of_year>,
     .signature = "time.day_of_year() → number",
     .doc = "The day of the year, from 1.",
     .examples = kDayOfYearExamples},
    {.type = TermType::kHours, .name = "hours", .arity = exactly(1), .eval = part_of_time<&TimeParts::hours>,
     .signature = "time.hours() → number",
     .doc = "The hour of the day.",
     .examples = kHoursExamples},
    {.type = TermType::kMinutes, .name = "minutes", .arity = exactly(1), .eval = part_of_time<&TimeParts::minutes>,
     .signature = "time.minutes() → number",
     .doc = "The minute of the hour.",
     .examples = kMinutesExamples},
    {.type = TermType::kSeconds, .name = "seconds", .arity = exactly(1), .eval = part_of_time<&TimeParts::seconds>,
     .signature = "time.seconds() → number",
     .doc = "The second of the minute, with its fraction.",
     .examples = kSecondsExamples},
    named<1, 0>(TermType::kMonday, "monday", "r.monday → number"),
    named<2, 1>(TermType::kTuesday, "tuesday", "r.tuesday → number"),
    named<3, 2>(TermType::kWednesday, "wednesday", "r.wednesday → number"),
    named<4, 3>(TermType::kThursday, "thursday", "r.thursday → number"),
    named<5, 4>(TermType::kFriday, "friday", "r.friday → number"),
    named<6, 5>(TermType::kSaturday, "saturday", "r.saturday → number"),
    named<7, 6>(TermType::kSunday, "sunday", "r.sunday → number"),
    named<1, 7>(TermType::kJanuary, "january", "r.january → number"),
    named<2, 8>(TermType::kFebruary, "february", "r.february → number"),
    named<3, 9>(TermType::kMarch, "march", "r.march → number"),
    named<4, 10>(TermType::kApril, "april", "r.april → number"),
    named<5, 11>(TermType::kMay, "may", "r.may → number"),
    named<6, 12>(TermType::kJune, "june", "r.june → number"),
    named<7, 13>(TermType::kJuly, "july", "r.july → number"),
    named<8, 14>(TermType::kAugust, "august", "r.august → number"),
    named<9, 15>(TermType::kSeptember, "september", "r.september → number"),
    named<10, 16>(TermType::kOctober, "october", "r.october → number"),
    named<11, 17>(TermType::kNovember, "november", "r.november → number"),
    named<12, 18>(TermType::kDecember, "december", "r.december → number"),
};

}  // namespace

std::span<const TermDef> time_terms() { return kTerms; }

}  // namespace reqld::reql
