#include <algorithm>
#include <cmath>

#include "batch.h"
#include "maru/base/text.h"

namespace maru::model {

using base::Json;
using base::Status;
using data::ColumnType;

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// Rows of one column into a batch; the first fault of a row is kept.
class ColumnFiller {
 public:
  ColumnFiller(const Input& input, const data::Column& column, std::size_t from, std::size_t count,
               std::vector<const char*>& expected, std::vector<RowFault>& faults)
      : input_(input),
        column_(column),
        from_(from),
        count_(count),
        expected_(expected),
        faults_(faults) {}

  void numbers(std::vector<double>& out) {
    if (column_.type == ColumnType::kText) return numeric_texts(out);
    const bool plain = input_.kind == InputKind::kNumber;
    for (std::size_t r = 0; r < count_; ++r) {
      const double value = column_.number(from_ + r);
      // Most cells: a finite number where a number is wanted, or NaN, which is missing.
      if (std::isnan(value)) continue;
      if (plain && std::isfinite(value)) {
        out[r] = value;
        continue;
      }
      // A time is no number, whatever stands in it.
      const Json cell =
          column_.type == ColumnType::kTimestamp ? Json(column_.display(from_ + r)) : Json(value);
      if (const char* wanted = read_number(input_.kind, cell, out[r])) fault(r, wanted, cell);
    }
  }

  void times(std::vector<std::int64_t>& out) {
    const bool whole =
        column_.type == ColumnType::kTimestamp || column_.type == ColumnType::kInteger;
    for (std::size_t r = 0; r < count_; ++r) {
      if (!column_.is_valid(from_ + r)) continue;
      if (whole) {
        out[r] = column_.integers[from_ + r];
        continue;
      }
      const double number = column_.number(from_ + r);
      if (column_.type == ColumnType::kFloat && std::isnan(number)) continue;
      const Json cell = column_.type == ColumnType::kText   ? Json(column_.text(from_ + r))
                        : column_.type == ColumnType::kBool ? Json(number != 0)
                                                            : Json(number);
      if (const char* wanted = read_time(cell, out[r])) fault(r, wanted, cell);
    }
  }

  void texts(std::vector<std::string>& out) {
    for (std::size_t r = 0; r < count_; ++r) {
      if (column_.type == ColumnType::kText)
        out[r] = column_.text(from_ + r);
      else if (column_.type == ColumnType::kFloat && std::isnan(column_.number(from_ + r)))
        out[r].clear();
      else
        out[r] = column_.display(from_ + r);
    }
  }

 private:
  void numeric_texts(std::vector<double>& out) {
    for (std::size_t r = 0; r < count_; ++r) {
      const std::string_view text = column_.text(from_ + r);
      if (text.empty()) continue;
      const Json cell(text);
      if (const char* wanted = read_number(input_.kind, cell, out[r])) fault(r, wanted, cell);
    }
  }

  void fault(std::size_t row, const char* wanted, const Json& cell) {
    if (expected_[row] != nullptr) return;
    expected_[row] = wanted;
    faults_.push_back(
        {row, "column `" + input_.name + "`: expected " + wanted + ", got " + shown(cell)});
  }

  const Input& input_;
  const data::Column& column_;
  const std::size_t from_, count_;
  std::vector<const char*>& expected_;
  std::vector<RowFault>& faults_;
};

void clear_row(const Signature& signature, std::size_t row, InputBatch& out) {
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    InputColumn& cells = out.columns[i];
    if (signature.inputs[i].kind == InputKind::kText)
      cells.texts[row].clear();
    else if (signature.inputs[i].kind == InputKind::kTimestamp)
      cells.times[row] = kMissingTime;
    else
      cells.numbers[row] = kMissing;
  }
}

}  // namespace

Status fill_rows(const Signature& signature, const data::Table& table, std::size_t from,
                 std::size_t count, InputBatch& out, std::vector<RowFault>& faults) {
  out.reset(signature, count);
  faults.clear();
  std::vector<const char*> expected(count, nullptr);
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const Input& input = signature.inputs[i];
    const data::Column* column = table.find(input.name);
    if (column == nullptr) {
      if (!input.required) continue;
      std::vector<std::string> names;
      for (const data::Column& known : table.columns) names.push_back(known.name);
      return base::fail(base::Code::kInvalidArgument,
                        "the data lack the column `" + input.name + "`",
                        base::did_you_mean(input.name, names));
    }
    ColumnFiller filler(input, *column, from, count, expected, faults);
    if (input.kind == InputKind::kText)
      filler.texts(out.columns[i].texts);
    else if (input.kind == InputKind::kTimestamp)
      filler.times(out.columns[i].times);
    else
      filler.numbers(out.columns[i].numbers);
  }
  std::sort(faults.begin(), faults.end(),
            [](const RowFault& a, const RowFault& b) { return a.row < b.row; });
  for (const RowFault& fault : faults) clear_row(signature, fault.row, out);
  return {};
}

}  // namespace maru::model
