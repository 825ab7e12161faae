#pragma once
#include <cstdint>
#include <string_view>

namespace maru::data {

// What one cell of a text file says. Spaces and tabs around it do not count.
bool is_blank(std::string_view cell);  // empty, or only spaces and tabs: missing
// [+-]?(0|[1-9][0-9]*) within 64 bits; 00123 is none.
bool parse_integer_cell(std::string_view cell, std::int64_t& value);
// A decimal number without leading zeros, nan, inf or infinity in any case.
bool parse_real_cell(std::string_view cell, double& value);
// ISO 8601 date, with or without time and zone (UTC without one), as microseconds.
bool parse_time_cell(std::string_view cell, std::int64_t& time_us);
// 1: true, 0: false in any case; -1: neither.
int parse_bool_cell(std::string_view cell);

}  // namespace maru::data
