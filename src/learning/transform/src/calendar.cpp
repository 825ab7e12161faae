#include "calendar.h"

namespace maru::transform {
namespace {

std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  const std::int64_t r = a % b;
  return r < 0 ? r + b : r;
}

struct Civil {
  std::int64_t year, month, day, day_of_year;
};

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
Civil civil_from_days(std::int64_t days) {
  const std::int64_t z = days + 719468;
  const std::int64_t doe = floor_mod(z, 146097);
  const std::int64_t era = (z - doe) / 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const bool new_year = mp >= 10;
  Civil out{};
  out.day = doy - (153 * mp + 2) / 5 + 1;
  out.month = new_year ? mp - 9 : mp + 3;
  out.year = yoe + era * 400 + (new_year ? 1 : 0);
  out.day_of_year = new_year ? doy - 305 : doy + 60;
  return out;
}

}  // namespace

const std::vector<std::string>& calendar_parts() {
  static const std::vector<std::string> kParts = {
      "year", "month", "day", "weekday", "hour", "minute_of_day", "day_of_year", "elapsed_days"};
  return kParts;
}

std::int64_t calendar_part(std::int64_t time_us, std::string_view part) {
  const std::int64_t in_day = floor_mod(time_us, kDayUs);
  const std::int64_t days = time_us / kDayUs - (time_us % kDayUs < 0 ? 1 : 0);
  if (part == "hour") return in_day / kHourUs;
  if (part == "minute_of_day") return in_day / kMinuteUs;
  if (part == "weekday") return floor_mod(days + 3, 7);
  if (part == "elapsed_days") return days;
  const Civil civil = civil_from_days(days);
  if (part == "year") return civil.year;
  if (part == "month") return civil.month;
  if (part == "day") return civil.day;
  return civil.day_of_year;
}

bool part_range(std::string_view part, std::int64_t& first, std::int64_t& count) {
  if (part != "weekday" && part != "hour" && part != "month") return false;
  first = part == "month" ? 1 : 0;
  count = part == "weekday" ? 7 : part == "hour" ? 24 : 12;
  return true;
}

}  // namespace maru::transform
