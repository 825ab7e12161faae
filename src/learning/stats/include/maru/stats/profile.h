#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::stats {

struct Bin {
  double low = 0, high = 0;  // right-closed, the first also left-closed
  double count = 0;
};
struct TopValue {
  std::string value;
  std::uint64_t count = 0;
};
struct Outlier {
  double value = 0;
  std::uint64_t row = 0;  // 0-based; of a value that occurs several times the first
};

// Statistics of one column (definitions: shared golden files; moments g1/g2, quantiles type 7, std population and sample both given). Counts of rows, missing, zeros,
// extremes, mean and moments are always exact; the rest is as exact as distinct_error, rank_error and count_error say (0: exact).
struct ColumnProfile {
  std::string name;
  data::ColumnType type = data::ColumnType::kFloat;
  std::uint64_t count = 0, missing = 0, distinct = 0, zeros = 0, negatives = 0, infinite = 0;
  // numeric and timestamp (microseconds)
  double min = 0, max = 0, mean = 0, std = 0, std_sample = 0, skewness = 0, kurtosis = 0;
  std::vector<std::pair<double, double>>
      quantiles;  // probability -> value, at 0.01 .05 .1 .25 .5 .75 .9 .95 .99 and the deciles
  std::vector<Bin> histogram;  // equal width, <= 40 bins
  // The distribution function at <= 200 points: value, rows above the point before and not above this one. What a comparison of profiles reads.
  std::vector<std::pair<double, double>> steps;
  // text
  double length_min = 0, length_max = 0, length_mean = 0;
  std::vector<TopValue>
      top;  // <= 20 (text, bool, and integer with few distinct); ties: count desc, value asc
  std::vector<TopValue> categories;  // all of them when distinct <= 1000: what drift compares
  std::string mode;
  // What the values are about: "numeric", "categorical", "ordinal", "boolean", "id", "date", "timestamp", "timestamp_epoch_milliseconds", "categorical_code",
  // "numeric_as_text", "numeric_with_sentinel", "numeric_with_missing_markers", "email", "text", "constant", "empty", ...; how sure, and why.
  std::string meaning, meaning_reason;
  double confidence = 0;
  std::vector<std::string> markers;    // values that stand for a missing one: "NA", "-999"
  std::uint64_t nan = 0, trimmed = 0;  // trimmed: texts with space at an end
  double sum = 0, mad = 0, iqr = 0, entropy = 0, gini = 0;  // entropy in nats
  double length_std = 0, bytes_mean = 0;
  std::uint64_t mode_ties = 0, seen_once = 0;  // 0 where values were not all kept
  std::string min_text, max_text;              // every digit of a whole number; times as text
  bool rising = false, falling = false;        // in the order of the rows
  double distinct_error = 0;                   // relative standard error of `distinct`
  double rank_error = 0;                       // of quantiles, as a share of the rows, at 99 %
  std::uint64_t count_error = 0;               // counts of `top` are low by at most so much
  std::uint64_t outliers_iqr = 0,
                outliers_robust =
                    0;  // beyond 1.5 IQR of the quartiles; |x − median| > 3.5 · 1.4826 MAD
  std::vector<Outlier> low, high;      // the outermost values, at most 5 a side
  std::uint64_t odd_row = UINT64_MAX;  // the first cell that is no number in a column of numbers
  std::string odd_text;
  std::optional<double> weighted_mean, weighted_std;
  base::Json to_json() const;
  static base::Result<ColumnProfile> from_json(const base::Json& json);
};

// How two columns go together, over the rows that have both.
struct Association {
  std::string a, b;
  std::string
      measure;  // "pearson", "spearman", "cramers_v" (bias corrected: "cramers_v_corrected"), "eta_squared", "mutual_information" (nats)
  double value = 0;
  std::uint64_t rows = 0;
};
struct MissingTogether {
  std::vector<std::string> columns;
  std::uint64_t rows = 0;
};
struct RowOutlier {
  std::uint64_t row = 0;
  double score = 0;    // isolation forest: 0.5 is ordinary, towards 1 alone
  std::string column;  // the one that is furthest out
};
struct ProfileSlice {
  std::string column, value;
  std::uint64_t rows = 0;
  std::vector<ColumnProfile> columns;
};

struct Profile {
  std::uint64_t rows = 0;
  std::uint64_t duplicate_rows = 0;
  std::vector<ColumnProfile> columns;
  double duplicate_error = 0;  // relative standard error of duplicate_rows
  std::uint64_t rows_with_missing = 0, ragged_rows = 0;
  std::vector<std::uint64_t> ragged_examples;
  std::vector<MissingTogether> missing_together;  // the commonest patterns
  std::uint64_t sample_rows =
      0;  // rows that associations and outliers were computed of: a random sample when fewer than `rows`
  std::vector<Association> associations;
  std::vector<std::string> candidate_keys;
  std::vector<std::vector<std::string>> equal_columns;  // columns that hold the same
  std::vector<RowOutlier> outliers;
  std::vector<ProfileSlice> slices;
  std::string label, weight;
  std::vector<std::string> notes;  // of reading: encoding, delimiter
  const ColumnProfile* find(std::string_view name) const;
  base::Json to_json() const;
  static base::Result<Profile> from_json(const base::Json& json);
};

// Statistics of the columns alone, exact up to a million distinct values; NaN counts as missing.
Profile profile_table(const data::Table& table);
ColumnProfile profile_column(const data::Column& column);

}  // namespace maru::stats
