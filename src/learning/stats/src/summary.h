#pragma once
#include <functional>
#include <string>
#include <vector>

#include "column_sums.h"
#include "maru/stats/profile.h"

namespace maru::stats {

using RowOf = std::function<std::uint64_t(std::uint64_t mark)>;

// The numbers of a column as people read them. `row_of` turns marks into row numbers.
ColumnProfile summarise(std::string name, const ColumnSums& sums, const RowOf& row_of);

// What values are about, from their profile and as many of them as were kept. Fills meaning, confidence, reason and markers.
void find_meaning(ColumnProfile& profile, const std::vector<TopValue>& values, bool complete);

}  // namespace maru::stats
