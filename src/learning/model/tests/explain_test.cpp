#include "maru/model/explain.h"

#include <bit>
#include <chrono>
#include <cmath>
#include <map>

#include "graphs.h"

using namespace maru;
using namespace graphs;

namespace {

template <class T>
const T& attribute(const transform::Node& node, const char* name) {
  return std::get<T>(node.attributes.at(name));
}

// The trees of a graph as it has them, and Shapley values by trying every coalition: what a feature outside it would be is
// averaged over the ways that training rows went.
class BruteForce {
 public:
  explicit BruteForce(const Graph& graph) {
    for (const transform::Node& node : graph.nodes)
      if (node.op == "TreeEnsembleRegressor") node_ = &node;
    REQUIRE(node_ != nullptr);
    const auto& trees = ints("nodes_treeids");
    for (std::size_t i = 0; i < trees.size(); ++i) {
      places_[{trees[i], ints("nodes_nodeids")[i]}] = i;
      if (ints("nodes_nodeids")[i] == 0) roots_.push_back(i);
    }
    const auto& leaf_trees = ints("target_treeids");
    for (std::size_t i = 0; i < leaf_trees.size(); ++i)
      leaves_[places_.at({leaf_trees[i], ints("target_nodeids")[i]})] = i;
    cover_.assign(trees.size(), 0);
    for (const std::size_t root : roots_) weigh(root);
  }

  std::vector<double> shapley(const double* x, std::size_t features, std::size_t target) const {
    const std::size_t all = std::size_t{1} << features;
    std::vector<double> value(all);
    for (std::size_t set = 0; set < all; ++set) value[set] = of(x, set, target);
    std::vector<double> factorial(features + 1, 1.0), out(features, 0.0);
    for (std::size_t i = 1; i <= features; ++i)
      factorial[i] = factorial[i - 1] * static_cast<double>(i);
    for (std::size_t set = 0; set < all; ++set) {
      const auto size = static_cast<std::size_t>(std::popcount(set));
      if (size == features) continue;
      const double weight = factorial[size] * factorial[features - size - 1] / factorial[features];
      for (std::size_t f = 0; f < features; ++f)
        if ((set >> f & 1) == 0) out[f] += weight * (value[set | std::size_t{1} << f] - value[set]);
    }
    return out;
  }
  double of(const double* x, std::size_t set, std::size_t target) const {
    double sum = 0;
    for (const std::size_t root : roots_) sum += walk(root, x, set, target);
    return sum;
  }

 private:
  const std::vector<std::int64_t>& ints(const char* name) const {
    return attribute<std::vector<std::int64_t>>(*node_, name);
  }
  std::size_t child(std::size_t at, const char* name) const {
    return places_.at({ints("nodes_treeids")[at], ints(name)[at]});
  }
  bool is_leaf(std::size_t at) const {
    return attribute<std::vector<std::string>>(*node_, "nodes_modes")[at] == "LEAF";
  }
  double weigh(std::size_t at) {
    cover_[at] = attribute<std::vector<double>>(*node_, "nodes_hitrates")[at];
    if (!is_leaf(at))
      cover_[at] = weigh(child(at, "nodes_truenodeids")) + weigh(child(at, "nodes_falsenodeids"));
    return cover_[at];
  }
  double walk(std::size_t at, const double* x, std::size_t set, std::size_t target) const {
    if (is_leaf(at)) {
      const std::size_t leaf = leaves_.at(at);
      return static_cast<std::size_t>(ints("target_ids")[leaf]) == target
                 ? attribute<Tensor>(*node_, "target_weights_as_tensor").reals[leaf]
                 : 0;
    }
    const std::size_t yes = child(at, "nodes_truenodeids"), no = child(at, "nodes_falsenodeids");
    const auto feature = static_cast<std::size_t>(ints("nodes_featureids")[at]);
    if ((set >> feature & 1) != 0) {
      const double v = x[feature],
                   threshold = attribute<Tensor>(*node_, "nodes_values_as_tensor").reals[at];
      const bool left =
          std::isnan(v) ? ints("nodes_missing_value_tracks_true")[at] != 0 : v <= threshold;
      return walk(left ? yes : no, x, set, target);
    }
    const double rows = cover_[yes] + cover_[no];
    return (cover_[yes] * walk(yes, x, set, target) + cover_[no] * walk(no, x, set, target)) / rows;
  }

  const transform::Node* node_ = nullptr;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> places_;
  std::map<std::size_t, std::size_t> leaves_;
  std::vector<std::size_t> roots_;
  std::vector<double> cover_;
};

// By the features' names: "signup hour" is of signup.
std::size_t column_of(const Model& m, const std::string& feature) {
  for (std::size_t c = 0; c < m.signature.inputs.size(); ++c)
    if (feature.rfind(m.signature.inputs[c].name, 0) == 0) return c;
  FAIL("a feature of no column: " << feature);
  return 0;
}

void check_trees(const Model& m, std::size_t rows, std::size_t targets) {
  const BruteForce brute(m.graph);
  const auto batch = batch_of(m, m.rows.slice(0, rows));
  model::Explanation got;
  REQUIRE(native(m)->explain(batch, got));
  CHECK(got.rows == rows);
  CHECK(got.width == targets);
  const std::size_t features = m.features.columns;
  REQUIRE(features <= 16);
  for (std::size_t k = 0; k < targets; ++k) {
    CHECK(got.base[k] == doctest::Approx(brute.of(nullptr, 0, k)).epsilon(1e-6));
    for (std::size_t r = 0; r < rows; ++r) {
      const double* x = m.features.values.data() + r * features;
      std::vector<double> wanted(m.signature.inputs.size(), 0.0);
      const auto by_feature = brute.shapley(x, features, k);
      for (std::size_t f = 0; f < features; ++f)
        wanted[column_of(m, m.features.names[f])] += by_feature[f];
      for (std::size_t c = 0; c < wanted.size(); ++c)
        CHECK(std::fabs(got.of(r, k, c) - wanted[c]) < 1e-7);
      CHECK(std::fabs(got.raw(r, k) - brute.of(x, (std::size_t{1} << features) - 1, k)) < 1e-12);
    }
  }
}

// Every name of `graph` but its inputs' gets the prefix.
Graph prefixed(Graph graph, const std::string& prefix) {
  std::vector<std::string> inputs;
  for (const auto& port : graph.inputs) inputs.push_back(port.name);
  const auto rename = [&](std::string& name) {
    if (std::find(inputs.begin(), inputs.end(), name) == inputs.end()) name = prefix + name;
  };
  std::map<std::string, Tensor> constants;
  for (auto& [name, tensor] : graph.initializers) constants.emplace(prefix + name, tensor);
  graph.initializers = std::move(constants);
  for (auto& node : graph.nodes) {
    for (auto& name : node.inputs) rename(name);
    for (auto& name : node.outputs) rename(name);
  }
  return graph;
}

Model mixed(const Model& a, const Model& b, double share) {
  Model out = a;
  out.graph = prefixed(a.graph, "a/");
  Graph other = prefixed(b.graph, "b/");
  out.graph.nodes.insert(out.graph.nodes.end(), other.nodes.begin(), other.nodes.end());
  out.graph.initializers.merge(other.initializers);
  out.graph.initializers.emplace("share_a", reals({share}, {}));
  out.graph.initializers.emplace("share_b", reals({1 - share}, {}));
  out.graph.add("Mul", {"a/scores", "share_a"}, {"part_a"});
  out.graph.add("Mul", {"b/scores", "share_b"}, {"part_b"});
  out.graph.add("Add", {"part_a", "part_b"}, {"scores"});
  return out;
}

}  // namespace

TEST_CASE("explanations of trees are the Shapley values of every coalition, by column") {
  check_trees(tree_model(40, 12, 4), 6, 1);
  check_trees(tree_model(40, 3, 8, model::Task::kRegression), 6, 1);
  check_trees(tree_model(40, 9, 5, model::Task::kMulticlass, 3), 4, 3);
  check_trees(tree_model(40, 4, 0), 2, 1);  // trees of one leaf
}

TEST_CASE("an explanation adds up to the raw score, whose link is the answer") {
  for (const auto& m : {tree_model(300, 60, 6), linear_model(300)}) {
    const auto evaluator = native(m);
    const auto batch = batch_of(m, m.rows);
    const auto answers = predict(*evaluator, batch);
    model::Explanation got;
    REQUIRE(evaluator->explain(batch, got));
    CHECK(model::scale_name(got.scale) == "log_odds");
    for (std::size_t r = 0; r < got.rows; ++r)
      CHECK(1 / (1 + std::exp(-got.raw(r, 0))) == doctest::Approx(answers.score(r)).epsilon(1e-6));
  }
  const Model m = tree_model(100, 30, 5, model::Task::kRegression);
  const auto evaluator = native(m);
  const auto batch = batch_of(m, m.rows);
  const auto answers = predict(*evaluator, batch);
  model::Explanation got;
  REQUIRE(evaluator->explain(batch, got));
  CHECK(model::scale_name(got.scale) == "value");
  for (std::size_t r = 0; r < got.rows; ++r)
    CHECK(std::fabs(got.raw(r, 0) - answers.score(r)) <=
          1e-6 * std::max(1.0, std::fabs(answers.score(r))));
}

TEST_CASE("explanations of a linear model: weight times the distance from the mean") {
  for (const std::int64_t targets : {1, 3}) {
    const Model m = linear_model(120, targets);
    const auto features = model::run_features(
        [&] {
          Graph graph = m.graph;
          while (graph.nodes.back().outputs.front() != "features") graph.nodes.pop_back();
          transform::Port port;
          port.name = "features";
          port.shape = {-1, static_cast<std::int64_t>(m.graph.output_columns.size())};
          graph.outputs = {port};
          return graph;
        }(),
        m.signature, m.rows);
    REQUIRE_MESSAGE(features, (features ? "" : features.error().text()));
    const auto batch = batch_of(m, m.rows);
    const auto evaluator = model::compile_native(m.graph, m.signature, &batch);
    REQUIRE(evaluator);
    model::Explanation got;
    REQUIRE((*evaluator)->explain(batch, got));
    const std::vector<double>* weights = nullptr;
    for (const auto& [name, tensor] : m.graph.initializers)
      if (name.rfind("weights", 0) == 0) weights = &tensor.reals;
    REQUIRE(weights != nullptr);
    const std::size_t count = features->columns, width = static_cast<std::size_t>(targets);
    std::vector<double> means(count, 0.0);
    for (std::size_t i = 0; i < features->values.size(); ++i)
      means[i % count] += features->values[i] / static_cast<double>(features->rows);
    for (std::size_t k = 0; k < width; ++k) {
      double base = 0.1;
      for (std::size_t f = 0; f < count; ++f) base += means[f] * (*weights)[f * width + k];
      CHECK(got.base[k] == doctest::Approx(base).epsilon(1e-9));
      for (std::size_t r = 0; r < 20; ++r) {
        std::vector<double> wanted(m.signature.inputs.size(), 0.0);
        for (std::size_t f = 0; f < count; ++f)
          wanted[column_of(m, features->names[f])] +=
              (features->values[r * count + f] - means[f]) * (*weights)[f * width + k];
        for (std::size_t c = 0; c < wanted.size(); ++c)
          CHECK(std::fabs(got.of(r, k, c) - wanted[c]) < 1e-9);
      }
    }
  }
}

TEST_CASE("explanations of a mix add up to the mix") {
  const Model trees = tree_model(120, 20, 5), line = linear_model(120);
  const Model m = mixed(trees, line, 0.7);
  const auto batch = batch_of(m, m.rows);
  const auto answers = predict(*native(m), batch);
  model::Explanation got;
  REQUIRE(native(m)->explain(batch, got));
  CHECK(model::scale_name(got.scale) == "probability");
  for (std::size_t r = 0; r < got.rows; ++r)
    CHECK(got.raw(r, 0) == doctest::Approx(answers.score(r)).epsilon(1e-6));

  const Model classes =
      mixed(tree_model(120, 30, 5, model::Task::kMulticlass, 3), linear_model(120, 3), 0.4);
  const auto shares = predict(*native(classes), batch);
  REQUIRE(native(classes)->explain(batch, got));
  CHECK(got.width == 3);
  for (std::size_t r = 0; r < got.rows; ++r) {
    for (std::size_t k = 0; k < 3; ++k)
      CHECK(got.raw(r, k) == doctest::Approx(shares.score(r, k)).epsilon(1e-6));
    for (std::size_t c = 0; c < got.columns; ++c)  // probabilities sum to 1 whatever is known
      CHECK(std::fabs(got.of(r, 0, c) + got.of(r, 1, c) + got.of(r, 2, c)) < 1e-9);
  }

  // On one scale a mix is the weighted sum.
  const Model one = tree_model(60, 8, 4, model::Task::kRegression),
              two = tree_model(60, 5, 6, model::Task::kRegression);
  model::Explanation first, second;
  REQUIRE(native(one)->explain(batch, first));
  REQUIRE(native(two)->explain(batch, second));
  REQUIRE(native(mixed(one, two, 0.25))->explain(batch, got));
  CHECK(model::scale_name(got.scale) == "value");
  for (std::size_t i = 0; i < got.contributions.size(); ++i)
    CHECK(std::fabs(got.contributions[i] - 0.25 * first.contributions[i] -
                    0.75 * second.contributions[i]) < 1e-12);
}

TEST_CASE("what cannot be explained says why") {
  Model m = tree_model(40, 3, 3);
  model::Explanation out;
  const auto batch = batch_of(m, m.rows);
  const auto other = onnxruntime(m)->explain(batch, out);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == base::Code::kUnimplemented);
  for (auto& node : m.graph.nodes) node.attributes.erase("nodes_hitrates");
  const auto plain = native(m)->explain(batch, out);
  REQUIRE_FALSE(plain);
  CHECK(plain.error().code == base::Code::kUnimplemented);
}

TEST_CASE("an explanation of 300 trees is told with its time") {
  const Model m = tree_model(200, 300, 5);
  const auto evaluator = native(m);
  const auto batch = batch_of(m, m.rows);
  model::Explanation got;
  const std::int64_t begin_ns = base::system_clock().monotonic_ns();
  REQUIRE(evaluator->explain(batch, got));
  const double us = static_cast<double>(base::system_clock().monotonic_ns() - begin_ns) / 1e3;
  CHECK(got.contributions.size() == got.rows * got.columns);
  MESSAGE("explanation: " << us / static_cast<double>(got.rows) << " us a row");
}
