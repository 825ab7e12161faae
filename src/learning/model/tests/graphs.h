#pragma once
// Tables and graphs for the tests of this room: every input kind, holes everywhere, and a random forest on top.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "maru/base/clock.h"
#include "maru/base/rng.h"
#include "maru/model/model.h"
#include "maru/transform/features.h"

namespace graphs {

using namespace maru;
using data::Column;
using data::ColumnType;
using data::Table;
using transform::Graph;
using transform::Tensor;
using transform::TensorType;

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::int64_t kDayUs = 86'400'000'000;

inline Column column(const char* name, ColumnType type) {
  Column out;
  out.name = name;
  out.type = type;
  return out;
}

inline void put_text(Column& c, const std::string& value) {
  c.valid.push_back(value.empty() ? 0 : 1);
  if (value.empty()) return c.codes.push_back(-1);
  auto at = std::find(c.dictionary.begin(), c.dictionary.end(), value);
  if (at == c.dictionary.end()) at = c.dictionary.insert(c.dictionary.end(), value);
  c.codes.push_back(static_cast<std::int32_t>(at - c.dictionary.begin()));
}

// age (float, holes), visits (integer, holes), member (bool), city and plan (text, holes), signup (timestamp, 1890 to 2050, holes).
inline Table table(std::size_t rows, std::uint64_t seed = 1) {
  static const char* kCities[] = {"서울", "Busan", "Daejeon", "Jeju", "a \"quoted\" one", ""};
  base::Rng rng(seed);
  Column age = column("age", ColumnType::kFloat), visits = column("visits", ColumnType::kInteger),
         member = column("member", ColumnType::kBool), city = column("city", ColumnType::kText),
         plan = column("plan", ColumnType::kText),
         signup = column("signup", ColumnType::kTimestamp);
  for (std::size_t r = 0; r < rows; ++r) {
    const bool hole = rng.below(9) == 0;
    age.valid.push_back(hole ? 0 : 1);
    age.reals.push_back(hole ? kNan : 40 + 12 * rng.normal());
    visits.valid.push_back(rng.below(11) == 0 ? 0 : 1);
    visits.integers.push_back(static_cast<std::int64_t>(rng.below(50)));
    member.integers.push_back(static_cast<std::int64_t>(rng.below(2)));
    put_text(city, kCities[rng.below(6)]);
    put_text(plan, "p" + std::to_string(rng.below(12)));
    signup.valid.push_back(rng.below(13) == 0 ? 0 : 1);
    signup.integers.push_back((static_cast<std::int64_t>(rng.below(160 * 365)) - 80 * 365) *
                                  kDayUs +
                              static_cast<std::int64_t>(rng.below(86'400'000'000ull)));
  }
  Table out;
  out.columns = {age, visits, member, city, plan, signup};
  return out;
}
inline const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = {"age",  "visits", "member",
                                                  "city", "plan",   "signup"};
  return kNames;
}

inline std::vector<double> target(const Table& rows) {
  std::vector<double> out;
  for (std::size_t r = 0; r < rows.rows(); ++r)
    out.push_back(rows.columns[2].number(r) != 0 || rows.columns[3].text(r) == "Jeju" ? 1 : 0);
  return out;
}

inline transform::FeaturePlan plan_of(const Table& rows, transform::Target kind) {
  transform::FitOptions options;
  options.target = kind;
  auto plan = transform::fit_features(rows, names(), target(rows), options);
  REQUIRE(plan);
  return *plan;
}

inline model::Signature signature_of(const transform::FeaturePlan& plan, const Table& rows,
                                     model::Task task = model::Task::kBinary,
                                     std::size_t classes = 2) {
  model::Signature out;
  out.task = task;
  model::set_inputs(plan, rows, out);
  if (task != model::Task::kRegression)
    for (std::size_t k = 0; k < classes; ++k) out.classes.push_back("class " + std::to_string(k));
  out.label = "label";
  return out;
}

inline Tensor reals(std::vector<double> values, std::vector<std::int64_t> shape) {
  Tensor out;
  out.shape = std::move(shape);
  out.reals = std::move(values);
  return out;
}

// Splits at values that the features really have, so that `<=` decides on equality again and again.
struct ForestMaker {
  const model::FeatureMatrix& features;
  base::Rng rng;
  std::int64_t targets = 1;
  std::vector<std::string> modes{"BRANCH_LEQ"};
  std::vector<std::int64_t> tree, node, feature, yes, no, missing, leaf_tree, leaf_node,
      leaf_target;
  std::vector<std::string> mode;
  std::vector<double> value, weight;

  void add_node(std::int64_t t, std::int64_t id, int depth, std::int64_t& next) {
    const bool leaf = depth == 0 || rng.below(8) == 0;
    const std::size_t at = tree.size();
    tree.push_back(t);
    node.push_back(id);
    feature.push_back(0);
    yes.push_back(0);
    no.push_back(0);
    missing.push_back(0);
    value.push_back(0);
    mode.emplace_back("LEAF");
    if (leaf) {
      leaf_tree.push_back(t);
      leaf_node.push_back(id);
      leaf_target.push_back(t % targets);
      weight.push_back(rng.normal() * 0.2);
      return;
    }
    const std::size_t f = rng.below(features.columns);
    double threshold = features.values[rng.below(features.rows) * features.columns + f];
    if (std::isnan(threshold)) threshold = 0.5;
    feature[at] = static_cast<std::int64_t>(f);
    value[at] = threshold;
    mode[at] = modes[rng.below(modes.size())];
    missing[at] = static_cast<std::int64_t>(rng.below(2));
    yes[at] = next++;
    no[at] = next++;
    const std::int64_t left = yes[at], right = no[at];
    add_node(t, left, depth - 1, next);
    add_node(t, right, depth - 1, next);
  }

  void append(Graph& graph, const std::string& input, std::int64_t trees, int depth,
              model::Task task) {
    for (std::int64_t t = 0; t < trees; ++t) {
      std::int64_t next = 1;
      add_node(t, 0, depth, next);
    }
    const auto tensor = [](std::vector<double> v) {
      const auto n = static_cast<std::int64_t>(v.size());
      return reals(std::move(v), {n});
    };
    const std::string raw = graph.fresh("raw"),
                      wide = task == model::Task::kRegression ? "scores" : graph.fresh("wide");
    auto& a = graph.add("TreeEnsembleRegressor", {input}, {raw}, "ai.onnx.ml").attributes;
    a["n_targets"] = targets;
    a["aggregate_function"] = std::string("SUM");
    a["post_transform"] = std::string("NONE");
    a["nodes_treeids"] = tree;
    a["nodes_nodeids"] = node;
    a["nodes_featureids"] = feature;
    a["nodes_modes"] = mode;
    a["nodes_values_as_tensor"] = tensor(value);
    a["nodes_truenodeids"] = yes;
    a["nodes_falsenodeids"] = no;
    a["nodes_missing_value_tracks_true"] = missing;
    std::vector<double> rows;  // of training at each leaf, some of them none
    for (std::size_t i = 0; i < tree.size(); ++i)
      rows.push_back(mode[i] == "LEAF" ? static_cast<double>((i * 37 + 11) % 50) : 0);
    a["nodes_hitrates"] = rows;
    a["target_treeids"] = leaf_tree;
    a["target_nodeids"] = leaf_node;
    a["target_ids"] = leaf_target;
    a["target_weights_as_tensor"] = tensor(weight);
    graph.add("Cast", {raw}, {wide}).attributes["to"] = std::int64_t{11};
    if (task == model::Task::kBinary) graph.add("Sigmoid", {wide}, {"scores"});
    if (task == model::Task::kMulticlass)
      graph.add("Softmax", {wide}, {"scores"}).attributes["axis"] = std::int64_t{-1};
    transform::Port out;
    out.name = "scores";
    out.shape = {-1, targets};
    graph.outputs = {out};
  }
};

struct Model {
  Graph graph;
  model::Signature signature;
  Table rows;
  model::FeatureMatrix features;
};

inline Model tree_model(std::size_t rows, std::int64_t trees, int depth,
                        model::Task task = model::Task::kBinary, std::int64_t targets = 1,
                        std::vector<std::string> modes = {"BRANCH_LEQ"}) {
  Model out;
  out.rows = table(rows);
  const auto plan = plan_of(out.rows, transform::Target::kTrees);
  out.signature = signature_of(plan, out.rows, task,
                               static_cast<std::size_t>(std::max<std::int64_t>(2, targets)));
  auto graph = transform::emit_features(plan);
  REQUIRE(graph);
  out.graph = *graph;
  auto features = model::run_features(out.graph, out.signature, out.rows);
  REQUIRE_MESSAGE(features, (features ? "" : features.error().text()));
  out.features = *features;
  ForestMaker maker{
      out.features, base::Rng(7), targets, std::move(modes), {}, {}, {}, {}, {}, {}, {}, {}, {},
      {},           {},           {}};
  maker.append(out.graph, "features", trees, depth, task);
  return out;
}

inline Model linear_model(std::size_t rows, std::int64_t targets = 1) {
  Model out;
  out.rows = table(rows);
  const auto plan = plan_of(out.rows, transform::Target::kLinear);
  const auto task = targets == 1 ? model::Task::kBinary : model::Task::kMulticlass;
  out.signature = signature_of(plan, out.rows, task,
                               static_cast<std::size_t>(std::max<std::int64_t>(2, targets)));
  auto graph = transform::emit_features(plan);
  REQUIRE(graph);
  out.graph = *graph;
  base::Rng rng(3);
  const auto width = static_cast<std::int64_t>(plan.feature_names.size());
  std::vector<double> weights;
  for (std::int64_t i = 0; i < width * targets; ++i) weights.push_back(rng.normal() * 0.3);
  const std::string product = out.graph.fresh("product"), raw = out.graph.fresh("raw");
  out.graph.add("MatMul",
                {"features", out.graph.constant("weights", reals(weights, {width, targets}))},
                {product});
  out.graph.add(
      "Add",
      {product,
       out.graph.constant(
           "bias", reals(std::vector<double>(static_cast<std::size_t>(targets), 0.1), {targets}))},
      {raw});
  if (targets == 1)
    out.graph.add("Sigmoid", {raw}, {"scores"});
  else
    out.graph.add("Softmax", {raw}, {"scores"}).attributes["axis"] = std::int64_t{-1};
  transform::Port port;
  port.name = "scores";
  port.shape = {-1, targets};
  out.graph.outputs = {port};
  return out;
}

inline std::unique_ptr<model::Evaluator> native(const Model& m) {
  auto out = model::compile_native(m.graph, m.signature);
  REQUIRE_MESSAGE(out, (out ? "" : out.error().text()));
  return std::move(*out);
}
inline std::unique_ptr<model::Evaluator> onnxruntime(const Model& m) {
  auto bytes = model::write_onnx(m.graph, base::Json::object());
  REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().text()));
  auto out = model::load_onnxruntime(*bytes, m.signature);
  REQUIRE_MESSAGE(out, (out ? "" : out.error().text()));
  return std::move(*out);
}
inline model::InputBatch batch_of(const Model& m, const Table& rows) {
  model::InputBatch out;
  const auto filled = model::fill_from_table(m.signature, rows, out);
  REQUIRE_MESSAGE(filled, (filled ? "" : filled.error().text()));
  return out;
}
inline model::Predictions predict(const model::Evaluator& evaluator,
                                  const model::InputBatch& batch) {
  model::Predictions out;
  const auto done = evaluator.predict(batch, out);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
  return out;
}

}  // namespace graphs
