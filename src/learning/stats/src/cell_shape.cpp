#include "cell_shape.h"

#include <cmath>
#include <limits>

#include "maru/data/cell_text.h"

namespace maru::stats {
namespace {

constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

// Plain decimals of at most 15 digits: both the digits and the power of ten are exact doubles, so one division rounds once (Clinger, 1990).
bool short_number(std::string_view cell, CellValue& out) {
  std::size_t at = 0;
  const bool minus = cell[0] == '-';
  if (minus || cell[0] == '+') at = 1;
  const std::size_t digits = cell.size() - at;
  if (digits == 0 || digits > 16) return false;
  std::uint64_t mantissa = 0;
  std::size_t point = cell.size();
  for (std::size_t i = at; i < cell.size(); ++i) {
    const char c = cell[i];
    if (c >= '0' && c <= '9') {
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(c - '0');
    } else if (c == '.' && point == cell.size()) {
      point = i;
    } else {
      return false;
    }
  }
  const bool whole = point == cell.size();
  if ((whole ? digits : digits - 1) > 15 || digits == (whole ? 0u : 1u)) return false;
  if (cell[at] == '0' && at + 1 < cell.size() && cell[at + 1] != '.') return false;
  if (whole) {
    out.shape = Shape::kInteger;
    out.integer =
        minus ? -static_cast<std::int64_t>(mantissa) : static_cast<std::int64_t>(mantissa);
    out.real = static_cast<double>(out.integer);
    return true;
  }
  const double value = static_cast<double>(mantissa) / kPowers[cell.size() - point - 1];
  out.shape = Shape::kReal;
  out.real = minus ? -value : value;
  return true;
}

}  // namespace

CellValue shape_of(std::string_view cell) {
  CellValue out;
  if (cell.empty()) return out;
  const char first = cell[0];
  const bool number_like =
      (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
  if (number_like && short_number(cell, out)) return out;
  if (!number_like && first != ' ' && first != '\t') {
    const char lower = static_cast<char>(first | 0x20);
    if (lower != 't' && lower != 'f' && lower != 'n' && lower != 'i') return out;
    if (cell.size() > 64) return out;
  }
  if (data::parse_integer_cell(cell, out.integer)) {
    out.shape = Shape::kInteger;
    out.real = static_cast<double>(out.integer);
  } else if (data::parse_real_cell(cell, out.real)) {
    bool digits = true;
    for (const char c : cell) digits = digits && c != '.' && (c | 0x20) != 'e' && (c | 0x20) != 'n';
    out.shape = !std::isfinite(out.real) ? Shape::kSpecial : digits ? Shape::kDigits : Shape::kReal;
  } else if (const int truth = data::parse_bool_cell(cell); truth >= 0) {
    out.shape = Shape::kBool;
    out.integer = truth;
    out.real = truth;
  } else if (data::parse_time_cell(cell, out.integer)) {
    out.shape = Shape::kTime;
    out.real = static_cast<double>(out.integer);
  }
  return out;
}

}  // namespace maru::stats
