#pragma once
#include <string>
#include <vector>

#include "maru/data/dataset.h"
#include "maru/steps/steps.h"
#include "maru/train/train.h"
#include "maru/tune/tune.h"

namespace maru::steps {

// The rows that a project learns from, as every step sees them: label computed, unlabelled rows gone, features chosen, split fixed.
// The same snapshot and parameters give the same rows in the same order.
struct TrainingRows {
  data::Table table;  // labelled rows, all columns but the label
  data::Column label_column;
  train::Labels labels;
  std::vector<std::string> features;
  std::vector<std::string>
      label_columns;  // raw columns that the label is computed from: never features
  std::string time_column;
  std::uint64_t unlabelled = 0;
  tune::Split split;
  std::vector<tune::Fold> folds;  // of train followed by valid

  data::Table rows(const std::vector<std::uint32_t>& numbers) const { return table.take(numbers); }
  std::vector<double> label_values(const std::vector<std::uint32_t>& numbers) const;
};

// Of the test rows, as the model numbers its classes (its order, not this snapshot's).
std::vector<double> test_labels(const TrainingRows& rows, const model::Signature& signature);

struct RowsSpec {
  std::string label, task, time;
  double test_share = 0.2, valid_share = 0.2;
  std::uint64_t seed = 1;
  std::vector<std::string> exclude, allow;
};
RowsSpec rows_spec(const base::Json& params);

base::Result<TrainingRows> load_training_rows(const Services& services,
                                              const data::Snapshot& snapshot, const RowsSpec& spec);

// "@last" / "@3" -> the column's name, anything else unchanged.
base::Result<std::string> resolve_label(const std::string& label,
                                        const std::vector<std::string>& columns);
// Columns whose names occur as identifiers in an SQL expression.
std::vector<std::string> columns_in(const std::string& expression,
                                    const std::vector<std::string>& columns);
// The expression as SQL: a plain column name is quoted, anything else is passed through.
std::string label_sql(const std::string& label, const std::vector<std::string>& columns);

std::vector<std::string> text_list(const base::Json& json);

}  // namespace maru::steps
