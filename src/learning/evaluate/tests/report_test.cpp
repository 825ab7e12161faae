#include <doctest/doctest.h>

#include <cmath>

#include "golden_rows.h"
#include "maru/base/clock.h"
#include "maru/base/rng.h"
#include "maru/evaluate/evaluate.h"
#include "slices.h"

namespace {

using namespace maru;

model::Signature binary_signature() {
  model::Signature out;
  out.classes = {"no", "yes"};
  out.threshold = 0.4;
  return out;
}

// Scores with a known quality: probability p = 1/(1+e^-z), label drawn from p.
model::Predictions drawn(std::size_t rows, std::uint64_t seed, std::vector<double>& labels) {
  base::Rng rng(seed);
  model::Predictions out;
  out.rows = rows;
  for (std::size_t i = 0; i < rows; ++i) {
    const double p = 1 / (1 + std::exp(-1.2 * rng.normal()));
    out.scores.push_back(p);
    labels.push_back(rng.uniform() < p ? 1 : 0);
  }
  return out;
}

data::Table grouped(std::size_t rows) {
  data::Table out;
  out.columns.resize(2);
  out.columns[0].name = "carrier";
  out.columns[0].type = data::ColumnType::kText;
  out.columns[0].dictionary = {"AA", "UA", "rare"};
  out.columns[1].name = "distance";
  out.columns[1].type = data::ColumnType::kFloat;
  for (std::size_t i = 0; i < rows; ++i) {
    out.columns[0].codes.push_back(i < 10 ? 2 : static_cast<std::int32_t>(i % 2));
    out.columns[1].reals.push_back(static_cast<double>(i));
  }
  return out;
}

}  // namespace

TEST_CASE("a report has every metric inside its interval, and survives JSON") {
  std::vector<double> y;
  const model::Predictions p = GoldenRows().binary(y);
  evaluate::EvaluateOptions options;
  options.slices = {"carrier", "distance"};
  const auto report = evaluate::evaluate(binary_signature(), y, p, grouped(400), options);
  REQUIRE_MESSAGE(report.has_value(), report.error().text());
  CHECK(report->metric == "roc_auc");
  CHECK(report->rows == 400);
  CHECK(report->metrics.size() == 10);
  for (const auto& [name, interval] : report->metrics) {
    CHECK_MESSAGE(interval.low < interval.high, name);
    // ece of a resample is biased upwards; the others straddle their value
    if (name != "ece")
      CHECK_MESSAGE((interval.low <= interval.value && interval.value <= interval.high), name);
  }
  CHECK(report->confusion == std::vector<std::vector<std::uint64_t>>{{119, 80}, {48, 153}});
  CHECK(report->curves["roc"].size() <= 200);
  CHECK(report->curves["roc"].items().back()["tpr"].as_double() == 1);
  CHECK(report->curves["pr"].items().back()["recall"].as_double() == 1);
  double rows = 0;
  for (const auto& bin : report->curves["calibration"].items()) rows += bin["rows"].as_double();
  CHECK(rows == 400);
  // carrier: AA and UA (rare has 10 rows), distance: four quartiles
  CHECK(report->slices.size() == 6);
  CHECK(report->slices[0].rows + report->slices[1].rows == 390);
  const auto back = evaluate::Report::from_json(report->to_json());
  REQUIRE(back.has_value());
  CHECK(back->to_json() == report->to_json());
}

TEST_CASE("a slice's value is the metric of its rows alone") {
  std::vector<double> y, part_y;
  const model::Predictions p = GoldenRows().binary(y);
  const data::Table table = grouped(400);
  evaluate::EvaluateOptions options;
  options.slices = {"carrier"};
  const auto report = evaluate::evaluate(binary_signature(), y, p, table, options);
  std::vector<double> part_s;
  for (std::size_t i = 0; i < 400; ++i)
    if (table.columns[0].text(i) == report->slices[0].value) {
      part_y.push_back(y[i]);
      part_s.push_back(p.scores[i]);
    }
  CHECK(report->slices[0].metric.value == evaluate::roc_auc(part_y, part_s));
  options.slices = {"carier"};
  const auto unknown = evaluate::evaluate(binary_signature(), y, p, table, options);
  CHECK(unknown.error().hint.find("carrier") != std::string::npos);
}

TEST_CASE("the interval covers the truth about as often as it says") {
  // The truth from many rows; 60 small samples.
  std::vector<double> y;
  const model::Predictions big = drawn(400'000, 1, y);
  const double truth = evaluate::roc_auc(y, big.scores);
  int covered = 0;
  for (std::uint64_t seed = 2; seed < 62; ++seed) {
    std::vector<double> labels;
    const model::Predictions p = drawn(400, seed, labels);
    const auto report = evaluate::evaluate(binary_signature(), labels, p, {}, {});
    const auto interval = report->metrics.at("roc_auc");
    covered += interval.low <= truth && truth <= interval.high ? 1 : 0;
  }
  CHECK(covered >= 51);  // 57 expected; under 51 has a chance of 1 in 100 at 95 %
}

TEST_CASE("the same seed gives the same intervals, another seed others") {
  std::vector<double> y;
  const model::Predictions p = drawn(500, 3, y);
  evaluate::EvaluateOptions options;
  const auto first = evaluate::evaluate(binary_signature(), y, p, {}, options)->to_json().dump();
  CHECK(evaluate::evaluate(binary_signature(), y, p, {}, options)->to_json().dump() == first);
  options.seed = 2;
  CHECK(evaluate::evaluate(binary_signature(), y, p, {}, options)->to_json().dump() != first);
}

TEST_CASE("regression and multiclass reports") {
  std::vector<double> y, t;
  const model::Predictions p = GoldenRows().multiclass(y), q = GoldenRows().regression(t);
  model::Signature many;
  many.task = model::Task::kMulticlass;
  many.classes = {"a", "b", "c", "d"};
  const auto first = evaluate::evaluate(many, y, p, {}, {});
  REQUIRE(first.has_value());
  CHECK(first->metric == "log_loss");
  CHECK(first->confusion.size() == 4);
  CHECK(first->metrics.count("macro_f1") == 1);
  model::Signature number;
  number.task = model::Task::kRegression;
  const auto second = evaluate::evaluate(number, t, q, {}, {});
  REQUIRE(second.has_value());
  CHECK(second->metric == "rmse");
  CHECK(second->curves["residuals"].size() == 9);
  CHECK(second->curves["residuals"].items()[4]["value"].as_double() ==
        doctest::Approx(-0.5).epsilon(0.01));
  CHECK(second->confusion.empty());
  CHECK_FALSE(evaluate::evaluate(number, {},
                                 [] {
                                   model::Predictions none;
                                   none.task = model::Task::kRegression;
                                   return none;
                                 }(),
                                 {}, {})
                  .has_value());
}

TEST_CASE("200 resamples of 50,000 rows stay quick") {
  std::vector<double> y;
  const model::Predictions p = drawn(50'000, 9, y);
  const std::int64_t from_ns = base::system_clock().monotonic_ns();
  REQUIRE(evaluate::evaluate(binary_signature(), y, p, {}, {}).has_value());
  const double seconds = static_cast<double>(base::system_clock().monotonic_ns() - from_ns) / 1e9;
  MESSAGE("all binary metrics, 200 resamples, 50,000 rows: ", seconds, " s");
  // The release build takes well under a second; this only refuses what grows with the square of the rows, under a sanitizer too.
  CHECK(seconds < 60);
}

TEST_CASE("the chosen threshold maximises F1") {
  std::vector<double> y;
  const model::Predictions p = GoldenRows().binary(y);
  const double threshold = evaluate::choose_threshold(y, p);
  // precision_recall_curve of scikit-learn 1.9.1: best F1 0.714285714285714 at 0.33663, the next lower score is 0.32673
  CHECK(*evaluate::metric_value("f1", y, p, threshold) == doctest::Approx(0.7142857142857143));
  CHECK(threshold > 0.32673);
  CHECK(threshold < 0.33664);
  CHECK(evaluate::choose_threshold({1, 1}, drawn(2, 1, y)) == 0.5);
}

TEST_CASE("comparison is paired: a slightly better twin is told apart, noise is not called worse") {
  std::vector<double> y;
  const model::Predictions good = drawn(3000, 21, y);
  model::Predictions same = good, bad = good;
  base::Rng rng(5);
  for (double& s : same.scores) s = 0.5 * s;  // the same order
  for (double& s : bad.scores) s = 0.6 * s + 0.4 * rng.uniform();
  const auto equal = evaluate::compare("roc_auc", y, same, good, 0.5, 0.5, 1);
  CHECK(equal->difference.value == 0);
  CHECK_FALSE(equal->worse);
  const auto worse = evaluate::compare("roc_auc", y, bad, good, 0.5, 0.5, 1);
  CHECK(worse->worse);
  CHECK(worse->difference.value < 0);
  const auto better = evaluate::compare("log_loss", y, good, bad, 0.5, 0.5, 1);
  CHECK(better->candidate < better->champion);
  CHECK(better->difference.low > 0);
  model::Predictions other = good;
  other.task = model::Task::kRegression;
  CHECK_FALSE(evaluate::compare("roc_auc", y, good, other, 0.5, 0.5, 1).has_value());
}
