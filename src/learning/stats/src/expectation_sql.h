#pragma once
#include <string>

#include "maru/base/result.h"
#include "maru/stats/schema.h"

namespace maru::stats {

// An expectation as SQL over the rows of a table `t` with a column __row.
struct ExpectationSql {
  bool rows = false;      // judged row by row
  std::string applies;    // condition: the row is judged at all
  std::string bad;        // condition: it fails
  std::string number;     // else: the aggregate that is judged
  std::string shown;      // an expression whose value is shown of a bad row
  bool windowed = false;  // `bad` needs an order or a group: it has its own scan
};
base::Result<ExpectationSql> expectation_sql(const Expectation& expectation);

}  // namespace maru::stats
