#include "table_json.h"

#include <cmath>
#include <map>

namespace maru::model {
namespace {

using base::Json;
using data::Column;
using data::ColumnType;

Json cell(const Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  switch (column.type) {
    case ColumnType::kFloat:
      return std::isnan(column.reals[row]) ? Json() : Json(column.reals[row]);
    case ColumnType::kText:
      return column.codes[row] < 0 ? Json() : Json(column.text(row));
    case ColumnType::kBool:
      return column.integers[row] != 0;
    default:
      return column.integers[row];
  }
}

base::Status read_cell(const Json& value, Column& column,
                       std::map<std::string, std::int32_t>& codes) {
  const bool present = !value.is_null();
  column.valid.push_back(present ? 1 : 0);
  switch (column.type) {
    case ColumnType::kFloat:
      if (present && !value.is_number() && value.as_double(0) == 0)
        return base::fail(base::Code::kDataLoss, "a sample value is not a number: " + column.name);
      column.reals.push_back(present ? value.as_double() : std::nan(""));
      break;
    case ColumnType::kText: {
      if (!present) {
        column.codes.push_back(-1);
        break;
      }
      const auto [at, fresh] =
          codes.emplace(value.as_string(), static_cast<std::int32_t>(column.dictionary.size()));
      if (fresh) column.dictionary.push_back(value.as_string());
      column.codes.push_back(at->second);
      break;
    }
    case ColumnType::kBool:
      column.integers.push_back(value.as_bool() ? 1 : 0);
      break;
    default:
      column.integers.push_back(value.as_int());
  }
  return {};
}

}  // namespace

base::Json table_to_json(const data::Table& table) {
  Json out = Json::array();
  for (const Column& column : table.columns) {
    Json values = Json::array();
    for (std::size_t r = 0; r < column.rows(); ++r) values.push(cell(column, r));
    out.push(Json::object({{"name", column.name},
                           {"type", data::type_name(column.type)},
                           {"values", std::move(values)}}));
  }
  return out;
}

base::Result<data::Table> table_from_json(const base::Json& json) {
  data::Table out;
  for (const Json& item : json.items()) {
    Column column;
    column.name = item["name"].as_string();
    TRY_ASSIGN(column.type, data::parse_type(item["type"].as_string()));
    std::map<std::string, std::int32_t> codes;
    for (const Json& value : item["values"].items()) TRY(read_cell(value, column, codes));
    bool all = true;
    for (const std::uint8_t v : column.valid) all = all && v != 0;
    if (all) column.valid.clear();
    if (!out.columns.empty() && column.rows() != out.rows())
      return base::fail(base::Code::kDataLoss,
                        "the sample's columns differ in length: " + column.name);
    out.columns.push_back(std::move(column));
  }
  return out;
}

std::size_t table_bytes(const data::Table& table) {
  std::size_t total = 0;
  for (const Column& column : table.columns) {
    total += sizeof(Column) + column.valid.capacity() + column.integers.capacity() * 8 +
             column.reals.capacity() * 8 + column.codes.capacity() * 4;
    for (const std::string& text : column.dictionary)
      total += sizeof(std::string) + (text.capacity() > 15 ? text.capacity() : 0);
  }
  return total;
}

}  // namespace maru::model
