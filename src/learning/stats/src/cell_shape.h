#pragma once
#include <cstdint>
#include <string_view>

namespace maru::stats {

// What one text cell looks like; the same rules as when a file is imported.
enum class Shape : std::uint8_t { kInteger, kDigits, kReal, kSpecial, kBool, kTime, kOther };

struct CellValue {
  Shape shape = Shape::kOther;
  std::int64_t integer = 0;  // kInteger; kBool: 0 or 1; kTime: microseconds
  double real = 0;           // every shape but kOther; of kDigits the nearest double
};
CellValue shape_of(std::string_view cell);

}  // namespace maru::stats
