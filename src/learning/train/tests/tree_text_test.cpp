#include "tree_text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "maru/base/rng.h"
#include "maru/train/train.h"

namespace {

using namespace maru;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Columns: plain, rounded, with holes, adversarial neighbours of a few values, never missing.
train::Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  base::Rng rng(seed);
  train::Matrix out;
  out.features.rows = rows;
  out.features.columns = columns;
  for (std::size_t c = 0; c < columns; ++c) out.features.names.push_back("f\"" + std::to_string(c));
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      double v = rng.normal();
      if (c % 5 == 1) v = std::floor(v * 3);
      if (c % 5 == 2 && rng.uniform() < 0.2) v = kNan;
      if (c % 5 == 3) {
        v = static_cast<double>(rng.below(4)) * 1e-3 + 1;
        for (std::uint64_t n = rng.below(5); n > 0; --n) v = std::nextafter(v, 2);
      }
      if (c % 5 == 4 && rng.uniform() < 0.01)
        v = rng.uniform() < 0.5 ? 1e300 : -std::numeric_limits<double>::infinity();
      out.features.values.push_back(v);
    }
  }
  return out;
}

double cell(const train::Matrix& m, std::size_t r, std::size_t c) {
  return m.features.values[r * m.features.columns + c];
}

void label(train::Matrix& m, model::Task task, std::uint64_t seed) {
  base::Rng rng(seed);
  for (std::size_t r = 0; r < m.features.rows; ++r) {
    const double hole = std::isnan(cell(m, r, 2)) ? 1.0 : cell(m, r, 2);
    const double z =
        cell(m, r, 0) + 0.5 * cell(m, r, 1) * hole + 200 * (cell(m, r, 3) - 1) + 0.3 * rng.normal();
    if (task == model::Task::kBinary)
      m.labels.push_back(z > 0.4 ? 1 : 0);
    else if (task == model::Task::kMulticlass)
      m.labels.push_back(z > 1 ? 2 : z > 0 ? 1 : 0);
    else
      m.labels.push_back(1000 + 50 * z);
  }
}

train::Labels labels_for(model::Task task) {
  train::Labels out;
  out.task = task;
  if (task == model::Task::kBinary) out.classes = {"no", "yes"};
  if (task == model::Task::kMulticlass) out.classes = {"a", "b", "c"};
  return out;
}

// The forest as the graph says it: double sums in tree order.
std::vector<double> walk(const train::Forest& forest, const std::vector<double>& row) {
  std::vector<double> out(forest.width, 0.0);
  for (std::size_t t = 0; t < forest.trees.size(); ++t) {
    const train::Tree& tree = forest.trees[t];
    int at = tree.feature.empty() ? ~0 : 0;
    while (at >= 0) {
      const auto n = static_cast<std::size_t>(at);
      at = train::goes_left(tree, n, row[static_cast<std::size_t>(tree.feature[n])])
               ? tree.left[n]
               : tree.right[n];
    }
    out[t % forest.width] += tree.leaf[static_cast<std::size_t>(~at)];
  }
  return out;
}

train::Config tree_config() {
  train::Config config;
  config.learner = "lightgbm";
  config.params.set("num_leaves", 15)
      .set("learning_rate", 0.2)
      .set("min_data_in_leaf", 5)
      .set("rounds", 40);
  return config;
}

// Every threshold, its neighbours, NaN, zeros and infinities in every column.
std::vector<std::vector<double>> hostile_rows(const train::Forest& forest) {
  base::Rng rng(9);
  std::vector<std::vector<double>> values(
      forest.features, {kNan, 0.0, -0.0, 1e308, -1e308, std::numeric_limits<double>::infinity()});
  for (const train::Tree& tree : forest.trees)
    for (std::size_t n = 0; n < tree.feature.size(); ++n) {
      auto& of = values[static_cast<std::size_t>(tree.feature[n])];
      of.push_back(tree.threshold[n]);
      of.push_back(std::nextafter(tree.threshold[n], -INFINITY));
      of.push_back(std::nextafter(tree.threshold[n], INFINITY));
      of.push_back(static_cast<double>(static_cast<float>(tree.threshold[n])));
    }
  std::vector<std::vector<double>> rows(3000);
  // LightGBM reads values within 1e-35 of zero as zero when it predicts (not when it trains); the graph compares them as they are.
  constexpr double kZero = 1.0000000180025095e-35;
  for (auto& row : rows)
    for (const auto& of : values) {
      const double value = of[rng.below(of.size())];
      row.push_back(std::abs(value) <= kZero ? 0.0 : value);
    }
  return rows;
}

void check_exact(model::Task task) {
  train::Matrix rows = random_matrix(1500, 10, 3), valid = random_matrix(400, 10, 4);
  label(rows, task, 5);
  label(valid, task, 6);
  const auto trained = train::fit(tree_config(), labels_for(task), rows, valid, {});
  REQUIRE_MESSAGE(trained.has_value(), trained.error().text());
  const auto forest = train::parse_lightgbm_text(trained->text_model);
  REQUIRE(forest.has_value());
  CHECK(forest->features == 10);
  const auto hostile = hostile_rows(*forest);
  model::FeatureMatrix matrix;
  matrix.rows = hostile.size();
  matrix.columns = 10;
  for (const auto& row : hostile) matrix.values.insert(matrix.values.end(), row.begin(), row.end());
  const auto library = trained->predict(matrix);
  REQUIRE(library.has_value());
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < hostile.size(); ++r) {
    std::vector<double> own = walk(*forest, hostile[r]);
    if (task == model::Task::kBinary) own[0] = 1 / (1 + std::exp(-own[0]));
    if (task == model::Task::kMulticlass) {
      double sum = 0;
      for (double& v : own) sum += v = std::exp(v);
      for (double& v : own) v /= sum;
    }
    for (std::size_t k = 0; k < own.size(); ++k)
      if (std::abs(own[k] - (*library)[r * own.size() + k]) >
          1e-12 * std::max(1.0, std::abs(own[k])))
        ++wrong;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("trees read from the text answer hostile rows as LightGBM does") {
  check_exact(model::Task::kBinary);
  check_exact(model::Task::kMulticlass);
  check_exact(model::Task::kRegression);
}

TEST_CASE("NaN goes where LightGBM sends it, with and without missing values in training") {
  train::Tree tree;
  tree.feature = {0, 0, 0, 0};
  tree.threshold = {-1, 1, 5, 5};
  tree.decision = {0, 0, 8, 10};  // none, none, NaN right, NaN left
  CHECK_FALSE(train::missing_goes_left(tree, 0));
  CHECK(train::missing_goes_left(tree, 1));
  CHECK_FALSE(train::missing_goes_left(tree, 2));
  CHECK(train::missing_goes_left(tree, 3));
  CHECK(train::goes_left(tree, 2, 5.0));
  CHECK_FALSE(train::goes_left(tree, 2, std::nextafter(5.0, 6.0)));
}

TEST_CASE("what the graph cannot say is refused") {
  const std::string head =
      "tree\nnum_tree_per_iteration=1\nmax_feature_idx=0\n\nTree=0\nnum_leaves=2\n";
  const std::string tail =
      "left_child=-1\nright_child=-2\nleaf_value=1 2\nis_linear=0\n\nend of trees\n";
  const std::string split = "split_feature=0\nthreshold=0.5\n";
  CHECK(train::parse_lightgbm_text(head + "num_cat=0\n" + split + "decision_type=2\n" + tail)
            .has_value());
  CHECK(train::parse_lightgbm_text(head + "num_cat=1\n" + split + "decision_type=1\n" + tail)
            .error()
            .code == base::Code::kUnimplemented);
  CHECK(train::parse_lightgbm_text(head + "num_cat=0\n" + split + "decision_type=6\n" + tail)
            .error()
            .code == base::Code::kUnimplemented);
  CHECK_FALSE(train::parse_lightgbm_text(head + "num_cat=0\n" + split + tail).has_value());
  CHECK_FALSE(train::parse_lightgbm_text("").has_value());
}

TEST_CASE("same seed, same bytes: again, and with one or two threads") {
  train::Matrix rows = random_matrix(4000, 10, 30), valid = random_matrix(800, 10, 40);
  label(rows, model::Task::kBinary, 50);
  label(valid, model::Task::kBinary, 60);
  train::Config config = tree_config();
  config.params.set("bagging_fraction", 0.7).set("feature_fraction", 0.6).set("extra_trees", true);
  std::string first;
  for (const std::size_t threads : {2, 2, 1}) {
    train::LearnOptions options;
    options.threads = threads;
    const auto trained = train::fit(config, labels_for(model::Task::kBinary), rows, valid, options);
    REQUIRE(trained.has_value());
    if (first.empty()) first = trained->text_model;
    CHECK(trained->text_model == first);
  }
  train::LearnOptions other;
  other.seed = 2;
  CHECK(train::fit(config, labels_for(model::Task::kBinary), rows, valid, other)->text_model !=
        first);
}
