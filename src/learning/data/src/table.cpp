#include "maru/data/table.h"

#include <algorithm>
#include <limits>

#include "maru/base/check.h"
#include "maru/base/clock.h"
#include "maru/base/json.h"

namespace maru::data {

std::string_view type_name(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return "bool";
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kFloat:
      return "float";
    case ColumnType::kText:
      return "text";
    case ColumnType::kTimestamp:
      return "timestamp";
  }
  return "text";
}

base::Result<ColumnType> parse_type(std::string_view name) {
  for (const auto type : {ColumnType::kBool, ColumnType::kInteger, ColumnType::kFloat,
                          ColumnType::kText, ColumnType::kTimestamp}) {
    if (type_name(type) == name) return type;
  }
  return base::fail(base::Code::kInvalidArgument, "unknown column type: " + std::string(name),
                    "use one of bool, integer, float, text, timestamp");
}

std::size_t Column::rows() const {
  switch (type) {
    case ColumnType::kFloat:
      return reals.size();
    case ColumnType::kText:
      return codes.size();
    default:
      return integers.size();
  }
}

std::size_t Column::missing() const {
  return static_cast<std::size_t>(std::count(valid.begin(), valid.end(), std::uint8_t{0}));
}

double Column::number(std::size_t row) const {
  if (type == ColumnType::kText || !is_valid(row)) return std::numeric_limits<double>::quiet_NaN();
  return type == ColumnType::kFloat ? reals[row] : static_cast<double>(integers[row]);
}

std::string_view Column::text(std::size_t row) const {
  if (type != ColumnType::kText || !is_valid(row) || codes[row] < 0) return {};
  return dictionary[static_cast<std::size_t>(codes[row])];
}

std::string Column::display(std::size_t row) const {
  if (!is_valid(row)) return {};
  switch (type) {
    case ColumnType::kBool:
      return integers[row] != 0 ? "true" : "false";
    case ColumnType::kInteger:
      return std::to_string(integers[row]);
    case ColumnType::kFloat:
      return base::format_double(reals[row]);
    case ColumnType::kText:
      return std::string(text(row));
    case ColumnType::kTimestamp:
      return base::format_time_us(integers[row]);
  }
  return {};
}

const Column* Table::find(std::string_view name) const {
  const int at = index_of(name);
  return at < 0 ? nullptr : &columns[static_cast<std::size_t>(at)];
}

int Table::index_of(std::string_view name) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

namespace {

// Dictionary order must stay "first appearance" and hold no value that no row has, so codes are renumbered.
void renumber(Column& column, const std::vector<std::string>& dictionary) {
  std::vector<std::int32_t> fresh(dictionary.size(), -1);
  for (auto& code : column.codes) {
    if (code < 0) continue;
    auto& next = fresh[static_cast<std::size_t>(code)];
    if (next < 0) {
      next = static_cast<std::int32_t>(column.dictionary.size());
      column.dictionary.push_back(dictionary[static_cast<std::size_t>(code)]);
    }
    code = next;
  }
}

template <class Rows>
Column pick(const Column& from, const Rows& rows) {
  Column out;
  out.name = from.name;
  out.type = from.type;
  if (!from.valid.empty()) {
    out.valid.reserve(rows.size());
    for (const auto row : rows) out.valid.push_back(from.valid[row]);
    if (std::find(out.valid.begin(), out.valid.end(), std::uint8_t{0}) == out.valid.end())
      out.valid.clear();
  }
  if (from.type == ColumnType::kFloat) {
    out.reals.reserve(rows.size());
    for (const auto row : rows) out.reals.push_back(from.reals[row]);
  } else if (from.type == ColumnType::kText) {
    out.codes.reserve(rows.size());
    for (const auto row : rows) out.codes.push_back(from.codes[row]);
    renumber(out, from.dictionary);
  } else {
    out.integers.reserve(rows.size());
    for (const auto row : rows) out.integers.push_back(from.integers[row]);
  }
  return out;
}

}  // namespace

Table Table::take(const std::vector<std::uint32_t>& row_numbers) const {
  for (const auto row : row_numbers) MARU_CHECK(row < rows());
  Table out;
  out.columns.reserve(columns.size());
  for (const auto& column : columns) out.columns.push_back(pick(column, row_numbers));
  return out;
}

Table Table::slice(std::size_t from, std::size_t count) const {
  const std::size_t begin = std::min(from, rows());
  const std::size_t end = begin + std::min(count, rows() - begin);
  std::vector<std::uint32_t> numbers(end - begin);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<std::uint32_t>(begin + i);
  return take(numbers);
}

Table Table::select(const std::vector<std::string>& names) const {
  Table out;
  for (const auto& name : names) {
    if (const Column* column = find(name)) out.columns.push_back(*column);
  }
  return out;
}

}  // namespace maru::data
