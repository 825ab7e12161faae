#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calendar.h"
#include "maru/base/clock.h"
#include "maru/transform/features.h"

namespace {

using maru::data::Column;
using maru::data::ColumnType;
using maru::data::Table;
using namespace maru::transform;

Column numbers(const char* name, std::vector<double> values) {
  Column out;
  out.name = name;
  out.type = ColumnType::kFloat;
  for (const double v : values) out.valid.push_back(std::isnan(v) ? 0 : 1);
  out.reals = std::move(values);
  return out;
}

Column texts(const char* name, const std::vector<std::string>& values) {
  Column out;
  out.name = name;
  out.type = ColumnType::kText;
  for (const std::string& v : values) {
    out.valid.push_back(v.empty() ? 0 : 1);
    if (v.empty()) {
      out.codes.push_back(-1);
      continue;
    }
    auto at = std::find(out.dictionary.begin(), out.dictionary.end(), v);
    if (at == out.dictionary.end()) at = out.dictionary.insert(out.dictionary.end(), v);
    out.codes.push_back(static_cast<std::int32_t>(at - out.dictionary.begin()));
  }
  return out;
}

Column times(const char* name, std::vector<std::int64_t> values) {
  Column out;
  out.name = name;
  out.type = ColumnType::kTimestamp;
  out.integers = std::move(values);
  return out;
}

std::vector<double> zeros(std::size_t n) { return std::vector<double>(n, 0.0); }

const FeatureColumn& column(const FeaturePlan& plan, const char* name) {
  for (const FeatureColumn& c : plan.columns)
    if (c.name == name) return c;
  FAIL("no such column");
  return plan.columns.front();
}

}  // namespace

TEST_CASE("columns that cannot help are dropped with the reason") {
  Table table;
  std::vector<std::string> ids, cities;
  std::vector<double> same, values, none;
  for (int i = 0; i < 60; ++i) {
    ids.push_back("user-" + std::to_string(i));
    cities.push_back(i % 3 == 0 ? "Seoul" : "Busan");
    same.push_back(7);
    values.push_back(i);
    none.push_back(std::nan(""));
  }
  table.columns = {texts("id", ids),
                   texts("city", cities),
                   numbers("same", same),
                   numbers("x", values),
                   numbers("none", none),
                   texts("one", std::vector<std::string>(60, "a")),
                   times("t", std::vector<std::int64_t>(60, 1'000))};
  const auto plan =
      fit_features(table, {"id", "city", "same", "x", "none", "one", "t"}, zeros(60), {});
  REQUIRE(plan);
  CHECK(column(*plan, "id").encoding == Encoding::kDropped);
  CHECK(column(*plan, "id").reason == "an id: 100 % distinct");
  CHECK(column(*plan, "same").reason == "constant");
  CHECK(column(*plan, "none").reason == "every value is missing");
  CHECK(column(*plan, "one").reason == "constant");
  CHECK(column(*plan, "t").encoding == Encoding::kDropped);
  CHECK(column(*plan, "city").encoding == Encoding::kOrdinal);
  CHECK(plan->feature_names == std::vector<std::string>{"x", "city"});

  const auto nothing = fit_features(table, {"id", "same"}, zeros(60), {});
  REQUIRE(!nothing);
  CHECK(nothing.error().code == maru::base::Code::kFailedPrecondition);
  CHECK(nothing.error().message.find("`id`: an id: 100 % distinct; `same`: constant") !=
        std::string::npos);
}

TEST_CASE("a column that is not there comes with the nearest one") {
  Table table;
  table.columns = {numbers("distance", {1, 2, 3})};
  const auto plan = fit_features(table, {"distnace"}, zeros(3), {});
  REQUIRE(!plan);
  CHECK(plan.error().code == maru::base::Code::kInvalidArgument);
  CHECK(plan.error().hint.find("distance") != std::string::npos);
  CHECK(!fit_features(table, {"distance"}, zeros(2), {}));
}

TEST_CASE(
    "ordinals rank by the smoothed target mean; rare values and missing ones have ranks of their "
    "own") {
  // a: 10 rows of target 0, b: 10 rows of 1, c: 2 rows (rare) of 1, 4 missing of 0. Prior 12/26.
  std::vector<std::string> values;
  std::vector<double> target;
  const auto add = [&](const char* v, int n, double t) {
    for (int i = 0; i < n; ++i) {
      values.emplace_back(v);
      target.push_back(t);
    }
  };
  add("b", 10, 1);
  add("a", 10, 0);
  add("c", 2, 1);
  add("", 4, 0);
  Table table;
  table.columns = {texts("v", values)};
  FitOptions options;
  options.smoothing = 0;
  auto plan = fit_features(table, {"v"}, target, options);
  REQUIRE(plan);
  // Means: missing 0, a 0, b 1, rare 1. Ties: rare first, then by bytes.
  CHECK(column(*plan, "v").vocabulary == std::vector<std::string>{"", "a", "b"});
  CHECK(column(*plan, "v").rare_code == 2);
  options.smoothing =
      20;  // missing (9.23)/24 = .385, a 9.23/30 = .308, rare 11.23/22 = .510, b 19.23/30 = .641
  plan = fit_features(table, {"v"}, target, options);
  CHECK(column(*plan, "v").vocabulary == std::vector<std::string>{"a", "", "b"});
  CHECK(column(*plan, "v").rare_code == 2);
  options.max_vocabulary = 1;  // the most frequent, ties by bytes: a
  plan = fit_features(table, {"v"}, target, options);
  CHECK(column(*plan, "v").vocabulary == std::vector<std::string>{"a", ""});
}

TEST_CASE("linear plans impute the median, standardise and flag what was missing") {
  Table table;
  table.columns = {numbers("x", {1, 2, 3, 4, 5, std::nan("")}), numbers("y", {0, 0, 0, 1, 1, 1})};
  FitOptions options;
  options.target = Target::kLinear;
  const auto plan = fit_features(table, {"x", "y"}, zeros(6), options);
  REQUIRE(plan);
  const FeatureColumn& x = column(*plan, "x");
  CHECK(x.fill == 3);
  CHECK(x.center == 3);
  CHECK(x.scale == doctest::Approx(std::sqrt(2.0)));
  CHECK(x.missing_indicator);
  CHECK(!column(*plan, "y").missing_indicator);
  CHECK(plan->feature_names == std::vector<std::string>{"x", "y", "x is missing"});
}

TEST_CASE("calendar parts that cannot come round again are left out") {
  const std::int64_t start = maru::base::parse_time_us("2013-01-01T00:00:00Z").value();
  std::vector<std::int64_t> month, years, minutes;
  for (std::int64_t i = 0; i < 24 * 90; ++i) month.push_back(start + i * kHourUs);
  for (std::int64_t i = 0; i < 800; ++i) years.push_back(start + i * kDayUs);
  for (std::int64_t i = 0; i < 500; ++i) minutes.push_back(start + i * 17 * kMinuteUs);
  const auto parts = [&](const std::vector<std::int64_t>& values) {
    Table table;
    table.columns = {times("t", values)};
    const auto plan = fit_features(table, {"t"}, zeros(values.size()), {});
    REQUIRE(plan);
    return plan->columns[0].parts;
  };
  CHECK(parts(month) == std::vector<std::string>{"weekday", "hour"});
  CHECK(parts(years) ==
        std::vector<std::string>{"year", "month", "day", "weekday", "day_of_year", "elapsed_days"});
  CHECK(parts(minutes) == std::vector<std::string>{"weekday", "hour", "minute_of_day"});
}

TEST_CASE("calendar parts of known moments, before 1970 too") {
  const auto part = [](const char* time, const char* name) {
    return calendar_part(maru::base::parse_time_us(time).value(), name);
  };
  CHECK(part("1969-12-31T23:59:59Z", "year") == 1969);
  CHECK(part("1969-12-31T23:59:59Z", "day") == 31);
  CHECK(part("1969-12-31T23:59:59Z", "hour") == 23);
  CHECK(part("1969-12-31T23:59:59Z", "minute_of_day") == 1439);
  CHECK(part("1969-12-31T23:59:59Z", "elapsed_days") == -1);
  CHECK(part("1969-12-31T23:59:59Z", "weekday") == 2);  // a Wednesday
  CHECK(part("2024-02-29T00:00:00Z", "day_of_year") == 60);
  CHECK(part("2024-03-01T00:00:00Z", "day_of_year") == 60);
  CHECK(part("2023-12-31T00:00:00Z", "day_of_year") == 365);
  CHECK(part("2024-12-31T00:00:00Z", "day_of_year") == 365);
  CHECK(part("1900-03-01T06:30:00Z", "month") == 3);
  CHECK(part("1900-03-01T06:30:00Z", "weekday") == 3);  // a Thursday
  CHECK(part("2026-11-21T06:55:00Z", "weekday") == 5);  // a Saturday
}

TEST_CASE("a plan survives JSON, and the same plan gives the same graph") {
  Table table;
  std::vector<std::string> values;
  std::vector<double> x, target;
  std::vector<std::int64_t> when;
  for (int i = 0; i < 200; ++i) {
    values.push_back(i % 7 == 0 ? "" : "v" + std::to_string(i % 5));
    x.push_back(i % 11 == 0 ? std::nan("") : i * 0.1);
    target.push_back(i % 2);
    when.push_back(i * 5 * kDayUs + i * kHourUs);
  }
  table.columns = {texts("a \"quoted\"\n한글", values), numbers("scores", x), times("t", when)};
  for (const Target kind : {Target::kTrees, Target::kLinear}) {
    FitOptions options;
    options.target = kind;
    const auto plan = fit_features(table, {"a \"quoted\"\n한글", "scores", "t"}, target, options);
    REQUIRE(plan);
    const auto parsed = maru::base::parse_json(plan->to_json().dump());
    REQUIRE(parsed);
    const auto again = FeaturePlan::from_json(*parsed);
    REQUIRE(again);
    CHECK(again->to_json().dump() == plan->to_json().dump());
    const auto graph = emit_features(*plan), same = emit_features(*again);
    REQUIRE(graph);
    REQUIRE(same);
    CHECK(graph->nodes.size() == same->nodes.size());
    CHECK(graph->inputs[1].name == "column_scores");
    CHECK(graph->outputs[0].shape[1] == static_cast<std::int64_t>(plan->feature_names.size()));
    CHECK(graph->output_columns == plan->feature_names);
  }
  auto broken = fit_features(table, {"scores"}, target, {})->to_json();
  broken.set("feature_names", maru::base::Json::array());
  CHECK(!FeaturePlan::from_json(broken));
}
