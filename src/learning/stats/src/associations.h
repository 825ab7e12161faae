#pragma once
#include "maru/stats/profile.h"
#include "row_sums.h"
#include "summary.h"

namespace maru::stats {

// Fills associations, equal_columns and outliers of `profile` from a sample of rows.
void find_associations(Profile& profile, RowSample& sample, const std::string& label,
                       const RowOf& row_of);
void find_row_outliers(Profile& profile, const RowSample& sample, const RowOf& row_of);

}  // namespace maru::stats
