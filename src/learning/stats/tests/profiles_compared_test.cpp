#include <doctest/doctest.h>

#include <cmath>

#include "distribution.h"
#include "golden_cases.h"
#include "maru/stats/drift.h"
#include "maru/stats/measures.h"

namespace maru::stats {

// Two profiles, through their stored form: no row is read. What shows in one column alone shows here too, but for what a profile does not keep.
TEST_CASE("drift of two stored profiles gives the golden verdicts without a row") {
  for (const std::string& name : GoldenCases::get().names()) {
    const base::Json verdict = GoldenCases::expected(name)["verdict"];
    CAPTURE(name);
    const data::Table before = read_typed(GoldenCases::get().file(name, "reference")),
                      after = read_typed(GoldenCases::get().file(name, "current"));
    const auto stored = [](const data::Table& table) {
      auto again = Profile::from_json(*base::parse_json(profile_table(table).to_json().dump()));
      REQUIRE(again.has_value());
      return std::move(*again);
    };
    const DriftReport report = compare_profiles(stored(before), stored(after));
    const bool joint = verdict.has("joint");
    CHECK(report.drift == (verdict["drift"].as_bool() && !joint));
    for (const auto& must : verdict["must"].items()) {
      bool found = false;
      for (const ColumnDrift& column : report.columns)
        found = found || (column.name == must.as_string() && column.drift);
      CHECK_MESSAGE(found, must.as_string());
    }
    // The distances are those of the rows within what 200 steps a side can tell.
    for (const ColumnDrift& column : report.columns) {
      const data::Column &a = *before.find(column.name), &b = *after.find(column.name);
      if (!column.measures.has("ks") || a.type == data::ColumnType::kText ||
          b.type == data::ColumnType::kText)
        continue;
      const NumberMeasures exact = number_measures(Sample::of(a), Sample::of(b));
      CAPTURE(column.name);
      CHECK(std::fabs(column.measures["ks"].as_double() - exact.ks) <= 0.021);
      CHECK(std::fabs(column.measures["mean_shift_std"].as_double() - exact.mean_shift_std) <=
            1e-9 * std::max(1.0, std::fabs(exact.mean_shift_std)));
    }
  }
}

}  // namespace maru::stats
