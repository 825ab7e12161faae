#include "batch.h"

#include <charconv>
#include <cmath>

#include "maru/base/clock.h"
#include "maru/base/text.h"

namespace maru::model {

using base::Code;
using base::fail;
using base::Json;
using base::Status;

std::string shown(const Json& value) {
  std::string text = value.dump();
  if (text.size() <= 60) return text;
  text.resize(60);
  return base::replace_invalid_utf8(text) + "…";
}

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kExactInteger = 9'007'199'254'740'992;  // 2^53

tl::unexpected<base::Error> wrong(std::size_t row, const Input& input, const char* expected,
                                  const std::string& got) {
  return fail(Code::kInvalidArgument, "row " + std::to_string(row) + ", column `" + input.name +
                                          "`: expected " + expected + ", got " + got);
}

// The whole text is one number ("12.5", " 7 "); words like "nan" are not.
bool parse_number(std::string_view text, double& out) {
  text = base::trim(text);
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos)
    return false;
  if (text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_boolean(std::string_view text, double& out) {
  const std::string lower = base::to_lower_ascii(base::trim(text));
  if (lower == "true" || lower == "false") {
    out = lower == "true" ? 1 : 0;
    return true;
  }
  return parse_number(text, out) && (out == 0 || out == 1);
}

}  // namespace

const char* read_number(InputKind kind, const Json& value, double& out) {
  const char* expected = kind == InputKind::kBoolean   ? "true or false"
                         : kind == InputKind::kInteger ? "an integer"
                                                       : "a number";
  if (value.is_bool()) {
    out = value.as_bool() ? 1 : 0;  // a boolean counts as 0/1 wherever a number is wanted
  } else if (value.is_number()) {
    out = value.as_double();
  } else if (!value.is_string()) {
    return expected;
  } else if (base::trim(value.as_string()).empty()) {
    out = kMissing;
    return nullptr;
  } else if (!(kind == InputKind::kBoolean ? parse_boolean(value.as_string(), out)
                                           : parse_number(value.as_string(), out))) {
    return expected;
  }
  if (!std::isfinite(out)) return "a finite number";
  if (kind == InputKind::kBoolean && out != 0 && out != 1) return expected;
  if (kind == InputKind::kInteger && std::floor(out) != out) return expected;
  return nullptr;
}

const char* read_time(const Json& value, std::int64_t& out) {
  static constexpr const char* kExpected =
      "a time, as text (2013-01-31T06:00:00Z) or integer microseconds since 1970";
  if (value.is_int()) {
    out = value.as_int();
    return nullptr;
  }
  if (value.is_double() && std::floor(value.as_double()) == value.as_double() &&
      std::fabs(value.as_double()) < kExactInteger) {
    out = static_cast<std::int64_t>(value.as_double());
    return nullptr;
  }
  if (!value.is_string()) return kExpected;
  if (base::trim(value.as_string()).empty()) return nullptr;
  const auto time = base::parse_time_us(value.as_string());
  if (!time) return kExpected;
  out = *time;
  return nullptr;
}

namespace {

void fill_numbers(const data::Column& column, std::size_t from, std::size_t count,
                  std::vector<double>& out) {
  for (std::size_t r = 0; r < count; ++r) out[r] = column.number(from + r);
}

Status fill_numeric_text(const Input& input, const data::Column& column, std::size_t from,
                         std::size_t count, std::vector<double>& out) {
  // Each distinct text is read once.
  std::vector<double> by_code(column.dictionary.size(), kMissing);
  std::vector<const char*> errors(column.dictionary.size(), nullptr);
  for (std::size_t i = 0; i < by_code.size(); ++i)
    errors[i] = read_number(input.kind, Json(column.dictionary[i]), by_code[i]);
  for (std::size_t r = 0; r < count; ++r) {
    if (!column.is_valid(from + r) || column.codes[from + r] < 0) continue;
    const auto code = static_cast<std::size_t>(column.codes[from + r]);
    if (errors[code] != nullptr)
      return wrong(from + r, input, errors[code], shown(Json(column.dictionary[code])));
    out[r] = by_code[code];
  }
  return {};
}

Status fill_times(const Input& input, const data::Column& column, std::size_t from,
                  std::size_t count, std::vector<std::int64_t>& out) {
  if (column.type == data::ColumnType::kTimestamp || column.type == data::ColumnType::kInteger) {
    for (std::size_t r = 0; r < count; ++r)
      if (column.is_valid(from + r)) out[r] = column.integers[from + r];
    return {};
  }
  for (std::size_t r = 0; r < count; ++r) {
    if (!column.is_valid(from + r)) continue;
    const Json value = column.type == data::ColumnType::kText ? Json(column.text(from + r))
                                                              : Json(column.number(from + r));
    if (const char* expected = read_time(value, out[r]))
      return wrong(from + r, input, expected, shown(value));
  }
  return {};
}

std::vector<std::string> input_names(const Signature& signature) {
  std::vector<std::string> names;
  for (const Input& input : signature.inputs) names.push_back(input.name);
  return names;
}

}  // namespace

bool is_ignored(const Signature& signature, std::string_view name) {
  if (signature.open) return true;
  for (const std::string& known : signature.ignored)
    if (known == name) return true;
  return false;
}

void InputBatch::reset(const Signature& signature, std::size_t row_count) {
  rows = row_count;
  columns.resize(signature.inputs.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    InputColumn& column = columns[i];
    if (signature.inputs[i].kind == InputKind::kText) {
      // clear() of each text keeps its capacity for the next request.
      if (column.texts.size() > row_count) column.texts.resize(row_count);
      for (std::string& text : column.texts) text.clear();
      column.texts.resize(row_count);
    } else if (signature.inputs[i].kind == InputKind::kTimestamp) {
      column.times.assign(row_count, kMissingTime);
    } else {
      column.numbers.assign(row_count, kMissing);
    }
  }
}

Status fill_cell(const Input& input, const Json& value, std::size_t row, InputColumn& column) {
  if (input.kind == InputKind::kText) {
    std::string& out = column.texts[row];
    if (value.is_null())
      out.clear();
    else if (value.is_string())
      out = value.as_string();
    else if (value.is_number() || value.is_bool())
      out = value.dump();  // a code that looks like a number
    else
      return wrong(row, input, "text", shown(value));
    return {};
  }
  if (input.kind == InputKind::kTimestamp) {
    column.times[row] = kMissingTime;
    if (value.is_null()) return {};
    if (const char* expected = read_time(value, column.times[row]))
      return wrong(row, input, expected, shown(value));
    return {};
  }
  column.numbers[row] = kMissing;
  if (value.is_null()) return {};
  double number = kMissing;
  if (const char* expected = read_number(input.kind, value, number))
    return wrong(row, input, expected, shown(value));
  column.numbers[row] = number;
  return {};
}

Status fill_row(const Signature& signature, const Json& object, std::size_t row, InputBatch& out) {
  if (!object.is_object())
    return fail(
        Code::kInvalidArgument,
        "row " + std::to_string(row) + ": expected an object of columns, got " + shown(object),
        "send {\"column\": value, ...}");
  std::vector<bool> seen(signature.inputs.size(), false);
  for (const auto& [name, value] : object.members()) {
    const int at = signature.index_of(name);
    if (at < 0) {
      if (is_ignored(signature, name)) continue;
      const std::vector<std::string> names = input_names(signature);
      std::string hint = base::did_you_mean(name, names);
      if (hint.empty()) hint = "the model's columns: " + base::join(names, ", ");
      return fail(Code::kInvalidArgument,
                  "row " + std::to_string(row) + ": unknown column `" +
                      base::replace_invalid_utf8(name.substr(0, 100)) + "`",
                  hint);
    }
    const auto i = static_cast<std::size_t>(at);
    seen[i] = true;
    TRY(fill_cell(signature.inputs[i], value, row, out.columns[i]));
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (!seen[i] && signature.inputs[i].required)
      return fail(
          Code::kInvalidArgument,
          "row " + std::to_string(row) + ": column `" + signature.inputs[i].name + "` is not there",
          "send null when the value is missing");
  return {};
}

Status fill_from_rows(const Signature& signature, const Json& instances, InputBatch& out) {
  if (!instances.is_array())
    return fail(Code::kInvalidArgument, "expected a list of rows, got " + shown(instances),
                "send [{\"column\": value, ...}, ...]");
  out.reset(signature, instances.items().size());
  for (std::size_t r = 0; r < out.rows; ++r) TRY(fill_row(signature, instances.items()[r], r, out));
  return {};
}

Status fill_table_rows(const Signature& signature, const data::Table& table, std::size_t from,
                       std::size_t count, InputBatch& out) {
  out.reset(signature, count);
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const Input& input = signature.inputs[i];
    const data::Column* column = table.find(input.name);
    if (column == nullptr) {
      if (!input.required) continue;
      std::vector<std::string> names;
      for (const data::Column& known : table.columns) names.push_back(known.name);
      return fail(Code::kInvalidArgument, "the data lack the column `" + input.name + "`",
                  base::did_you_mean(input.name, names));
    }
    InputColumn& cells = out.columns[i];
    const bool text = column->type == data::ColumnType::kText;
    if (input.kind == InputKind::kText) {
      for (std::size_t r = 0; r < count; ++r)
        if (text)
          cells.texts[r] = column->text(from + r);
        else
          cells.texts[r] = column->is_valid(from + r) ? column->display(from + r) : std::string();
    } else if (input.kind == InputKind::kTimestamp) {
      TRY(fill_times(input, *column, from, count, cells.times));
    } else if (text) {
      TRY(fill_numeric_text(input, *column, from, count, cells.numbers));
    } else {
      fill_numbers(*column, from, count, cells.numbers);
    }
  }
  return {};
}

Status fill_from_table(const Signature& signature, const data::Table& table, InputBatch& out) {
  return fill_table_rows(signature, table, 0, table.rows(), out);
}

}  // namespace maru::model
