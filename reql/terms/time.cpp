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

template <int number>
constexpr TermDef named(TermType type, std::string_view name) {
  return {.type = type, .name = name, .arity = exactly(0), .eval = calendar_constant<number>,
          .doc = "Its number: days count from Monday, months from January."};
}

constexpr std::string_view kIso8601Optargs[] = {"default_timezone"};
constexpr std::string_view kDuringOptargs[] = {"left_bound", "right_bound"};

constexpr TermDef kTerms[] = {
    {.type = TermType::kNow, .name = "now", .arity = exactly(0), .flags = kConstantInQuery, .eval = now,
     .doc = "The time, the same all through a query."},
    {.type = TermType::kIso8601, .name = "iso8601", .arity = exactly(1), .eval = iso8601, .optargs = kIso8601Optargs,
     .doc = "The time that an ISO 8601 text stands for."},
    {.type = TermType::kToIso8601, .name = "to_iso8601", .arity = exactly(1), .eval = to_iso8601,
     .doc = "The time as ISO 8601 text."},
    {.type = TermType::kEpochTime, .name = "epoch_time", .arity = exactly(1), .eval = epoch_time,
     .doc = "The time so many seconds after 1970 began, UTC."},
    {.type = TermType::kToEpochTime, .name = "to_epoch_time", .arity = exactly(1), .eval = to_epoch_time,
     .doc = "The seconds since 1970 began, UTC."},
    {.type = TermType::kTime, .name = "time", .arity = between(4, 7), .eval = time,
     .doc = "The time with this year, month, day, perhaps hours, minutes, seconds, and time zone."},
    {.type = TermType::kInTimezone, .name = "in_timezone", .arity = exactly(2), .eval = in_timezone_term,
     .doc = "The same instant, shown in another time zone."},
    {.type = TermType::kDuring, .name = "during", .arity = exactly(3), .eval = during, .optargs = kDuringOptargs,
     .doc = "Whether the time lies between two others."},
    {.type = TermType::kDate, .name = "date", .arity = exactly(1), .eval = date, .doc = "Midnight of the day."},
    {.type = TermType::kTimeOfDay, .name = "time_of_day", .arity = exactly(1), .eval = part_of_time<&TimeParts::time_of_day>,
     .doc = "The seconds since midnight."},
    {.type = TermType::kTimezone, .name = "timezone", .arity = exactly(1), .eval = timezone,
     .doc = "The time zone, as an offset from UTC."},
    {.type = TermType::kYear, .name = "year", .arity = exactly(1), .eval = part_of_time<&TimeParts::year>, .doc = "The year."},
    {.type = TermType::kMonth, .name = "month", .arity = exactly(1), .eval = part_of_time<&TimeParts::month>,
     .doc = "The month, from 1."},
    {.type = TermType::kDay, .name = "day", .arity = exactly(1), .eval = part_of_time<&TimeParts::day>,
     .doc = "The day of the month, from 1."},
    {.type = TermType::kDayOfWeek, .name = "day_of_week", .arity = exactly(1), .eval = part_of_time<&TimeParts::day_of_week>,
     .doc = "The day of the week, from 1 for Monday to 7 for Sunday."},
    {.type = TermType::kDayOfYear, .name = "day_of_year", .arity = exactly(1), .eval = part_of_time<&TimeParts::day_of_year>,
     .doc = "The day of the year, from 1."},
    {.type = TermType::kHours, .name = "hours", .arity = exactly(1), .eval = part_of_time<&TimeParts::hours>,
     .doc = "The hour of the day."},
    {.type = TermType::kMinutes, .name = "minutes", .arity = exactly(1), .eval = part_of_time<&TimeParts::minutes>,
     .doc = "The minute of the hour."},
    {.type = TermType::kSeconds, .name = "seconds", .arity = exactly(1), .eval = part_of_time<&TimeParts::seconds>,
     .doc = "The second of the minute, with its fraction."},
    named<1>(TermType::kMonday, "monday"),
    named<2>(TermType::kTuesday, "tuesday"),
    named<3>(TermType::kWednesday, "wednesday"),
    named<4>(TermType::kThursday, "thursday"),
    named<5>(TermType::kFriday, "friday"),
    named<6>(TermType::kSaturday, "saturday"),
    named<7>(TermType::kSunday, "sunday"),
    named<1>(TermType::kJanuary, "january"),
    named<2>(TermType::kFebruary, "february"),
    named<3>(TermType::kMarch, "march"),
    named<4>(TermType::kApril, "april"),
    named<5>(TermType::kMay, "may"),
    named<6>(TermType::kJune, "june"),
    named<7>(TermType::kJuly, "july"),
    named<8>(TermType::kAugust, "august"),
    named<9>(TermType::kSeptember, "september"),
    named<10>(TermType::kOctober, "october"),
    named<11>(TermType::kNovember, "november"),
    named<12>(TermType::kDecember, "december"),
};

}  // namespace

std::span<const TermDef> time_terms() { return kTerms; }

}  // namespace reqld::reql
