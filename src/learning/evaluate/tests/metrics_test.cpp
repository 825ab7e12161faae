#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "golden_rows.h"
#include "maru/base/rng.h"
#include "meter.h"

// Expected numbers: scikit-learn 1.9.1 on the rows of golden_rows.h: roc_auc_score, average_precision_score, log_loss, brier_score_loss,
// accuracy_score, balanced_accuracy_score, f1_score, precision_score, recall_score (threshold 0.4), roc_auc_score(multi_class="ovr",
// average="macro"), f1_score(average="macro"), mean_squared_error ** 0.5, mean_absolute_error, r2_score, mean_absolute_percentage_error.
// The weighted ones have sample_weight = b % 3. ece: 15 equal-width bins by numpy.

namespace {

using namespace maru;

void check(const char* metric, const std::vector<double>& labels, const model::Predictions& p,
           double expected) {
  const auto value = evaluate::metric_value(metric, labels, p, 0.4);
  REQUIRE_MESSAGE(value.has_value(), metric);
  CHECK_MESSAGE(*value == doctest::Approx(expected).epsilon(1e-12), metric);
}

double weighted(const char* metric, const std::vector<double>& labels,
                const model::Predictions& p) {
  const GoldenRows golden;
  evaluate::Weights weights;
  for (double b : golden.b) weights.push_back(static_cast<std::uint16_t>(static_cast<int>(b) % 3));
  return evaluate::Meter::make(labels, p, 0.4, nullptr, metric)->measure(&weights).front();
}

}  // namespace

TEST_CASE("binary metrics equal scikit-learn's") {
  std::vector<double> y;
  const model::Predictions p = GoldenRows().binary(y);
  check("roc_auc", y, p, 0.744856121403035);
  check("pr_auc", y, p, 0.7520103829223659);
  check("log_loss", y, p, 1.2056559731684668);
  check("brier", y, p, 0.21181673365356335);
  check("accuracy", y, p, 0.68);
  check("balanced_accuracy", y, p, 0.679591989799745);
  check("f1", y, p, 0.7050691244239631);
  check("precision", y, p, 0.6566523605150214);
  check("recall", y, p, 0.7611940298507462);
  check("ece", y, p, 0.07269801980198021);
  CHECK(evaluate::Meter::make(y, p, 0.4)->confusion(nullptr) ==
        std::vector<double>{119, 80, 48, 153});
}

TEST_CASE("row weights mean what scikit-learn's sample_weight means") {
  std::vector<double> y, t;
  const model::Predictions p = GoldenRows().binary(y), q = GoldenRows().regression(t);
  CHECK(weighted("roc_auc", y, p) == doctest::Approx(0.7456542918675008).epsilon(1e-12));
  CHECK(weighted("pr_auc", y, p) == doctest::Approx(0.7515200652496116).epsilon(1e-12));
  CHECK(weighted("f1", y, p) == doctest::Approx(0.702576112412178).epsilon(1e-12));
  CHECK(weighted("log_loss", y, p) == doctest::Approx(1.1304756689693845).epsilon(1e-12));
  CHECK(weighted("balanced_accuracy", y, p) == doctest::Approx(0.6779048302738181).epsilon(1e-12));
  CHECK(weighted("r2", t, q) == doctest::Approx(0.9986648649875113).epsilon(1e-12));
  CHECK(weighted("rmse", t, q) == doctest::Approx(3.946076404143966).epsilon(1e-12));
}

TEST_CASE("multiclass and regression metrics equal scikit-learn's") {
  std::vector<double> y, t;
  const model::Predictions p = GoldenRows().multiclass(y), q = GoldenRows().regression(t);
  check("log_loss", y, p, 1.1507512012513539);
  check("accuracy", y, p, 0.71);
  check("balanced_accuracy", y, p, 0.7044761366189938);
  check("macro_f1", y, p, 0.706534387504704);
  check("roc_auc", y, p, 0.7914249305286567);
  check("rmse", t, q, 3.996248240537617);
  check("mae", t, q, 3.475);
  check("r2", t, q, 0.9986212637659059);
  check("mape", t, q, 0.14617652722276764);
}

TEST_CASE("edges: one class, constant target, ties, unknown labels") {
  CHECK(std::isnan(evaluate::roc_auc({1, 1}, {0.2, 0.3})));
  CHECK(evaluate::roc_auc({0, 1, 0, 1}, {0.5, 0.5, 0.5, 0.5}) == 0.5);
  CHECK(evaluate::roc_auc({0, 0, 1, 1}, {0.1, 0.2, 0.3, 0.4}) == 1.0);
  model::Predictions p;
  p.rows = 4;
  p.scores = {0, 1, 0.4, 0.9};
  // The row with label -1 does not count.
  CHECK(*evaluate::metric_value("accuracy", {0, 1, -1, 0}, p, 0.5) == doctest::Approx(2.0 / 3));
  CHECK(std::isfinite(*evaluate::metric_value("log_loss", {1, 0, 1, 1}, p, 0.5)));
  CHECK(*evaluate::metric_value("precision", {1, 0, 1, 1}, p, 2.0) == 0);
  p.task = model::Task::kRegression;
  CHECK(*evaluate::metric_value("r2", {3, 3, 3, 3}, p, 0) == 0);
  CHECK_FALSE(evaluate::metric_value("roc_auc", {3, 3, 3, 3}, p, 0).has_value());
  CHECK_FALSE(evaluate::metric_value("rmse", {3, 3}, p, 0).has_value());
  p.task = model::Task::kBinary;
  CHECK(evaluate::metric_value("roc_acu", {0, 1, 0, 1}, p, 0.5).error().hint.find("roc_auc") !=
        std::string::npos);
}

TEST_CASE("the area equals the count of ordered pairs") {
  base::Rng rng(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<double> y, s;
    for (int i = 0; i < 60; ++i) {
      y.push_back(static_cast<double>(rng.below(2)));
      s.push_back(static_cast<double>(rng.below(12)));
    }
    double pairs = 0, right = 0;
    for (std::size_t i = 0; i < 60; ++i)
      for (std::size_t j = 0; j < 60; ++j) {
        if (y[i] != 1 || y[j] != 0) continue;
        pairs += 1;
        right += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
      }
    CHECK(evaluate::roc_auc(y, s) == doctest::Approx(right / pairs));
  }
}

TEST_CASE("resampling draws as many rows as there are, evenly") {
  base::Rng rng(7);
  evaluate::Weights weights(1001);
  std::vector<double> total(1001);
  for (int i = 0; i < 400; ++i) {
    evaluate::draw_weights(rng, weights);
    std::size_t sum = 0;
    for (std::size_t r = 0; r < weights.size(); ++r) {
      sum += weights[r];
      total[r] += weights[r];
    }
    CHECK(sum == 1001);
  }
  for (double t : total) CHECK(std::abs(t - 400) < 6 * 20);  // six deviations of a Poisson count
}
