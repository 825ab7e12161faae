#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "maru/base/text.h"
#include "maru/train/train.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;

struct Distinct {
  std::vector<std::string> names;  // ascending: numbers by value, text by bytes
  std::vector<double> numbers;     // empty for text
  std::vector<std::size_t> counts;
  std::vector<int> of_row;  // index into names
  bool whole = true;        // all numbers are integral (bool counts)
};

// Distinct values, or an empty list of names when there are more than `limit`.
Distinct distinct_values(const data::Column& column, std::size_t limit) {
  Distinct out;
  const std::size_t rows = column.rows();
  out.of_row.assign(rows, -1);
  if (column.type == data::ColumnType::kText) {
    std::map<std::string, std::vector<std::int32_t>> order;
    std::vector<std::size_t> seen(column.dictionary.size(), 0);
    for (std::size_t r = 0; r < rows; ++r) ++seen[static_cast<std::size_t>(column.codes[r])];
    for (std::size_t c = 0; c < seen.size(); ++c)
      if (seen[c] > 0) order[column.dictionary[c]].push_back(static_cast<std::int32_t>(c));
    std::vector<int> index(column.dictionary.size(), -1);
    for (const auto& [name, codes] : order) {
      std::size_t count = 0;
      for (std::int32_t c : codes) {
        index[static_cast<std::size_t>(c)] = static_cast<int>(out.names.size());
        count += seen[static_cast<std::size_t>(c)];
      }
      out.names.push_back(name);
      out.counts.push_back(count);
    }
    for (std::size_t r = 0; r < rows; ++r)
      out.of_row[r] = index[static_cast<std::size_t>(column.codes[r])];
    out.whole = false;
    return out;
  }
  std::map<double, std::pair<std::size_t, std::size_t>> order;  // value -> count, first row
  for (std::size_t r = 0; r < rows; ++r) {
    const double value = column.number(r);
    if (std::isnan(value)) {  // a value that is not a number cannot be a class
      out.whole = false;
      return out;
    }
    if (std::floor(value) != value) out.whole = false;
    auto [at, added] = order.try_emplace(value, 0, r);
    ++at->second.first;
    if (order.size() > limit) {
      // Whole-ness of the rest no longer matters: this many values can only be a regression.
      out.whole = false;
      return out;
    }
  }
  std::unordered_map<double, int> index;
  for (const auto& [value, place] : order) {
    index[value] = static_cast<int>(out.names.size());
    out.numbers.push_back(value);
    out.counts.push_back(place.first);
    out.names.push_back(column.display(place.second));
  }
  for (std::size_t r = 0; r < rows; ++r) out.of_row[r] = index[column.number(r)];
  return out;
}

int meaning_of(const std::string& word) {
  static const std::vector<std::string> kYes = {"true", "yes", "y", "t", "positive", "pos"};
  static const std::vector<std::string> kNo = {"false", "no", "n",        "f",
                                               "0",     "-1", "negative", "neg"};
  const std::string lower = base::to_lower_ascii(base::trim(word));
  if (std::find(kYes.begin(), kYes.end(), lower) != kYes.end()) return 1;
  if (std::find(kNo.begin(), kNo.end(), lower) != kNo.end()) return -1;
  return 0;
}

// Index of the positive one of two classes: by its meaning, else the rarer, else the later.
std::size_t positive_of(const Distinct& values) {
  const int first = meaning_of(values.names[0]), second = meaning_of(values.names[1]);
  if (first != second) return second > first ? 1 : 0;
  return values.counts[0] < values.counts[1] ? 0 : 1;
}

base::Result<model::Task> choose_task(const Distinct& values, const data::Column& column,
                                      const std::string& hint) {
  const bool text = column.type == data::ColumnType::kText;
  const bool few = !values.names.empty();
  const std::size_t count = values.names.size();
  if (hint.empty() || hint == "auto") {
    if (few && count == 2 && (text || values.whole)) return model::Task::kBinary;
    if (text) return model::Task::kMulticlass;
    if (few && values.whole && count <= kMaxIntegerClasses && count * 2 <= column.rows())
      return model::Task::kMulticlass;
    return model::Task::kRegression;
  }
  TRY_ASSIGN(const model::Task task, model::parse_task(hint));
  if (task == model::Task::kRegression && text)
    return fail(Code::kInvalidArgument,
                "the label is text and cannot be a regression target: " + column.name,
                "use task binary or multiclass, or a numeric label");
  if (task == model::Task::kBinary && count != 2)
    return fail(Code::kInvalidArgument,
                "a binary label needs two distinct values: " + column.name + " has " +
                    (few ? std::to_string(count) : "more than " + std::to_string(kMaxClasses)),
                "use a condition such as `" + column.name + " > 0`, or task multiclass");
  return task;
}

}  // namespace

base::Result<Labels> encode_labels(const data::Column& column, const std::string& task_hint) {
  const std::size_t rows = column.rows();
  if (rows == 0 || column.missing() == rows)
    return fail(Code::kInvalidArgument, "the label is missing in every row: " + column.name,
                "choose another label, or repair the source");
  if (column.missing() > 0)
    return fail(Code::kFailedPrecondition,
                "rows without a label must be removed first: " + std::to_string(column.missing()) +
                    " rows of " + column.name);
  if (column.type == data::ColumnType::kTimestamp)
    return fail(Code::kInvalidArgument, "a timestamp cannot be the label: " + column.name,
                "use an expression that gives a number or a class");
  const Distinct values = distinct_values(column, kMaxClasses);
  if (values.names.size() == 1)
    return fail(Code::kInvalidArgument,
                "the label is constant: " + column.name + " is always " + values.names[0],
                "there is nothing to learn; choose another label or more rows");
  Labels out;
  TRY_ASSIGN(out.task, choose_task(values, column, task_hint));
  if (out.task == model::Task::kRegression) {
    out.values.resize(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      out.values[r] = column.number(r);
      if (!std::isfinite(out.values[r]))
        return fail(Code::kInvalidArgument,
                    "the label is not finite in row " + std::to_string(r) + ": " + column.name,
                    "remove such rows, or clip the label");
    }
    return out;
  }
  if (values.names.empty() || values.names.size() > kMaxClasses)
    return fail(Code::kInvalidArgument,
                "the label has too many classes: " + column.name + " has more than " +
                    std::to_string(kMaxClasses),
                "is it an id? group rare classes, or choose another label");
  for (std::size_t c = 0; c < values.names.size(); ++c)
    if (values.counts[c] < 2)
      return fail(Code::kInvalidArgument,
                  "a class has only one row: " + column.name + " = " + values.names[c],
                  "remove that row, merge the class with another, or collect more of it");
  const bool swap = out.task == model::Task::kBinary && positive_of(values) == 0;
  out.classes = values.names;
  if (swap) std::swap(out.classes[0], out.classes[1]);
  out.values.resize(rows);
  for (std::size_t r = 0; r < rows; ++r)
    out.values[r] = swap ? 1 - values.of_row[r] : values.of_row[r];
  return out;
}

std::vector<double> encode_with(const data::Column& column, const Labels& known) {
  std::vector<double> out(column.rows(), -1);
  if (known.task == model::Task::kRegression) {
    for (std::size_t r = 0; r < out.size(); ++r) out[r] = column.number(r);
    return out;
  }
  std::unordered_map<std::string_view, int> index;
  for (std::size_t c = 0; c < known.classes.size(); ++c)
    index[known.classes[c]] = static_cast<int>(c);
  const auto find = [&](std::string_view name) {
    const auto at = index.find(name);
    return at == index.end() ? -1.0 : at->second;
  };
  if (column.type == data::ColumnType::kText) {
    std::vector<double> of_code(column.dictionary.size());
    for (std::size_t c = 0; c < of_code.size(); ++c) of_code[c] = find(column.dictionary[c]);
    for (std::size_t r = 0; r < out.size(); ++r)
      if (column.is_valid(r)) out[r] = of_code[static_cast<std::size_t>(column.codes[r])];
    return out;
  }
  if (column.type == data::ColumnType::kBool) {
    for (std::size_t r = 0; r < out.size(); ++r)
      if (column.is_valid(r)) out[r] = find(column.display(r));
    return out;
  }
  // By value: a later file may hold 1.0 where training had 1.
  std::unordered_map<double, int> by_value;
  for (const auto& [name, c] : index) {
    double value = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (error == std::errc() && end == name.data() + name.size()) by_value[value] = c;
  }
  for (std::size_t r = 0; r < out.size(); ++r) {
    const auto at = column.is_valid(r) ? by_value.find(column.number(r)) : by_value.end();
    if (at != by_value.end()) out[r] = at->second;
  }
  return out;
}

}  // namespace maru::train
