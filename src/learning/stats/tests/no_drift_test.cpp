#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "golden_cases.h"
#include "maru/base/rng.h"
#include "maru/stats/drift.h"

namespace maru::stats {
namespace {

// Rows of both sides of a random split: `share` goes to the new side, at most `most` rows a side.
void split(base::Rng& rng, std::size_t rows, double share, std::size_t most,
           std::vector<std::uint32_t>& before, std::vector<std::uint32_t>& after) {
  const double keep = std::min(1.0, 2.0 * static_cast<double>(most) / static_cast<double>(rows));
  for (std::uint32_t r = 0; r < rows; ++r) {
    if (rng.uniform() >= keep) continue;
    (rng.uniform() < share ? after : before).push_back(r);
  }
}

std::size_t environment(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

}  // namespace

// The stated rate: a comparison without drift names a column with a chance of at most alpha = 1 %, and alarms at all (columns, relations, all
// columns together) with at most 2 %. MARU_DRIFT_ROWS and MARU_DRIFT_SEEDS make the test larger.
TEST_CASE("a random split of real data raises no alarm beyond the stated rate") {
  const std::size_t seeds = environment("MARU_DRIFT_SEEDS", 100),
                    most = environment("MARU_DRIFT_ROWS", 1000);
  std::size_t compared = 0, named = 0, alarmed = 0;
  for (const std::string name : {"adult", "telco_churn", "titanic", "california_housing",
                                 "chicago_taxi", "diamonds", "bike_hourly", "taxis"}) {
    const std::string file = shared_folder() + "/data/" + name + ".csv";
    if (!base::path_exists(file)) {
      MESSAGE("skipped: no data at ", file);
      continue;
    }
    const data::Table all = read_typed(file);
    std::map<std::string, int> reasons;
    for (std::size_t seed = 1; seed <= seeds; ++seed) {
      base::Rng rng(seed * 7919);
      std::vector<std::uint32_t> before, after;
      // Halves, and a tenth against the rest.
      split(rng, all.rows(), seed % 2 == 0 ? 0.5 : 0.1, most, before, after);
      DriftOptions options;
      options.classifier_rows = seed % 5 == 0 ? 300 : 0;  // the slow part, for every fifth
      const DriftReport report = compare_tables(all.take(before), all.take(after), options);
      ++compared;
      bool column_named = false;
      for (const ColumnDrift& column : report.columns) {
        column_named = column_named || column.drift;
        if (column.drift) ++reasons[column.name + ": " + column.reason];
      }
      named += column_named ? 1 : 0;
      alarmed += report.drift ? 1 : 0;
      if (report.drift && !column_named)
        ++reasons[report.culprits.size() > 0 ? report.culprits.at(0)["explanation"].as_string()
                                             : "together " + report.together["auc"].dump()];
    }
    for (const auto& [reason, count] : reasons) MESSAGE(name, ": ", count, " x ", reason);
  }
  if (compared == 0) return;
  MESSAGE(compared, " comparisons, ", named, " named a column, ", alarmed, " alarmed");
  CHECK(static_cast<double>(named) <= 0.01 * static_cast<double>(compared));
  CHECK(static_cast<double>(alarmed) <= 0.02 * static_cast<double>(compared));
}

}  // namespace maru::stats
