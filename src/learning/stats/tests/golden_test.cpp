#include <doctest/doctest.h>

#include <cmath>

#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/stats/profile.h"

#include "golden_cases.h"

// Compares with the exact numbers of the shared golden files; says what it skips where they are absent.
namespace maru::stats {
namespace {

bool near(double a, double b) {
  return a == b || std::fabs(a - b) <= 1e-9 * std::max({1.0, std::fabs(a), std::fabs(b)});
}

double quantile_of(const ColumnProfile& profile, double p) {
  for (const auto& [probability, value] : profile.quantiles) {
    if (std::fabs(probability - p) < 1e-9) return value;
  }
  return std::nan("");
}

void check_column(const ColumnProfile& profile, const base::Json& golden) {
  INFO("column ", profile.name);
  CHECK(profile.count == static_cast<std::uint64_t>(golden["count"].as_int()));
  CHECK(profile.missing == static_cast<std::uint64_t>(golden["missing"].as_int()));
  if (golden["physical_type"].as_string() == "string") {
    CHECK(profile.distinct == static_cast<std::uint64_t>(golden["distinct_raw_strings"].as_int()));
    const auto& top = golden["top20_raw_strings"].items();
    REQUIRE(profile.top.size() == top.size());
    for (std::size_t i = 0; i < top.size(); ++i)
      CHECK(profile.top[i].count == static_cast<std::uint64_t>(top[i]["count"].as_int()));
    return;
  }
  if (profile.type == data::ColumnType::kTimestamp || !golden.has("mean")) return;
  CHECK(profile.distinct == static_cast<std::uint64_t>(golden["distinct"].as_int()));
  CHECK(near(profile.min, golden["min"].as_double()));
  CHECK(near(profile.max, golden["max"].as_double()));
  CHECK(near(profile.mean, golden["mean"].as_double()));
  CHECK(near(profile.std, golden["std_population"].as_double()));
  CHECK(profile.zeros == static_cast<std::uint64_t>(golden["zeros"].as_int()));
  for (const auto& [name, value] : golden["quantiles_linear"].members()) {
    const double p = std::stod(name) / 100;
    if (p > 0 && p < 1) CHECK(near(quantile_of(profile, p), value.as_double()));
  }
}

}  // namespace

TEST_CASE("profiles equal the golden statistics") {
  for (const std::string name : {"adult", "california_housing", "titanic", "telco_churn"}) {
    const std::string golden_file = shared_folder() + "/golden/stats/" + name + ".json";
    if (!base::path_exists(golden_file)) {
      MESSAGE("skipped: no golden statistics at ", golden_file);
      return;
    }
    const auto golden = base::parse_json(*base::read_file(golden_file));
    REQUIRE(golden.has_value());
    const Profile profile = profile_table(read_typed(shared_folder() + "/data/" + name + ".csv"));
    INFO("data set ", name);
    CHECK(profile.rows == static_cast<std::uint64_t>((*golden)["rows"].as_int()));
    CHECK(profile.duplicate_rows ==
          static_cast<std::uint64_t>((*golden)["duplicate_rows"].as_int()));
    for (const auto& [column, facts] : (*golden)["columns"].members()) {
      const ColumnProfile* found = profile.find(column);
      REQUIRE(found != nullptr);
      check_column(*found, facts);
      const auto again = ColumnProfile::from_json(found->to_json());
      REQUIRE(again.has_value());
      CHECK(again->to_json() == found->to_json());
    }
  }
}

}  // namespace maru::stats
