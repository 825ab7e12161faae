#include "training_rows.h"

#include <algorithm>
#include <cctype>

#include "maru/base/text.h"

namespace maru::steps {
namespace {

using base::Code;

constexpr const char* kLabelName = "__maru_label";

bool identifier_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Identifiers and quoted identifiers of an SQL expression; string literals are skipped.
std::vector<std::string> identifiers(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\'') {
      i = text.find('\'', i + 1);
      if (i == std::string::npos) break;
      ++i;
    } else if (text[i] == '"') {
      const std::size_t end = text.find('"', i + 1);
      if (end == std::string::npos) break;
      out.push_back(text.substr(i + 1, end - i - 1));
      i = end + 1;
    } else if (identifier_char(text[i])) {
      std::size_t end = i;
      while (end < text.size() && identifier_char(text[end])) ++end;
      out.push_back(text.substr(i, end - i));
      i = end;
    } else {
      ++i;
    }
  }
  return out;
}

std::vector<std::string> names_of(const data::Snapshot& snapshot) {
  std::vector<std::string> out;
  for (const auto& column : snapshot.columns) out.push_back(column.name);
  return out;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

base::Status check_named(const std::vector<std::string>& wanted,
                         const std::vector<std::string>& columns, const char* what) {
  for (const auto& name : wanted) {
    if (contains(columns, name)) continue;
    return base::fail(Code::kInvalidArgument,
                      std::string(what) + " names a column that the data does not have: " + name,
                      base::did_you_mean(name, columns));
  }
  return {};
}

// Takes the label out of the table and drops rows without one.
base::Status take_label(TrainingRows& rows, data::Table all, const std::string& label) {
  const int at = all.index_of(kLabelName);
  if (at < 0) return base::fail(Code::kInternal, "label column is missing from the query's result");
  std::vector<std::uint32_t> keep;
  const data::Column& column = all.columns[static_cast<std::size_t>(at)];
  keep.reserve(column.rows());
  for (std::size_t row = 0; row < column.rows(); ++row) {
    if (column.is_valid(row)) keep.push_back(static_cast<std::uint32_t>(row));
  }
  rows.unlabelled = column.rows() - keep.size();
  if (keep.empty()) {
    return base::fail(Code::kInvalidArgument, "label is missing in every row: " + label,
                      "choose another label, or check the source");
  }
  data::Table kept = keep.size() == column.rows() ? std::move(all) : all.take(keep);
  rows.label_column = std::move(kept.columns[static_cast<std::size_t>(at)]);
  rows.label_column.name = label;
  kept.columns.erase(kept.columns.begin() + at);
  rows.table = std::move(kept);
  return {};
}

}  // namespace

std::vector<double> TrainingRows::label_values(const std::vector<std::uint32_t>& numbers) const {
  std::vector<double> out;
  out.reserve(numbers.size());
  for (const auto row : numbers) out.push_back(labels.values[row]);
  return out;
}

std::vector<std::string> text_list(const base::Json& json) {
  std::vector<std::string> out;
  for (const auto& item : json.items()) out.push_back(item.as_string());
  return out;
}

std::vector<double> test_labels(const TrainingRows& rows, const model::Signature& signature) {
  // The model's classes, not this snapshot's order, decide what 0 and 1 mean.
  train::Labels known = rows.labels;
  if (!signature.classes.empty()) known.classes = signature.classes_of_label();
  const std::vector<double> all =
      signature.classes.empty() ? rows.labels.values : train::encode_with(rows.label_column, known);
  std::vector<double> out;
  out.reserve(rows.split.test.size());
  for (const auto row : rows.split.test) out.push_back(all[row]);
  return out;
}

RowsSpec rows_spec(const base::Json& params) {
  RowsSpec out;
  out.label = params["label"].as_string();
  out.task = params["task"].as_string();
  out.time = params["time"].as_string();
  out.test_share = params["test_share"].as_double(0.2);
  out.valid_share = params["valid_share"].as_double(0.2);
  out.seed = static_cast<std::uint64_t>(params["seed"].as_int(1));
  out.exclude = text_list(params["exclude"]);
  out.allow = text_list(params["allow"]);
  return out;
}

base::Result<std::string> resolve_label(const std::string& label,
                                        const std::vector<std::string>& columns) {
  if (label.size() < 2 || label.front() != '@') return label;
  if (columns.empty())
    return base::fail(Code::kInvalidArgument, "label " + label + ": the data has no columns");
  if (label == "@last") return columns.back();
  const int number = std::atoi(label.c_str() + 1);
  if (number < 1 || static_cast<std::size_t>(number) > columns.size()) {
    return base::fail(
        Code::kInvalidArgument,
        "label " + label + " is outside the data's columns 1.." + std::to_string(columns.size()));
  }
  return columns[static_cast<std::size_t>(number) - 1];
}

std::vector<std::string> columns_in(const std::string& expression,
                                    const std::vector<std::string>& columns) {
  if (contains(columns, expression)) return {expression};
  const std::vector<std::string> words = identifiers(expression);
  std::vector<std::string> out;
  for (const auto& column : columns) {
    const std::string lower = base::to_lower_ascii(column);
    const bool used = std::any_of(words.begin(), words.end(), [&](const std::string& w) {
      return base::to_lower_ascii(w) == lower;
    });
    if (used) out.push_back(column);
  }
  return out;
}

std::string label_sql(const std::string& label, const std::vector<std::string>& columns) {
  return contains(columns, label) ? data::quote_identifier(label) : "(" + label + ")";
}

base::Result<TrainingRows> load_training_rows(const Services& services,
                                              const data::Snapshot& snapshot,
                                              const RowsSpec& spec) {
  const std::vector<std::string> columns = names_of(snapshot);
  TrainingRows rows;
  TRY_ASSIGN(const std::string label, resolve_label(spec.label, columns));
  rows.label_columns = columns_in(label, columns);
  if (rows.label_columns.empty()) {
    std::string hint = base::did_you_mean(label, columns);
    if (hint.empty()) hint = "columns: " + base::join(columns, ", ");
    return base::fail(Code::kNotFound, "label is no column of the data: " + label, hint);
  }
  TRY(check_named(spec.exclude, columns, "`predict.exclude`"));
  TRY(check_named(spec.allow, columns, "`predict.allow`"));
  rows.time_column = spec.time;
  if (!spec.time.empty()) TRY(check_named({spec.time}, columns, "`split.by`"));
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  const std::string sql =
      "SELECT *, " + label_sql(label, columns) + " AS " + kLabelName + " FROM " + relation;
  auto all = services.engine->query(sql);
  if (!all) return base::wrap(all.error(), "label cannot be computed: " + label);
  TRY(take_label(rows, std::move(*all), label));
  TRY_ASSIGN(rows.labels, train::encode_labels(rows.label_column, spec.task));
  for (const auto& column : columns) {
    if (!contains(rows.label_columns, column) && !contains(spec.exclude, column))
      rows.features.push_back(column);
  }
  if (rows.features.empty()) {
    return base::fail(Code::kInvalidArgument, "no column is left to learn from",
                      "shorten `predict.exclude`");
  }
  tune::SplitSpec split;
  split.time_column = spec.time;
  split.test_share = spec.test_share;
  split.valid_share = spec.valid_share;
  split.seed = spec.seed;
  const bool classes = rows.labels.task != model::Task::kRegression;
  TRY_ASSIGN(rows.split, tune::split_rows(rows.table, rows.labels.values, classes, split));
  rows.folds = tune::make_folds(rows.table, rows.labels.values, classes, split, rows.split);
  return rows;
}

}  // namespace maru::steps
