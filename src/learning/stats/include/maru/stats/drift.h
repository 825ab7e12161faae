#pragma once
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/stats/profile.h"

namespace maru::stats {

struct DriftOptions {
  // Chance that a comparison without drift names any column: shared out evenly over columns and tests (Bonferroni).
  double alpha = 0.01;
  std::size_t min_rows = 50;  // fewer rows in either side: no verdict
  // Rows a side, at most, from which the classifier that tells old from new learns; 0 leaves it out.
  std::size_t classifier_rows = 4000;
  std::size_t threads = 2;
};

struct ColumnDrift {
  std::string name;
  bool drift = false;
  double score = 0;    // effect size for ranking: max of normed measures
  std::string reason;  // which measure said so, with its value and limit
  base::Json why;  // {measure, value, limit, visible, chance, chunks, p} of what said so, else null
  // {"psi","ks","ks_p","js","wasserstein_normed","chi2_p","missing_delta","new_values",...}; named by convention
  base::Json measures;
  // {centre, mode, symmetry, skewness, likelihood}: {old, new, value, limit, reason, verdict}
  base::Json questions;
  base::Json picture;  // {edges | values, old, new}: shares
};

struct DriftReport {
  bool drift = false;
  std::string rule = "maru";  // or "evidently", "tfdv"
  std::uint64_t rows_old = 0, rows_new = 0;
  std::vector<ColumnDrift> columns;
  base::Json culprits;  // [{column, slice, kind, explanation, share, ...}]
  // {auc, limit, drift, importances: {column: AUC lost}, mmd2, mmd_p}: all columns together; null when not asked
  base::Json together;
  base::Json to_json() const;
  static DriftReport from_json(const base::Json& json);  // what an earlier version lacked is empty
};

// Row-level comparison. A column drifts when a measure exceeds its limit: the largest of what is visible at all (so that a million rows do
// not alarm on everything), what chance reaches at alpha / columns / tests with these row counts, and what chunks of the reference reach.
DriftReport compare_tables(const data::Table& reference, const data::Table& current,
                           const DriftOptions& options = {});
// Against a stored profile, for windows of live traffic: histogram/categories of the profile versus the rows.
DriftReport compare_with_profile(const Profile& reference, const data::Table& current,
                                 const DriftOptions& options = {});
// Two stored profiles: no row is read.
DriftReport compare_profiles(const Profile& reference, const Profile& current,
                             const DriftOptions& options = {});

// What these tools would say, number for number: their choice of method, their value, their threshold.
DriftReport compare_as_evidently(const data::Table& reference, const data::Table& current);
DriftReport compare_as_tfdv(const data::Table& reference, const data::Table& current,
                            double threshold = 0.1);
// "maru", "evidently" or "tfdv".
base::Result<DriftReport> compare_by(const std::string& rule, const data::Table& reference,
                                     const data::Table& current, const DriftOptions& options = {});

// One page that needs nothing beside it: verdicts, the five questions with pictures, culprits. `language`: "en" or "ko".
std::string drift_html(const DriftReport& report, const std::string& old_name,
                       const std::string& new_name, const std::string& language = "en");

}  // namespace maru::stats
