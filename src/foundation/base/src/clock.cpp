#include "maru/base/clock.h"

#include <time.h>

#include <atomic>
#include <cstdio>

namespace maru::base {
namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

class SystemClock final : public Clock {
 public:
  std::int64_t now_us() const override {
    timespec ts{};
    ::clock_gettime(CLOCK_REALTIME, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * kUsPerSecond + ts.tv_nsec / 1000;
  }
  std::int64_t monotonic_ns() const override {
    timespec ts{};
    ::clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
  }
};

struct Date {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// Howard Hinnant, "chrono-compatible low-level date algorithms": proleptic Gregorian, any year.
Date civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto doe = static_cast<unsigned>(days - era * 146'097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0), month,
          doy - (153 * mp + 2) / 5 + 1};
}

std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto yoe = static_cast<unsigned>(year - era * 400);
  const unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146'097 + static_cast<std::int64_t>(doe) - 719'468;
}

unsigned days_in_month(std::int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// Reads text from the left; every member returns false at a mismatch.
struct Reader {
  std::string_view left;

  bool digits(std::size_t count, unsigned& out) {
    if (left.size() < count) return false;
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (left[i] < '0' || left[i] > '9') return false;
      out = out * 10 + static_cast<unsigned>(left[i] - '0');
    }
    left.remove_prefix(count);
    return true;
  }
  bool one_of(std::string_view set) {
    if (left.empty() || set.find(left[0]) == std::string_view::npos) return false;
    left.remove_prefix(1);
    return true;
  }
};

bool read_date(Reader& in, std::int64_t& days) {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  if (!in.digits(4, year) || !in.one_of("-") || !in.digits(2, month) || !in.one_of("-") ||
      !in.digits(2, day)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
  days = days_from_civil(year, month, day);
  return true;
}

bool read_fraction(Reader& in, std::int64_t& us) {
  us = 0;
  if (!in.one_of(".,")) return true;
  std::int64_t scale = 100'000;
  unsigned digit = 0;
  bool any = false;
  while (in.digits(1, digit)) {
    us += static_cast<std::int64_t>(digit) * scale;
    scale /= 10;  // digits past the microsecond are dropped
    any = true;
  }
  return any;
}

bool read_zone(Reader& in, std::int64_t& offset_seconds) {
  offset_seconds = 0;
  if (in.left.empty() || in.one_of("Zz")) return in.left.empty();
  const bool minus = in.left[0] == '-';
  unsigned hours = 0;
  unsigned minutes = 0;
  if (!in.one_of("+-") || !in.digits(2, hours)) return false;
  if (!in.left.empty()) {
    in.one_of(":");
    if (!in.digits(2, minutes)) return false;
  }
  if (hours > 23 || minutes > 59 || !in.left.empty()) return false;
  offset_seconds =
      static_cast<std::int64_t>(hours) * 3600 + static_cast<std::int64_t>(minutes) * 60;
  if (minus) offset_seconds = -offset_seconds;
  return true;
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

struct ManualClock::State {
  std::int64_t start_us;
  std::atomic<std::int64_t> elapsed_us{0};
};

ManualClock::ManualClock(std::int64_t start_us) : state_(std::make_shared<State>()) {
  state_->start_us = start_us;
}
std::int64_t ManualClock::now_us() const { return state_->start_us + state_->elapsed_us.load(); }
std::int64_t ManualClock::monotonic_ns() const { return (state_->elapsed_us.load() + 1) * 1000; }
void ManualClock::advance_us(std::int64_t delta_us) { state_->elapsed_us += delta_us; }

std::string format_time_us(std::int64_t time_us) {
  std::int64_t seconds = time_us / kUsPerSecond;
  std::int64_t us = time_us % kUsPerSecond;
  if (us < 0) {
    us += kUsPerSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t in_day = seconds % kSecondsPerDay;
  if (in_day < 0) {
    in_day += kSecondsPerDay;
    --days;
  }
  const Date date = civil_from_days(days);
  char text[64];
  int size = std::snprintf(text, sizeof text, "%04lld-%02u-%02uT%02d:%02d:%02d",
                           static_cast<long long>(date.year), date.month, date.day,
                           static_cast<int>(in_day / 3600), static_cast<int>(in_day / 60 % 60),
                           static_cast<int>(in_day % 60));
  std::string out(text, static_cast<std::size_t>(size));
  if (us != 0) {
    size = std::snprintf(text, sizeof text, ".%06d", static_cast<int>(us));
    out.append(text, static_cast<std::size_t>(size));
  }
  out += 'Z';
  return out;
}

Result<std::int64_t> parse_time_us(std::string_view text) {
  Reader in{text};
  std::int64_t days = 0;
  std::int64_t us = 0;
  std::int64_t zone = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  bool good = read_date(in, days);
  if (good && !in.left.empty()) {
    good = in.one_of("Tt ") && in.digits(2, hour) && in.one_of(":") && in.digits(2, minute);
    if (good && in.one_of(":")) good = in.digits(2, second) && read_fraction(in, us);
    good = good && read_zone(in, zone) && hour < 24 && minute < 60 && second < 60;
  }
  if (!good) {
    return fail(Code::kInvalidArgument, "not a time: " + std::string(text.substr(0, 64)),
                "write it as 2026-11-21T06:55:00Z");
  }
  const std::int64_t in_day =
      static_cast<std::int64_t>(hour) * 3600 + static_cast<std::int64_t>(minute) * 60 + second;
  return (days * kSecondsPerDay + in_day - zone) * kUsPerSecond + us;
}

}  // namespace maru::base
