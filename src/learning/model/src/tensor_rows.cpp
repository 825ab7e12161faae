#include "maru/model/tensor_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "batch.h"
#include "maru/base/text.h"

namespace maru::model {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;
using data::ColumnType;

namespace {

bool is_matrix(const std::vector<TensorSpec>& specs) {
  return specs.size() == 1 && specs.front().shape.size() == 2 && specs.front().shape.back() != 1;
}

// A cell as JSON would bring it, after the rules of CSV for a text.
Json cell_json(const TensorSpec& spec, const data::Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  switch (column.type) {
    case ColumnType::kBool:
      return column.integers[row] != 0;
    case ColumnType::kInteger:
      return column.integers[row];
    case ColumnType::kFloat:
      return column.reals[row];
    case ColumnType::kTimestamp:
      return column.display(row);
    case ColumnType::kText:
      break;
  }
  const std::string_view text = column.text(row);
  if (spec.type == Datatype::kBytes) return text;
  if (text.empty()) return {};
  const std::string word = base::to_lower_ascii(text);
  if (spec.type == Datatype::kBool && (word == "true" || word == "false")) return word == "true";
  const auto number = base::parse_json(text);
  return number && number->is_number() ? *number : Json(text);
}

template <class Number>
void put(std::string& bytes, Number value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// False when the cell is not what the tensor holds; a zero then stands in its place.
template <class Number>
bool put_whole(std::string& bytes, const Json& cell) {
  const double real = cell.as_double();
  const bool integral = cell.is_int() || cell.is_bool() ||
                        (cell.is_double() && std::floor(real) == real && std::fabs(real) < 0x1p53);
  const std::int64_t number = cell.is_bool() ? (cell.as_bool() ? 1 : 0) : cell.as_int();
  const bool fits = integral && std::in_range<Number>(number);
  put(bytes, fits ? static_cast<Number>(number) : Number{0});
  return fits;
}

bool put_real(const TensorSpec& spec, const Json& cell, TensorValue& out) {
  const bool good = cell.is_number() || cell.is_null() || cell.is_bool();
  const double number = !good || cell.is_null() ? std::numeric_limits<double>::quiet_NaN()
                        : cell.is_bool()        ? (cell.as_bool() ? 1 : 0)
                                                : cell.as_double();
  if (spec.type == Datatype::kFp64)
    put(out.bytes, number);
  else
    put(out.bytes, static_cast<float>(number));
  return good;
}

bool put_cell(const TensorSpec& spec, const Json& cell, TensorValue& out) {
  switch (spec.type) {
    case Datatype::kBytes:
      out.texts.push_back(cell.is_null()     ? std::string()
                          : cell.is_string() ? cell.as_string()
                                             : cell.dump());
      return true;
    case Datatype::kFp32:
    case Datatype::kFp64:
      return put_real(spec, cell, out);
    case Datatype::kBool: {
      const bool truth =
          cell.is_bool() || (cell.is_number() && (cell.as_double() == 0 || cell.as_double() == 1));
      return put_whole<std::uint8_t>(out.bytes, truth ? cell : Json(0)) && truth;
    }
    case Datatype::kUint8:
      return put_whole<std::uint8_t>(out.bytes, cell);
    case Datatype::kUint16:
      return put_whole<std::uint16_t>(out.bytes, cell);
    case Datatype::kUint32:
      return put_whole<std::uint32_t>(out.bytes, cell);
    case Datatype::kUint64:
      return put_whole<std::uint64_t>(out.bytes, cell);
    case Datatype::kInt8:
      return put_whole<std::int8_t>(out.bytes, cell);
    case Datatype::kInt16:
      return put_whole<std::int16_t>(out.bytes, cell);
    case Datatype::kInt32:
      return put_whole<std::int32_t>(out.bytes, cell);
    case Datatype::kInt64:
      return put_whole<std::int64_t>(out.bytes, cell);
    default:
      return false;
  }
}

// "0.1f" as 0.1: the double that a reader of the answer's JSON gets.
double widened(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  char digits[48];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  double out = static_cast<double>(value);
  std::from_chars(digits, end, out);
  return out;
}

ColumnType column_type(Datatype type) {
  switch (type) {
    case Datatype::kBytes:
      return ColumnType::kText;
    case Datatype::kBool:
      return ColumnType::kBool;
    case Datatype::kFp16:
    case Datatype::kBf16:
    case Datatype::kFp32:
    case Datatype::kFp64:
    case Datatype::kUint64:
      return ColumnType::kFloat;
    default:
      return ColumnType::kInteger;
  }
}

// The value in the column's type; false when the model gave another kind than it said.
bool append_value(const TensorValue& tensor, std::size_t at, data::Column& column) {
  const bool text = tensor.type == Datatype::kBytes;
  if (text != (column.type == ColumnType::kText)) return false;
  if (text) {
    column.codes.push_back(static_cast<std::int32_t>(column.dictionary.size()));
    column.dictionary.push_back(tensor.texts[at]);
    return true;
  }
  const double value = element_as_double(tensor, at);
  if (column.type == ColumnType::kFloat) {
    column.reals.push_back(tensor.type == Datatype::kFp32 ? widened(static_cast<float>(value))
                                                          : value);
    return true;
  }
  if (!(std::floor(value) == value) || std::fabs(value) >= 0x1p63) return false;
  std::int64_t whole = static_cast<std::int64_t>(value);
  if (tensor.type == Datatype::kInt64)  // beyond 2^53 a double has not every one
    std::copy_n(tensor.bytes.data() + at * sizeof whole, sizeof whole,
                reinterpret_cast<char*>(&whole));
  column.integers.push_back(whole);
  return true;
}

}  // namespace

Result<std::vector<std::string>> columns_of_inputs(const std::vector<TensorSpec>& inputs,
                                                   const std::vector<std::string>& there) {
  if (is_matrix(inputs)) {
    const std::int64_t wanted = inputs.front().shape.back();
    if (wanted >= 0 && static_cast<std::size_t>(wanted) != there.size())
      return fail(Code::kInvalidArgument,
                  "the model takes " + std::to_string(wanted) +
                      " columns without names, the input "
                      "has " +
                      std::to_string(there.size()),
                  "leave out the others");
    return there;
  }
  std::vector<std::string> out;
  for (const TensorSpec& spec : inputs) {
    if (spec.shape.empty() || spec.shape.size() > 2 ||
        (spec.shape.size() == 2 && spec.shape.back() != 1 && spec.shape.back() != -1) ||
        spec.type == Datatype::kFp16 || spec.type == Datatype::kBf16)
      return fail(Code::kUnimplemented,
                  "batch prediction has one value a row and input, not so the model's input `" +
                      spec.name + "`",
                  "call the model's endpoint");
    if (std::find(there.begin(), there.end(), spec.name) == there.end())
      return fail(Code::kInvalidArgument, "the input lacks the column `" + spec.name + "`",
                  base::did_you_mean(spec.name, there));
    out.push_back(spec.name);
  }
  return out;
}

Result<std::vector<AnswerColumn>> columns_of_outputs(const std::vector<TensorSpec>& outputs) {
  std::vector<AnswerColumn> out;
  for (const TensorSpec& spec : outputs) {
    const std::int64_t width = spec.shape.size() == 2 ? spec.shape.back() : 1;
    if (spec.shape.empty() || spec.shape.size() > 2 || width < 1 || width > 10'000)
      return fail(Code::kUnimplemented,
                  "the model does not say how many values a row its output has: " + spec.name,
                  "call the model's endpoint");
    for (std::int64_t k = 0; k < width; ++k)
      out.push_back(
          {width == 1 ? spec.name : spec.name + "_" + std::to_string(k), column_type(spec.type)});
  }
  return out;
}

Status fill_tensors(const std::vector<TensorSpec>& inputs, const std::vector<std::string>& columns,
                    const data::Table& table, std::size_t from, std::size_t count,
                    std::vector<TensorValue>& out, std::vector<RowFault>& faults) {
  const bool matrix = is_matrix(inputs);
  out.assign(inputs.size(), {});
  faults.clear();
  std::vector<bool> bad(count, false);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    TensorValue& tensor = out[i];
    tensor.name = inputs[i].name;
    tensor.type = inputs[i].type;
    tensor.shape = {static_cast<std::int64_t>(count)};
    if (matrix)
      tensor.shape.push_back(static_cast<std::int64_t>(columns.size()));
    else if (inputs[i].shape.size() == 2)
      tensor.shape.push_back(1);
    const std::size_t first = matrix ? 0 : i, last = matrix ? columns.size() : i + 1;
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t c = first; c < last; ++c) {
        const data::Column* column = table.find(columns[c]);
        const Json cell = cell_json(inputs[i], *column, from + r);
        if (put_cell(inputs[i], cell, tensor) || bad[r]) continue;
        bad[r] = true;
        faults.push_back({r, "column `" + columns[c] + "`: expected " +
                                 std::string(datatype_name(inputs[i].type)) + ", got " +
                                 shown(cell)});
      }
    }
  }
  std::sort(faults.begin(), faults.end(),
            [](const RowFault& a, const RowFault& b) { return a.row < b.row; });
  return {};
}

Status append_answer(const std::vector<TensorValue>& answer, std::size_t count,
                     std::vector<data::Column>& columns) {
  std::size_t at = 0;
  for (const TensorValue& tensor : answer) {
    const std::size_t width = count == 0 ? 0 : tensor.elements() / count;
    if (tensor.elements() != width * count || at + width > columns.size())
      return fail(Code::kFailedPrecondition,
                  "the model's output has no value for each row, or other ones than it says: " +
                      tensor.name);
    for (std::size_t k = 0; k < width; ++k)
      for (std::size_t r = 0; r < count; ++r)
        if (!append_value(tensor, r * width + k, columns[at + k]))
          return fail(Code::kFailedPrecondition,
                      "the model's output is of another type than it says: " + tensor.name);
    at += width;
  }
  if (at == columns.size()) return {};
  return fail(Code::kFailedPrecondition, "the model gave fewer outputs than it says");
}

}  // namespace maru::model
