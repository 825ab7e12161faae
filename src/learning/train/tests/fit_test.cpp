#include <doctest/doctest.h>
#include <linear.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "maru/base/rng.h"
#include "maru/train/train.h"
#include "owlqn.h"

namespace {

using namespace maru;

train::Labels binary() {
  train::Labels out;
  out.classes = {"no", "yes"};
  return out;
}

train::Matrix clouds(std::size_t rows, std::size_t columns, std::uint64_t seed,
                     double noise = 0.5) {
  base::Rng rng(seed);
  train::Matrix out;
  out.features.rows = rows;
  out.features.columns = columns;
  for (std::size_t c = 0; c < columns; ++c) out.features.names.push_back("x" + std::to_string(c));
  for (std::size_t r = 0; r < rows; ++r) {
    double z = 0.3;
    for (std::size_t c = 0; c < columns; ++c) {
      out.features.values.push_back(rng.normal());
      if (c < 3) z += out.features.values.back() * (static_cast<double>(c) - 0.5);
    }
    out.labels.push_back(z + noise * rng.normal() > 0 ? 1 : 0);
  }
  return out;
}

train::Config config_of(const char* learner) {
  train::Config out;
  out.learner = learner;
  return out;
}

// Objective of liblinear's L2-regularised logistic regression (its bias column is penalised too, so it is given none).
double objective(const train::Matrix& m, const std::vector<double>& w, double c) {
  double value = 0.5 * std::inner_product(w.begin(), w.end(), w.begin(), 0.0);
  for (std::size_t r = 0; r < m.features.rows; ++r) {
    double z = 0;
    for (std::size_t k = 0; k < w.size(); ++k) z += w[k] * m.features.values[r * w.size() + k];
    value += c * std::log1p(std::exp(m.labels[r] > 0 ? -z : z));
  }
  return value;
}

std::vector<double> liblinear_weights(const train::Matrix& m, double c) {
  const auto columns = m.features.columns;
  std::vector<feature_node> nodes;
  for (std::size_t r = 0; r < m.features.rows; ++r) {
    for (std::size_t k = 0; k < columns; ++k)
      nodes.push_back({static_cast<int>(k) + 1, m.features.values[r * columns + k]});
    nodes.push_back({-1, 0});
  }
  std::vector<feature_node*> rows;
  for (std::size_t r = 0; r < m.features.rows; ++r) rows.push_back(&nodes[r * (columns + 1)]);
  std::vector<double> y = m.labels;
  problem task{};
  task.l = static_cast<int>(m.features.rows);
  task.n = static_cast<int>(columns);
  task.y = y.data();
  task.x = rows.data();
  task.bias = -1;
  parameter how{};
  how.solver_type = L2R_LR;
  how.C = c;
  how.eps = 1e-10;
  set_print_string_function([](const char*) {});
  ::model* fitted = ::train(&task, &how);
  const double sign = fitted->label[0] == 1 ? 1 : -1;
  std::vector<double> out;
  for (std::size_t k = 0; k < columns; ++k) out.push_back(sign * fitted->w[k]);
  free_and_destroy_model(&fitted);
  return out;
}

}  // namespace

TEST_CASE("the linear learner's minimiser finds liblinear's optimum") {
  const train::Matrix m = clouds(600, 8, 1);
  for (const double c : {0.01, 1.0, 100.0}) {
    const auto theirs = liblinear_weights(m, c);
    const auto smooth = [&](const std::vector<double>& w, std::vector<double>& g) {
      g = w;
      for (std::size_t r = 0; r < m.features.rows; ++r) {
        double z = 0;
        for (std::size_t k = 0; k < w.size(); ++k) z += w[k] * m.features.values[r * w.size() + k];
        const double slope = c * (1 / (1 + std::exp(-z)) - m.labels[r]);
        for (std::size_t k = 0; k < w.size(); ++k)
          g[k] += slope * m.features.values[r * w.size() + k];
      }
      return objective(m, w, c);
    };
    train::MinimizeOptions options;
    options.tolerance = 1e-13;
    const auto own = train::minimize(std::vector<double>(8, 0.0), smooth, options);
    CHECK(own.value == doctest::Approx(objective(m, theirs, c)).epsilon(1e-9));
    for (std::size_t k = 0; k < 8; ++k) CHECK(own.x[k] == doctest::Approx(theirs[k]).epsilon(1e-4));
  }
}

TEST_CASE("the L1 minimiser solves separable problems exactly and leaves zeros") {
  // min 1/2 (x - b)^2 + l |x|: soft threshold.
  const std::vector<double> b = {3, -2, 0.5, -0.4, 0};
  train::MinimizeOptions options;
  options.l1.assign(5, 1.0);
  options.tolerance = 1e-15;
  const auto smooth = [&](const std::vector<double>& x, std::vector<double>& g) {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      g[i] = x[i] - b[i];
      value += 0.5 * g[i] * g[i];
    }
    return value;
  };
  const auto found = train::minimize(std::vector<double>(5, 0.0), smooth, options);
  CHECK(found.x[0] == doctest::Approx(2));
  CHECK(found.x[1] == doctest::Approx(-1));
  for (std::size_t i = 2; i < 5; ++i) CHECK(found.x[i] == 0);
}

TEST_CASE("both learners beat the constant on rows they have not seen") {
  const train::Matrix rows = clouds(3000, 6, 11), valid = clouds(1000, 6, 12);
  const auto constant = train::fit(config_of("constant"), binary(), rows, valid, {});
  REQUIRE(constant.has_value());
  for (const char* learner : {"lightgbm", "linear"}) {
    const auto trained = train::fit(config_of(learner), binary(), rows, valid, {});
    REQUIRE_MESSAGE(trained.has_value(), trained.error().text());
    CHECK(trained->metric == "log_loss");
    CHECK(trained->valid_score < 0.6 * constant->valid_score);
    CHECK(trained->importance.size() == 6);
    CHECK(trained->importance[0].first == "x2");
    CHECK(trained->importance[0].second > trained->importance[5].second);
    double shares = 0;
    for (const auto& [name, share] : trained->importance) shares += share;
    CHECK(shares == doctest::Approx(1));
    CHECK(trained->curve.size() > 0);
  }
}

TEST_CASE("elastic net drops columns that say nothing, ridge keeps them") {
  const train::Matrix rows = clouds(400, 30, 21), valid = clouds(200, 30, 22);
  train::Config lasso = config_of("linear");
  lasso.params.set("c", 0.05).set("l1_ratio", 1.0);
  const auto sparse = train::fit(lasso, binary(), rows, valid, {});
  REQUIRE(sparse.has_value());
  std::size_t zeros = 0;
  for (const auto& [name, share] : sparse->importance) zeros += share == 0 ? 1 : 0;
  CHECK(zeros >= 15);
  const auto dense = train::fit(config_of("linear"), binary(), rows, valid, {});
  for (const auto& [name, share] : dense->importance) CHECK(share > 0);
}

TEST_CASE("a linear regression finds the plane and its unit") {
  base::Rng rng(5);
  train::Matrix rows;
  rows.features.rows = 500;
  rows.features.columns = 2;
  rows.features.names = {"a", "b"};
  for (int r = 0; r < 500; ++r) {
    const double a = rng.normal(), b = rng.normal();
    rows.features.values.insert(rows.features.values.end(), {a, b});
    rows.labels.push_back(1e6 + 3e4 * a - 2e4 * b);
  }
  train::Labels labels;
  labels.task = model::Task::kRegression;
  train::Config weak = config_of("linear");
  weak.params.set("c", 1e6);
  const auto trained = train::fit(weak, labels, rows, rows, {});
  REQUIRE(trained.has_value());
  model::FeatureMatrix probe{2, 2, {0, 0, 1, -1}, {"a", "b"}};
  const auto answers = trained->predict(probe);
  CHECK((*answers)[0] == doctest::Approx(1e6).epsilon(1e-4));
  CHECK((*answers)[1] == doctest::Approx(1.05e6).epsilon(1e-4));
  CHECK(trained->valid_score < 100);
}

TEST_CASE("early stopping keeps the best round, not the last") {
  const train::Matrix rows = clouds(300, 6, 31, 2.0), valid = clouds(300, 6, 32, 2.0);
  train::LearnOptions options;
  options.early_stopping_rounds = 20;
  const auto trained = train::fit(config_of("lightgbm"), binary(), rows, valid, options);
  REQUIRE(trained.has_value());
  CHECK(trained->rounds >= 1);
  CHECK(trained->rounds < 200);
  for (const auto& point : trained->curve.items())
    CHECK(point["valid"].as_double() >= trained->valid_score);
  CHECK(trained->curve.items().back()["valid"].as_double() > trained->valid_score);
  // The kept trees give the kept score.
  const auto scores = trained->predict(valid.features);
  double loss = 0;
  for (std::size_t r = 0; r < 300; ++r)
    loss -= std::log(valid.labels[r] > 0 ? (*scores)[r] : 1 - (*scores)[r]);
  CHECK(loss / 300 == doctest::Approx(trained->valid_score).epsilon(1e-6));
}

TEST_CASE("a deadline in the past still gives one round; a cancel stops") {
  const train::Matrix rows = clouds(500, 4, 41), valid = clouds(200, 4, 42);
  base::Context context;
  context.deadline_ns = 1;
  train::LearnOptions options;
  options.context = &context;
  for (const char* learner : {"lightgbm", "linear"}) {
    const auto trained = train::fit(config_of(learner), binary(), rows, valid, options);
    REQUIRE(trained.has_value());
    CHECK(trained->cut);
    CHECK(trained->rounds == 1);
    CHECK(trained->predict(valid.features).has_value());
  }
}

TEST_CASE("bad configurations and rows are one clear sentence") {
  const train::Matrix rows = clouds(100, 4, 51), valid = clouds(50, 4, 52);
  train::Config wrong = config_of("lightgbm");
  wrong.params.set("num_leafs", 3);
  const auto unknown = train::fit(wrong, binary(), rows, valid, {});
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == base::Code::kInvalidArgument);
  CHECK(unknown.error().hint.find("num_leaves") != std::string::npos);
  wrong.params = base::Json::object();
  wrong.params.set("learning_rate", -1);
  CHECK_FALSE(train::fit(wrong, binary(), rows, valid, {}).has_value());
  const auto learner = train::fit(config_of("lightgmb"), binary(), rows, valid, {});
  CHECK(learner.error().hint.find("lightgbm") != std::string::npos);
  train::Matrix bad = rows;
  bad.labels[7] = -1;
  CHECK(train::fit(config_of("linear"), binary(), bad, valid, {}).error().message.find("row 7") !=
        std::string::npos);
  bad = rows;
  bad.features.values[5] = std::numeric_limits<double>::infinity();
  CHECK(train::fit(config_of("linear"), binary(), bad, valid, {}).error().message.find("x1") !=
        std::string::npos);
  CHECK(train::fit(config_of("lightgbm"), binary(), bad, valid, {}).has_value());
}

TEST_CASE("validation rows of one class do not break the stop") {
  const train::Matrix rows = clouds(500, 4, 61);
  const train::Matrix mixed = clouds(200, 4, 62);
  train::Matrix valid;
  valid.features.columns = 4;
  for (std::size_t r = 0; r < 200; ++r) {
    if (mixed.labels[r] < 1) continue;
    const auto from = mixed.features.values.begin() + static_cast<std::ptrdiff_t>(4 * r);
    valid.features.values.insert(valid.features.values.end(), from, from + 4);
    valid.labels.push_back(1);
    ++valid.features.rows;
  }
  train::LearnOptions options;
  options.metric = "roc_auc";
  const auto trained = train::fit(config_of("lightgbm"), binary(), rows, valid, options);
  REQUIRE(trained.has_value());
  CHECK(trained->metric == "log_loss");
  CHECK(trained->rounds > 5);
}

TEST_CASE("nothing to split on gives the base rate") {
  train::Matrix rows = clouds(200, 2, 71);
  std::fill(rows.features.values.begin(), rows.features.values.end(), 1.0);
  const auto trained = train::fit(config_of("lightgbm"), binary(), rows, rows, {});
  REQUIRE_MESSAGE(trained.has_value(), trained.error().text());
  const double rate = std::accumulate(rows.labels.begin(), rows.labels.end(), 0.0) / 200;
  const auto scores = trained->predict(rows.features);
  CHECK((*scores)[0] == doctest::Approx(rate).epsilon(1e-4));
}

TEST_CASE("a dropped feature is never split on") {
  const train::Matrix rows = clouds(800, 4, 81), valid = clouds(300, 4, 82);
  train::Config config = config_of("lightgbm");
  base::Json drop = base::Json::array();
  drop.push("x2");
  config.params.set("drop", drop);
  const auto trained = train::fit(config, binary(), rows, valid, {});
  REQUIRE_MESSAGE(trained.has_value(), trained.error().text());
  for (const auto& [name, share] : trained->importance) CHECK((name == "x2") == (share == 0));
  CHECK(config.text() == "lightgbm drop=x2");
  drop.push("x22");
  config.params.set("drop", drop);
  CHECK(train::fit(config, binary(), rows, valid, {}).error().message.find("x22") !=
        std::string::npos);
}

TEST_CASE("the text of a configuration is short") {
  train::Config config = config_of("lightgbm");
  config.params.set("num_leaves", 31).set("learning_rate", 0.05123);
  CHECK(config.text() == "lightgbm leaves=31 lr=0.0512");
}
