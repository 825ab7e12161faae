#include <array>
#include <charconv>

#include "maru/base/text.h"
#include "maru/pipeline/pipeline.h"

namespace maru::pipeline {
namespace {

using base::Code;

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr int kSearchDays = 8 * 366;

struct Field {
  const char* name;
  int low, high;
};
constexpr std::array<Field, 5> kFields = {{{"minute", 0, 59},
                                           {"hour", 0, 23},
                                           {"day of month", 1, 31},
                                           {"month", 1, 12},
                                           {"day of week", 0, 7}}};
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

tl::unexpected<base::Error> wrong(const Field& field, std::string_view text) {
  return base::fail(Code::kInvalidArgument,
                    std::string("cron ") + field.name + " is not valid: " + std::string(text),
                    "five fields: minute hour day-of-month month day-of-week, as in `0 3 * * *`");
}

base::Result<int> number(std::string_view text, std::size_t index) {
  const std::string lower = base::to_lower_ascii(text);
  if (index == 3) {
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
      if (kMonths[i] == lower) return static_cast<int>(i) + 1;
    }
  }
  if (index == 4) {
    for (std::size_t i = 0; i < kWeekdays.size(); ++i) {
      if (kWeekdays[i] == lower) return static_cast<int>(i);
    }
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const Field& field = kFields[index];
  if (error != std::errc() || end != text.data() + text.size() || value < field.low ||
      value > field.high)
    return wrong(field, text);
  return value;
}

// One of "*", "5", "1-5", "*/10", "1-20/3" as bits.
base::Result<std::uint64_t> part_bits(std::string_view part, std::size_t index) {
  const Field& field = kFields[index];
  int step = 1;
  const std::size_t slash = part.find('/');
  std::string_view range = part.substr(0, slash);
  if (slash != std::string_view::npos) {
    const std::string_view text = part.substr(slash + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (error != std::errc() || end != text.data() + text.size() || step < 1 || step > field.high)
      return wrong(field, part);
  }
  int low = field.low, high = field.high;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    TRY_ASSIGN(low, number(range.substr(0, dash), index));
    high = low;
    if (dash != std::string_view::npos) {
      TRY_ASSIGN(high, number(range.substr(dash + 1), index));
    } else if (slash != std::string_view::npos) {
      high = field.high;
    }
    if (high < low) return wrong(field, part);
  }
  std::uint64_t bits = 0;
  for (int value = low; value <= high; value += step) bits |= std::uint64_t{1} << value;
  return bits;
}

base::Result<std::uint64_t> field_bits(std::string_view text, std::size_t index) {
  std::uint64_t bits = 0;
  for (const auto& part : base::split(text, ',')) {
    TRY_ASSIGN(const std::uint64_t more, part_bits(part, index));
    bits |= more;
  }
  if (index == 4 && (bits >> 7 & 1) != 0) bits = (bits | 1) & 0x7F;  // 7 is Sunday too
  return bits;
}

struct Date {
  int month = 1, day = 1, weekday = 0;
};

// Civil date of a day number since 1970 (days algorithm of Howard Hinnant's public-domain paper).
Date civil(std::int64_t days) {
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  Date out;
  out.day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  out.month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  out.weekday = static_cast<int>(((days % 7) + 11) % 7);
  return out;
}

std::string expand(std::string_view text) {
  if (text == "@hourly") return "0 * * * *";
  if (text == "@daily" || text == "@midnight") return "0 0 * * *";
  if (text == "@weekly") return "0 0 * * 0";
  if (text == "@monthly") return "0 0 1 * *";
  if (text == "@yearly" || text == "@annually") return "0 0 1 1 *";
  return std::string(text);
}

bool has(std::uint64_t bits, int value) { return (bits >> value & 1) != 0; }

}  // namespace

base::Result<Cron> Cron::parse(std::string_view text) {
  std::vector<std::string> words;
  for (auto& word : base::split(expand(base::trim(text)), ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  if (words.size() != 5)
    return base::fail(Code::kInvalidArgument, "cron needs five fields: " + std::string(text),
                      "minute hour day-of-month month day-of-week, as in `0 3 * * *`");
  Cron out;
  TRY_ASSIGN(out.minutes_, field_bits(words[0], 0));
  TRY_ASSIGN(out.hours_, field_bits(words[1], 1));
  TRY_ASSIGN(out.days_, field_bits(words[2], 2));
  TRY_ASSIGN(out.months_, field_bits(words[3], 3));
  TRY_ASSIGN(out.weekdays_, field_bits(words[4], 4));
  out.day_star_ = words[2].front() == '*';
  out.weekday_star_ = words[4].front() == '*';
  return out;
}

std::int64_t Cron::next_after_us(std::int64_t time_us) const {
  std::int64_t minute =
      (time_us >= 0 ? time_us / kMinuteUs : (time_us - kMinuteUs + 1) / kMinuteUs) + 1;
  constexpr std::int64_t kMinutesADay = kDayUs / kMinuteUs;
  std::int64_t day =
      minute >= 0 ? minute / kMinutesADay : (minute - kMinutesADay + 1) / kMinutesADay;
  int from = static_cast<int>(minute - day * kMinutesADay);
  for (int searched = 0; searched < kSearchDays; ++searched, ++day, from = 0) {
    const Date date = civil(day);
    if (!has(months_, date.month)) continue;
    // Vixie's rule: when both day fields are restricted, either may match.
    const bool by_day = has(days_, date.day), by_weekday = has(weekdays_, date.weekday);
    const bool matches = day_star_ || weekday_star_ ? by_day && by_weekday : by_day || by_weekday;
    if (!matches) continue;
    for (int at = from; at < kMinutesADay; ++at) {
      if (has(hours_, at / 60) && has(minutes_, at % 60))
        return (day * kMinutesADay + at) * kMinuteUs;
    }
  }
  return -1;
}

}  // namespace maru::pipeline
