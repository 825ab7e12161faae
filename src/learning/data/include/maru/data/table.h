#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::data {

enum class ColumnType : std::uint8_t { kBool, kInteger, kFloat, kText, kTimestamp };
std::string_view type_name(ColumnType type);  // "bool", "integer", "float", "text", "timestamp"
base::Result<ColumnType> parse_type(std::string_view name);

// One column of n rows. `valid` is empty when nothing is missing, else one byte a row. Exactly one store is filled:
// integers (bool 0/1, integer, timestamp in microseconds UTC), reals (float), or codes into dictionary (text, -1 where missing).
struct Column {
  std::string name;
  ColumnType type = ColumnType::kFloat;
  std::vector<std::uint8_t> valid;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<std::int32_t> codes;
  std::vector<std::string> dictionary;  // distinct values in order of first appearance

  std::size_t rows() const;
  bool is_valid(std::size_t row) const { return valid.empty() || valid[row] != 0; }
  std::size_t missing() const;
  double number(std::size_t row) const;          // NaN when missing or text; integers widen
  std::string_view text(std::size_t row) const;  // "" when missing or not text
  std::string display(std::size_t row) const;    // for people and JSON lines; "" when missing
};

// Columns of equal length in memory. Value type; concurrent reads are safe.
struct Table {
  std::vector<Column> columns;
  std::size_t rows() const { return columns.empty() ? 0 : columns.front().rows(); }
  const Column* find(std::string_view name) const;
  int index_of(std::string_view name) const;  // -1 when absent
  Table take(const std::vector<std::uint32_t>& row_numbers) const;
  Table slice(std::size_t from, std::size_t count) const;
  Table select(const std::vector<std::string>& names) const;  // missing names are left out
};

}  // namespace maru::data
