#include "column_fill.h"

#include <array>
#include <cmath>
#include <limits>

#include "maru/data/cell_text.h"

namespace maru::data {

namespace {

// -123 and 123 of up to 18 digits, the common case; anything else is the careful parser's.
bool short_integer(std::string_view cell, std::int64_t& value) {
  const char* at = cell.data();
  const char* end = at + cell.size();
  const bool minus = at != end && *at == '-';
  if (minus) ++at;
  const std::size_t digits = static_cast<std::size_t>(end - at);
  if (digits == 0 || digits > 18 || (digits > 1 && *at == '0')) return false;
  std::int64_t out = 0;
  for (; at != end; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
    if (digit > 9) return false;
    out = out * 10 + static_cast<std::int64_t>(digit);
  }
  value = minus ? -out : out;
  return true;
}

constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// 12.5 and -0.25: a mantissa below 2^53 over an exact power of ten is rounded once, so it is the nearest double (Clinger 1990, the fast path).
bool short_real(std::string_view cell, double& value) {
  constexpr std::uint64_t kExact = 1ull << 53;
  const char* at = cell.data();
  const char* end = at + cell.size();
  const bool minus = at != end && *at == '-';
  if (minus) ++at;
  if (at == end || end - at > 19) return false;
  if (*at == '0' && end - at > 1 && at[1] != '.') return false;
  std::uint64_t mantissa = 0;
  const char* point = nullptr;
  for (; at != end; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
    if (digit <= 9) {
      mantissa = mantissa * 10 + digit;
    } else if (*at == '.' && point == nullptr && at != cell.data() + (minus ? 1 : 0)) {
      point = at;
    } else {
      return false;
    }
  }
  if (mantissa >= kExact) return false;
  const std::size_t decimals = point == nullptr ? 0 : static_cast<std::size_t>(end - point) - 1;
  if (point != nullptr && decimals == 0) return false;
  const double number = static_cast<double>(mantissa) / kPowers[decimals];
  value = minus ? -number : number;
  return true;
}

}  // namespace

ColumnFill::ColumnFill(std::string name, ColumnType type, CellKinds& kinds, bool fixed)
    : kinds_(kinds), fixed_(fixed) {
  column_.name = std::move(name);
  column_.type = type;
  if (type == ColumnType::kText) encoder_.emplace(column_);
}

void ColumnFill::missing_one() {
  if (column_.valid.empty()) column_.valid.assign(rows_, 1);
  column_.valid.push_back(0);
  if (column_.type == ColumnType::kText)
    encoder_->add_missing();
  else if (column_.type == ColumnType::kFloat)
    column_.reals.push_back(std::numeric_limits<double>::quiet_NaN());
  else
    column_.integers.push_back(0);
  ++rows_;
}

void ColumnFill::add_missing(std::size_t rows) {
  for (std::size_t i = 0; i < rows; ++i) missing_one();
}

// Appends the cell as the column's type; what does not parse becomes any value, for the column will be read again.
bool ColumnFill::store(std::string_view cell) {
  std::int64_t integer = 0;
  double real = std::numeric_limits<double>::quiet_NaN();
  bool fits = true;
  switch (column_.type) {
    case ColumnType::kText:
      encoder_->add(cell);
      return true;
    case ColumnType::kFloat:
      fits = parse_real_cell(cell, real);
      column_.reals.push_back(real);
      return fits;
    case ColumnType::kInteger:
      fits = parse_integer_cell(cell, integer);
      break;
    case ColumnType::kTimestamp:
      fits = parse_time_cell(cell, integer);
      break;
    case ColumnType::kBool:
      integer = parse_bool_cell(cell);
      fits = integer >= 0;
      integer = fits ? integer : 0;
      break;
  }
  column_.integers.push_back(integer);
  return fits;
}

void ColumnFill::one(std::string_view cell) {
  if (is_blank(cell)) {
    missing_one();
    return;
  }
  const bool settled = fixed_ || kinds_.settled(column_.type);
  if (!settled) kinds_.restrict(cell);
  if (!store(cell)) {
    fits_ = false;
    if (settled) kinds_.restrict(cell);
  }
  if (!column_.valid.empty()) column_.valid.push_back(1);
  ++rows_;
}

// The common forms are written where they belong; any other cell takes the careful way.
template <class Value, class Parse>
void ColumnFill::numbers(std::vector<Value>& values, const std::string_view* cells,
                         std::size_t rows, Parse parse) {
  const std::size_t end = rows_ + rows;
  values.resize(end);
  for (std::size_t i = 0; i < rows; ++i) {
    if (parse(cells[i], values[rows_])) {
      if (!column_.valid.empty()) column_.valid.push_back(1);
      ++rows_;
      continue;
    }
    values.resize(rows_);
    one(cells[i]);
    values.resize(end);
  }
}

void ColumnFill::add(const std::string_view* cells, std::size_t rows) {
  std::size_t at = 0;
  while (at < rows && !fixed_ && !kinds_.settled(column_.type)) one(cells[at++]);
  if (column_.type == ColumnType::kInteger) {
    numbers(column_.integers, cells + at, rows - at, short_integer);
  } else if (column_.type == ColumnType::kFloat) {
    numbers(column_.reals, cells + at, rows - at, short_real);
  } else {
    for (; at < rows; ++at) one(cells[at]);
  }
}

void ColumnFill::add_word(std::string_view word) { one(word); }

void ColumnFill::add_quoted(std::string_view text) {
  if (!fixed_ && !kinds_.none()) kinds_.restrict_quoted(text);
  const bool typed = column_.type != ColumnType::kText && column_.type != ColumnType::kTimestamp;
  if (typed) fits_ = false;
  if (!store(text)) fits_ = false;
  if (!column_.valid.empty()) column_.valid.push_back(1);
  ++rows_;
}

Column ColumnFill::take() {
  encoder_.reset();
  return std::move(column_);
}

}  // namespace maru::data
