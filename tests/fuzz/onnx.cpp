// Model files of anybody: read or refused; what is read compiles into a plan that runs over rows, or is refused.
#include "../../src/learning/model/src/onnx_io.h"

#include <cstdio>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/model/model.h"

using namespace maru;
using base::Code;
using model::read_onnx;
using transform::Graph;
using transform::Tensor;
using transform::TensorType;

namespace {

Tensor reals(std::vector<double> values, std::vector<std::int64_t> shape) {
  Tensor out;
  out.shape = std::move(shape);
  out.reals = std::move(values);
  return out;
}

// Numbers and a text become features; a tree and a linear part add up to the score.
Graph sample() {
  Graph g;
  g.inputs = {{"age", TensorType::kDouble, {-1, 1}}, {"city", TensorType::kString, {-1, 1}}};
  g.outputs = {{"scores", TensorType::kDouble, {-1, 1}}};
  auto& coder = g.add("LabelEncoder", {"city"}, {"code"}, "ai.onnx.ml");
  coder.attributes["keys_strings"] = std::vector<std::string>{"a", "b"};
  coder.attributes["values_floats"] = std::vector<double>{1, 2};
  coder.attributes["default_float"] = 0.0;
  g.add("Cast", {"code"}, {"wide"}).attributes["to"] = std::int64_t{11};
  g.add("Concat", {"age", "wide"}, {"features"}).attributes["axis"] = std::int64_t{1};
  auto& tree = g.add("TreeEnsembleRegressor", {"features"}, {"raw"}, "ai.onnx.ml");
  const auto ints = [](std::vector<std::int64_t> values) { return values; };
  tree.attributes["n_targets"] = std::int64_t{1};
  tree.attributes["post_transform"] = std::string("NONE");
  tree.attributes["nodes_treeids"] = ints({0, 0, 0});
  tree.attributes["nodes_nodeids"] = ints({0, 1, 2});
  tree.attributes["nodes_featureids"] = ints({1, 0, 0});
  tree.attributes["nodes_modes"] = std::vector<std::string>{"BRANCH_LEQ", "LEAF", "LEAF"};
  tree.attributes["nodes_truenodeids"] = ints({1, 0, 0});
  tree.attributes["nodes_falsenodeids"] = ints({2, 0, 0});
  tree.attributes["nodes_missing_value_tracks_true"] = ints({1, 0, 0});
  tree.attributes["nodes_values_as_tensor"] = reals({0.5, 0, 0}, {3});
  tree.attributes["target_treeids"] = ints({0, 0});
  tree.attributes["target_nodeids"] = ints({1, 2});
  tree.attributes["target_ids"] = ints({0, 0});
  tree.attributes["target_weights_as_tensor"] = reals({-1, 2}, {2});
  g.add("Cast", {"raw"}, {"sum"}).attributes["to"] = std::int64_t{11};
  g.add("MatMul", {"features", g.constant("w", reals({0.1, -0.2}, {2, 1}))}, {"line"});
  g.add("Add", {"sum", "line"}, {"both"});
  g.add("Sigmoid", {"both"}, {"scores"});
  return g;
}

model::Signature signature() {
  model::Signature s;
  s.inputs = {{"age", model::InputKind::kNumber, false, {}},
              {"city", model::InputKind::kText, false, {}}};
  s.classes = {"no", "yes"};
  return s;
}

void expect_refusal(const base::Error& error) {
  MARU_CHECK(error.code == Code::kDataLoss || error.code == Code::kUnimplemented ||
             error.code == Code::kRefused || error.code == Code::kTooLarge ||
             error.code == Code::kInvalidArgument);
}

}  // namespace

void fuzz_one(std::string_view input) {
  static const model::Signature kSignature = signature();
  const auto graph = read_onnx(input);
  if (!graph) return expect_refusal(graph.error());
  const auto evaluator = model::compile_native(*graph, kSignature);
  if (!evaluator) return expect_refusal(evaluator.error());
  model::InputBatch batch;
  batch.reset(kSignature, 3);
  batch.columns[0].numbers = {1, -1e300, batch.columns[0].numbers[2]};
  batch.columns[1].texts = {"a", "", "서울"};
  model::Predictions out;
  const auto predicted = (*evaluator)->predict(batch, out);
  if (!predicted) return expect_refusal(predicted.error());
  MARU_CHECK(out.rows == 3 && out.scores.size() == out.rows * out.width);
}

std::vector<std::string> fuzz_seeds() {
  const auto whole = model::write_onnx(sample(), base::Json::object({{"k", "v"}}));
  MARU_CHECK(whole.has_value());
  Graph small;
  small.inputs = {{"age", TensorType::kDouble, {-1, 1}}};
  small.outputs = {{"scores", TensorType::kDouble, {-1, 1}}};
  small.add("Add", {"age", small.constant("one", reals({1}, {1}))}, {"scores"});
  const auto tiny = model::write_onnx(small, base::Json::object());
  MARU_CHECK(tiny.has_value());
  const auto plan = model::compile_native(sample(), signature());
  if (!plan) std::fprintf(stderr, "%s\n", plan.error().message.c_str());
  MARU_CHECK(plan.has_value());
  return {*whole, *tiny, *tiny, *tiny};
}
