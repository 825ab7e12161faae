#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/stats/profile.h"
#include "maru/transform/graph.h"

namespace maru::transform {

enum class Encoding : std::uint8_t {
  kNumber,  // as it is, NaN where missing (trees)
  kScaled,  // median-imputed, standardised, clipped to +-100, plus a missing indicator where training had missing (linear)
  kOrdinal,  // vocabulary -> rank by smoothed target mean; rare and unseen share one code, missing its own (trees)
  kOneHot,   // vocabulary above min_count -> 0/1 columns; rare, unseen and missing columns (linear)
  kCalendar,  // timestamp -> some of year, month, day, weekday, hour, minute of day, day of year, elapsed days (see FeatureColumn::parts)
  kWords,     // free text -> 0/1 columns, one a word
  kDropped,
};

// How one raw column becomes features. A plain value.
struct FeatureColumn {
  std::string name;
  data::ColumnType type;
  Encoding encoding = Encoding::kNumber;
  std::string reason;  // why this encoding, or why dropped ("constant", "an id: 98 % distinct")
  std::vector<std::string>
      vocabulary;  // for kOrdinal in rank order ("" is missing), for kOneHot and kWords in column order (never "")
  // kWords: `vocabulary` has the words; how they stand in texts ("FREE!", "free"), and the word that each spelling is. Texts are cut at spaces alone.
  std::vector<std::string> spellings;
  std::vector<std::int64_t> spelling_of;
  double rare_code =
      -1;  // kOrdinal: the rank of rare and unseen values; ranks of the vocabulary skip it
  double center = 0, scale = 1, fill = 0;
  bool missing_indicator = false;
  // kCalendar: the parts in use. A part that training cannot have learned is left out: it was constant, or the span is too short for it to come
  // round again (day < 150 days, month and day of year < 330, year and elapsed days < 540).
  std::vector<std::string> parts;
  std::vector<double> part_center,
      part_scale;  // kCalendar for linear learners: standardised parts; empty for trees
};

enum class Target : std::uint8_t { kTrees, kLinear };

struct FitOptions {
  Target target = Target::kTrees;
  std::size_t max_vocabulary = 1000;
  std::uint64_t min_count = 5;
  double smoothing = 20;  // pseudo-rows of the prior in the target mean
};

// The fitted mapping raw row -> numeric features. Fitted on training rows only.
struct FeaturePlan {
  std::vector<FeatureColumn>
      columns;  // raw inputs, in the signature's order; dropped ones stay listed
  std::vector<std::string> feature_names;  // of the output matrix
  base::Json to_json() const;
  static base::Result<FeaturePlan> from_json(const base::Json& json);
};

// `target_values`: numeric target by row (0/1, value, or class index), for kOrdinal. kFailedPrecondition when no usable feature is left (names why each was dropped).
base::Result<FeaturePlan> fit_features(const data::Table& table,
                                       const std::vector<std::string>& features,
                                       const std::vector<double>& target_values,
                                       const FitOptions& options);

// The name of a column's graph input: its own, but "column_" before a name that the graph itself uses (features, scores, label).
std::string graph_input_name(const std::string& column);

// Emits the plan: one [N,1] input a column that is not dropped (numbers and bools double with NaN for missing; text string with "" for missing; timestamps int64 µs UTC
// with INT64_MIN for missing), output `features` double [N,F]. Deterministic: the same plan gives the same bytes.
base::Result<Graph> emit_features(const FeaturePlan& plan,
                                  const std::string& output_name = "features");

}  // namespace maru::transform
