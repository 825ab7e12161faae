#include "inference/rows.h"

namespace maru::api::inference {
namespace {

using base::Code;
using base::Json;

const Json& unwrapped(const Json& value) {
  return value.is_array() && value.size() == 1 ? value.at(0) : value;
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

}  // namespace maru::api::inference
