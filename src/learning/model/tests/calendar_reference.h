#pragma once
// Calendar parts the slow way: counting years and months one by one.
#include <cstdint>
#include <string_view>

inline std::int64_t reference_part(std::int64_t time_us, std::string_view part) {
  constexpr std::int64_t kDay = 86'400'000'000;
  std::int64_t days = time_us / kDay;
  if (time_us < days * kDay) --days;
  const std::int64_t in_day = time_us - days * kDay;
  if (part == "hour") return in_day / 3'600'000'000;
  if (part == "minute_of_day") return in_day / 60'000'000;
  if (part == "elapsed_days") return days;
  if (part == "weekday") return ((days % 7) + 7 + 3) % 7;
  const auto leap = [](std::int64_t y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); };
  std::int64_t year = 1970, left = days;
  while (left < 0) left += leap(--year) ? 366 : 365;
  while (left >= (leap(year) ? 366 : 365)) left -= leap(year++) ? 366 : 365;
  if (part == "year") return year;
  const int lengths[] = {31, leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::int64_t month = 0, day = left;
  while (day >= lengths[month]) day -= lengths[month++];
  if (part == "month") return month + 1;
  if (part == "day") return day + 1;
  // As in a common year: from March on one less in a leap year, and 29 February counts as 1 March.
  return leap(year) && month >= 2 ? left : left + 1;
}
