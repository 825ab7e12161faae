#pragma once
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/stats/profile.h"

namespace maru::stats {

struct DriftOptions {
  double alpha = 0.01;  // family-wise level, divided by the number of columns
  double psi_limit = 0.1;
  std::size_t min_rows = 50;  // fewer rows in either side: no verdict
};

struct ColumnDrift {
  std::string name;
  bool drift = false;
  double score = 0;    // effect size for ranking: max of normed measures
  std::string reason;  // which measure said so, with its value and limit
  base::Json
      measures;  // {"psi","ks","ks_p","js","wasserstein_normed","chi2_p","missing_delta","new_values",...}
  base::Json
      questions;  // {centre, mode, symmetry, skewness, likelihood}: {old, new, value, limit, verdict}
};

struct DriftReport {
  bool drift = false;
  std::uint64_t rows_old = 0, rows_new = 0;
  std::vector<ColumnDrift> columns;
  base::Json culprits;  // [{column, slice, kind, explanation, share}]
  base::Json to_json() const;
};

// Row-level comparison (exact tests).
DriftReport compare_tables(const data::Table& reference, const data::Table& current,
                           const DriftOptions& options = {});
// Against a stored profile, for windows of live traffic: histogram/categories of the profile versus the rows.
DriftReport compare_with_profile(const Profile& reference, const data::Table& current,
                                 const DriftOptions& options = {});

}  // namespace maru::stats
