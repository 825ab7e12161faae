#include <charconv>
#include <cmath>

#include "cell_kinds.h"
#include "delimited.h"
#include "maru/base/text.h"
#include "text_encoder.h"

namespace maru::data {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view strip(std::string_view cell) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
  return cell;
}

// [+-]?(0|[1-9][0-9]*), of any length.
bool integer_shape(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  if (text.empty() || (text.front() == '0' && text.size() > 1)) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return true;
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

bool take_number(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_from_civil(int y, int m, int d) {
  y -= m <= 2 ? 1 : 0;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const int yoe = y - era * 400;
  const int doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return static_cast<std::int64_t>(era) * 146'097 + doe - 719'468;
}

bool take_date(std::string_view& text, std::int64_t& days) {
  int year = 0, month = 0, day = 0;
  if (!take_number(text, 4, year) || text.empty()) return false;
  const char separator = text.front();
  if (separator != '-' && separator != '/') return false;
  text.remove_prefix(1);
  if (!take_number(text, 2, month) || !take_char(text, separator) || !take_number(text, 2, day))
    return false;
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day > kDays[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  days = days_from_civil(year, month, day);
  return true;
}

bool take_zone(std::string_view& text, std::int64_t& offset_us) {
  if (text.empty() || take_char(text, 'Z')) return true;
  const bool minus = text.front() == '-';
  if (!minus && text.front() != '+') return false;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!take_number(text, 2, hours)) return false;
  take_char(text, ':');
  if (!text.empty() && !take_number(text, 2, minutes)) return false;
  if (hours > 15 || minutes > 59) return false;
  offset_us = (hours * 60LL + minutes) * 60'000'000 * (minus ? -1 : 1);
  return true;
}

ColumnType type_of(const Cells& cells) {
  CellKinds kinds;
  for (const auto cell : cells) {
    if (is_blank(cell)) continue;
    kinds.restrict(cell);
    if (kinds.none()) return ColumnType::kText;
  }
  return kinds.type();
}

void fill_text(Column& column, const Cells& cells) {
  TextEncoder encoder(column);
  column.codes.reserve(cells.size());
  for (const auto cell : cells) {
    if (is_blank(cell))
      encoder.add_missing();
    else
      encoder.add(cell);
  }
}

void fill_numbers(Column& column, const Cells& cells) {
  const bool real = column.type == ColumnType::kFloat;
  if (real)
    column.reals.reserve(cells.size());
  else
    column.integers.reserve(cells.size());
  for (const auto cell : cells) {
    std::int64_t integer = 0;
    double number = std::nan("");
    if (!is_blank(cell)) {
      if (real)
        parse_real_cell(cell, number);
      else if (column.type == ColumnType::kInteger)
        parse_integer_cell(cell, integer);
      else if (column.type == ColumnType::kTimestamp)
        parse_time_cell(cell, integer);
      else
        integer = parse_bool_cell(cell);
    }
    if (real)
      column.reals.push_back(number);
    else
      column.integers.push_back(integer);
  }
}

}  // namespace

void CellKinds::restrict(std::string_view cell) {
  std::int64_t whole = 0;
  double number = 0;
  any_value = true;
  if (digits && !integer_shape(strip(cell))) digits = false;
  if (integer && !parse_integer_cell(cell, whole)) integer = false;
  if (real) {
    if (!parse_real_cell(cell, number))
      real = false;
    else if (std::isfinite(number))
      any_finite = true;
  }
  if (boolean && parse_bool_cell(cell) < 0) boolean = false;
  if (time && !parse_time_cell(cell, whole)) time = false;
}

void CellKinds::restrict_quoted(std::string_view cell) {
  std::int64_t time_us = 0;
  any_value = true;
  integer = digits = real = boolean = false;
  if (time && !parse_time_cell(cell, time_us)) time = false;
}

void CellKinds::merge(const CellKinds& other) {
  integer = integer && other.integer;
  digits = digits && other.digits;
  real = real && other.real;
  boolean = boolean && other.boolean;
  time = time && other.time;
  any_value = any_value || other.any_value;
  any_finite = any_finite || other.any_finite;
}

ColumnType CellKinds::type() const {
  if (!any_value)
    return ColumnType::kFloat;  // nothing but missing: a number of which none is known
  if (integer) return ColumnType::kInteger;
  if (digits)
    return ColumnType::
        kText;  // whole numbers beyond 64 bits are names, and doubles would merge them
  if (real && any_finite) return ColumnType::kFloat;
  if (boolean) return ColumnType::kBool;
  if (time) return ColumnType::kTimestamp;
  return ColumnType::kText;
}

bool CellKinds::settled(ColumnType as) const {
  if (!any_value) return false;
  switch (as) {
    case ColumnType::kInteger:
      return integer && digits && real && any_finite && !boolean && !time;
    case ColumnType::kFloat:
      return real && any_finite && !integer && !digits && !boolean && !time;
    case ColumnType::kBool:
      return boolean && !integer && !digits && !real && !time;
    case ColumnType::kTimestamp:
      return time && !integer && !digits && !real && !boolean;
    case ColumnType::kText:
      return none();
  }
  return false;
}

bool is_blank(std::string_view cell) {
  for (const char c : cell) {
    if (c != ' ' && c != '\t') return false;
  }
  return true;
}

int parse_bool_cell(std::string_view cell) {
  const std::string_view text = strip(cell);
  if (equal_ignoring_case(text, "true")) return 1;
  if (equal_ignoring_case(text, "false")) return 0;
  return -1;
}

bool parse_integer_cell(std::string_view cell, std::int64_t& value) {
  std::string_view text = strip(cell);
  if (!integer_shape(text)) return false;
  if (text.front() == '+') text.remove_prefix(1);
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

bool parse_real_cell(std::string_view cell, double& value) {
  std::string_view text = strip(cell);
  std::string_view body = text;
  if (!body.empty() && (body.front() == '+' || body.front() == '-')) body.remove_prefix(1);
  if (body.empty()) return false;
  if (!is_digit(body.front()) && body.front() != '.') {
    if (equal_ignoring_case(body, "nan"))
      value = std::nan("");
    else if (equal_ignoring_case(body, "inf") || equal_ignoring_case(body, "infinity"))
      value = text.front() == '-' ? -HUGE_VAL : HUGE_VAL;
    else
      return false;
    return true;
  }
  if (body.size() > 1 && body[0] == '0' && is_digit(body[1])) return false;
  if (text.front() == '+') text.remove_prefix(1);
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ptr != text.data() + text.size()) return false;
  if (end.ec == std::errc::result_out_of_range)
    value = std::strtod(std::string(text).c_str(), nullptr);
  else if (end.ec != std::errc())
    return false;
  return true;
}

bool parse_time_cell(std::string_view cell, std::int64_t& time_us) {
  std::string_view text = strip(cell);
  std::int64_t days = 0, offset_us = 0, fraction_us = 0;
  if (!take_date(text, days)) return false;
  int hour = 0, minute = 0, second = 0;
  if (!text.empty()) {
    if (!take_char(text, 'T') && !take_char(text, ' ')) return false;
    if (!take_number(text, 2, hour) || !take_char(text, ':') || !take_number(text, 2, minute))
      return false;
    if (take_char(text, ':') && !take_number(text, 2, second)) return false;
    if (take_char(text, '.')) {
      std::int64_t unit = 100'000;
      if (text.empty() || !is_digit(text.front())) return false;
      for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), unit /= 10)
        fraction_us += (text.front() - '0') * unit;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    take_char(text, ' ');
    if (!take_zone(text, offset_us) || !text.empty()) return false;
  }
  time_us = ((days * 24 + hour) * 60 + minute) * 60'000'000 + second * 1'000'000LL + fraction_us -
            offset_us;
  return true;
}

Column infer_column(std::string name, const Cells& cells, bool as_text) {
  Column column;
  column.name = std::move(name);
  column.type = as_text ? ColumnType::kText : type_of(cells);
  if (column.type == ColumnType::kText)
    fill_text(column, cells);
  else
    fill_numbers(column, cells);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!is_blank(cells[i])) continue;
    if (column.valid.empty()) column.valid.assign(cells.size(), 1);
    column.valid[i] = 0;
  }
  return column;
}

Table infer_table(RawTable raw) {
  Table table;
  for (std::size_t c = 0; c < raw.names.size(); ++c) {
    table.columns.push_back(infer_column(std::move(raw.names[c]), raw.columns[c], raw.as_text[c]));
    Cells().swap(raw.columns[c]);
  }
  return table;
}

base::Result<Table> read_delimited_text(std::string text) {
  ImportSpec spec;
  spec.detect_header = false;
  RawTable raw;
  TRY(read_delimited(std::move(text), "the body", spec, 0, raw));
  raw.as_text.assign(raw.names.size(), true);
  return infer_table(std::move(raw));
}

}  // namespace maru::data
