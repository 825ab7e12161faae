#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::base {

// Source of time, injected everywhere. Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_us() const = 0;        // wall clock, microseconds since 1970 UTC
  virtual std::int64_t monotonic_ns() const = 0;  // never goes back; for durations only
  std::int64_t now_ms() const { return now_us() / 1000; }
};

Clock& system_clock();

// A clock that moves only when told to; for tests and simulation. Thread safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t start_us = 1'000'000'000'000'000);
  std::int64_t now_us() const override;
  std::int64_t monotonic_ns() const override;
  void advance_us(std::int64_t delta_us);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// "2026-11-21T06:55:00.123456Z"; fraction dropped when zero.
std::string format_time_us(std::int64_t time_us);
// Accepts the above, with ' ' for 'T', with or without fraction, zone `Z` or ±hh:mm (none means UTC), or a date alone.
Result<std::int64_t> parse_time_us(std::string_view text);

}  // namespace maru::base
