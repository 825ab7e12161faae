#include "inference/rows.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::api::inference {
namespace {

using base::Code;
using base::Json;

const Json& unwrapped(const Json& value) {
  return value.is_array() && value.size() == 1 ? value.at(0) : value;
}

// A cell as what the input wants; one that is not that stays a text, which the input then refuses by name.
Json cell_json(const model::TensorSpec* spec, const std::string& cell) {
  if (spec == nullptr || spec->type == model::Datatype::kBytes) return cell;
  if (cell.empty()) return {};
  if (spec->type == model::Datatype::kBool) {
    const std::string word = base::to_lower_ascii(cell);
    if (word == "true" || word == "false") return word == "true";
  }
  const auto number = base::parse_json(cell);
  return number && number->is_number() ? *number : Json(cell);
}

}  // namespace

base::Result<Json> rows_of_columns(const Json& columns) {
  Json::Array rows;
  bool first = true;
  for (const auto& [name, values] : columns.members()) {
    if (!values.is_array())
      return base::fail(Code::kInvalidArgument, "inputs: column `" + name + "` is no list");
    if (first) rows.assign(values.size(), Json::object());
    first = false;
    if (values.size() != rows.size())
      return base::fail(Code::kInvalidArgument,
                        "inputs: column `" + name + "` has another length than the first");
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].set(name, unwrapped(values.at(i)));
  }
  return Json(std::move(rows));
}

base::Result<Json> rows_of_split(const Json& split) {
  const auto& names = split["columns"].items();
  if (names.empty())
    return base::fail(Code::kInvalidArgument, "dataframe_split names no columns",
                      R"(send {"columns": [...], "data": [[...]]})");
  Json rows = Json::array();
  for (const auto& cells : split["data"].items()) {
    if (cells.size() != names.size())
      return base::fail(Code::kInvalidArgument, "dataframe_split: a row has " +
                                                    std::to_string(cells.size()) + " cells for " +
                                                    std::to_string(names.size()) + " columns");
    Json row = Json::object();
    for (std::size_t i = 0; i < cells.size(); ++i) row.set(names[i].as_string(), cells.at(i));
    rows.push(std::move(row));
  }
  return rows;
}

base::Result<Json> plain_rows(const model::Signature& signature, const Json& rows) {
  if (!rows.is_array())
    return base::fail(Code::kInvalidArgument, "the rows must be a list",
                      "send [{\"column\": value, ...}, ...]");
  Json out = Json::array();
  for (const Json& row : rows.items()) {
    Json object = Json::object();
    if (row.is_object()) {
      for (const auto& [name, value] : row.members()) object.set(name, unwrapped(value));
    } else {
      const std::size_t width = row.is_array() ? row.size() : 1;
      if (width != signature.inputs.size())
        return base::fail(Code::kInvalidArgument,
                          "a row has " + std::to_string(width) + " values for " +
                              std::to_string(signature.inputs.size()) + " columns",
                          "send {\"column\": value, ...}");
      for (std::size_t i = 0; i < width; ++i)
        object.set(signature.inputs[i].name, row.is_array() ? row.at(i) : row);
    }
    out.push(std::move(object));
  }
  return out;
}

Json rows_of_table(const std::vector<model::TensorSpec>& specs, const data::Table& table) {
  std::vector<const model::TensorSpec*> wanted;
  for (const data::Column& column : table.columns) {
    const auto at = std::find_if(specs.begin(), specs.end(),
                                 [&](const auto& spec) { return spec.name == column.name; });
    const bool matrix = at == specs.end() && specs.size() == 1;  // its columns have no names
    wanted.push_back(matrix ? &specs.front() : at == specs.end() ? nullptr : &*at);
  }
  Json out = Json::array();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    Json cells = Json::object();
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      cells.set(table.columns[i].name, cell_json(wanted[i], table.columns[i].display(row)));
    out.push(std::move(cells));
  }
  return out;
}

}  // namespace maru::api::inference
