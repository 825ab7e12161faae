#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maru::transform {

inline constexpr std::int64_t kHourUs = 3'600'000'000;
inline constexpr std::int64_t kMinuteUs = 60'000'000;
inline constexpr std::int64_t kDayUs = 86'400'000'000;

// Every part by name, in the order of the features they make.
const std::vector<std::string>& calendar_parts();

// One part of a moment (µs UTC, any sign), proleptic Gregorian; the reference of the graph that emit.cpp writes.
// weekday: Monday 0. day_of_year: as in a common year, 29 February counts as 1 March (60), so that a date keeps its number.
// elapsed_days: whole days since 1970.
std::int64_t calendar_part(std::int64_t time_us, std::string_view part);

// The range of a part that has few values (weekday, hour, month); false for the others.
bool part_range(std::string_view part, std::int64_t& first, std::int64_t& count);

}  // namespace maru::transform
