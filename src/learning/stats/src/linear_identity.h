#pragma once
#include <string>
#include <vector>

#include "maru/data/table.h"

namespace maru::stats {

// Columns that together give a number by a linear formula: total = first + second, price = 1.19 * net.
struct LinearIdentity {
  std::vector<std::string>
      columns;                  // none of them can be left out; empty: there is no such formula
  std::vector<double> weights;  // one a column
  double r2 = 0;                // on rows that the formula was not fitted on
  std::string text() const;     // "1 * casual + 1 * registered"
};

// Least squares over the numeric columns of `names` (rows with a missing value are left out), fitted on one half of the rows and judged on the other; then
// every column that is not needed goes. Columns may differ by any scale; collinear ones are no obstacle.
LinearIdentity find_linear_identity(const data::Table& table, const std::vector<std::string>& names,
                                    const std::vector<std::uint32_t>& rows,
                                    const std::vector<double>& target);  // one value a row

}  // namespace maru::stats
