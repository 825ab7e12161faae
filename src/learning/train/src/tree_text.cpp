#include "tree_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "maru/base/text.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;
using transform::Tensor;
using transform::TensorType;

template <class T>
bool read_numbers(std::string_view text, std::vector<T>& out) {
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    if (*at == ' ') {
      ++at;
      continue;
    }
    T value{};
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    out.push_back(value);
    at = next;
  }
  return true;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool complete(const Tree& tree) {
  const std::size_t splits = tree.feature.size();
  return tree.leaf.size() == splits + 1 && tree.left.size() == splits &&
         tree.right.size() == splits && tree.threshold.size() == splits &&
         tree.decision.size() == splits;
}

base::Status read_field(std::string_view key, std::string_view value, Tree& tree) {
  bool ok = true;
  if (key == "split_feature") ok = read_numbers(value, tree.feature);
  if (key == "threshold") ok = read_numbers(value, tree.threshold);
  if (key == "decision_type") ok = read_numbers(value, tree.decision);
  if (key == "left_child") ok = read_numbers(value, tree.left);
  if (key == "right_child") ok = read_numbers(value, tree.right);
  if (key == "leaf_value") ok = read_numbers(value, tree.leaf);
  if (key == "leaf_count") ok = read_numbers(value, tree.cover);
  if ((key == "num_cat" || key == "is_linear") && value != "0")
    return fail(Code::kUnimplemented, "a tree uses what the graph cannot say: " + std::string(key) +
                                          "=" + std::string(value));
  if (!ok)
    return fail(Code::kInternal, "a number of the tree model cannot be read: " + std::string(key));
  return {};
}

struct Columns {
  std::vector<std::int64_t> tree, node, feature, yes, no, missing_yes, target_tree, target_node,
      target_id;
  std::vector<std::string> mode;
  std::vector<double> value, weight, cover;
};

// What reached each node, splits before leaves; a child stands behind its parent in some files and before it in others.
std::vector<double> covers_of(const Tree& tree) {
  const std::size_t splits = tree.feature.size();
  std::vector<double> out(splits + tree.leaf.size(), 0.0);
  if (tree.cover.size() != tree.leaf.size()) return out;
  std::vector<std::size_t> parent(out.size(), splits);
  for (std::size_t n = 0; n < splits; ++n)
    for (const int child : {tree.left[n], tree.right[n]})
      parent[child >= 0 ? static_cast<std::size_t>(child)
                        : splits + ~static_cast<std::size_t>(child)] = n;
  for (std::size_t k = 0; k < tree.leaf.size(); ++k) {
    std::size_t at = splits + k;
    for (std::size_t steps = 0; steps <= splits; ++steps) {
      out[at] += tree.cover[k];
      if (parent[at] >= splits) break;
      at = parent[at];
    }
  }
  return out;
}

// Splits keep their numbers, leaf k becomes node splits + k.
void append_tree(const Tree& tree, bool less, std::int64_t number, std::int64_t target,
                 Columns& out) {
  const auto splits = static_cast<std::int64_t>(tree.feature.size());
  const auto id = [splits](int child) {
    return child >= 0 ? std::int64_t{child} : splits + ~std::int64_t{child};
  };
  const std::vector<double> covers = covers_of(tree);
  out.cover.insert(out.cover.end(), covers.begin(), covers.end());
  for (std::size_t n = 0; n < tree.feature.size(); ++n) {
    out.tree.push_back(number);
    out.node.push_back(static_cast<std::int64_t>(n));
    out.feature.push_back(tree.feature[n]);
    out.mode.emplace_back(less ? "BRANCH_LT" : "BRANCH_LEQ");
    out.value.push_back(tree.threshold[n]);
    out.yes.push_back(id(tree.left[n]));
    out.no.push_back(id(tree.right[n]));
    out.missing_yes.push_back(missing_goes_left(tree, n) ? 1 : 0);
  }
  for (std::size_t k = 0; k < tree.leaf.size(); ++k) {
    const std::int64_t node = splits + static_cast<std::int64_t>(k);
    out.tree.push_back(number);
    out.node.push_back(node);
    out.feature.push_back(0);
    out.mode.emplace_back("LEAF");
    out.value.push_back(0);
    out.yes.push_back(0);
    out.no.push_back(0);
    out.missing_yes.push_back(0);
    out.target_tree.push_back(number);
    out.target_node.push_back(node);
    out.target_id.push_back(target);
    out.weight.push_back(tree.leaf[k]);
  }
}

Tensor doubles(std::vector<double> values) {
  Tensor tensor;
  tensor.type = TensorType::kDouble;
  tensor.shape = {static_cast<std::int64_t>(values.size())};
  tensor.reals = std::move(values);
  return tensor;
}

}  // namespace

bool goes_left(const Tree& tree, std::size_t node, double value, bool less) {
  if (std::isnan(value)) return missing_goes_left(tree, node);
  return less ? value < tree.threshold[node] : value <= tree.threshold[node];
}

bool missing_goes_left(const Tree& tree, std::size_t node) {
  const int missing_type = (tree.decision[node] >> 2) & 3;
  // Without missing values in training LightGBM reads NaN as 0.
  if (missing_type == 0) return 0.0 <= tree.threshold[node];
  return (tree.decision[node] & 2) != 0;
}

base::Result<Forest> parse_lightgbm_text(std::string_view text) {
  Forest out;
  bool in_tree = false;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line == "end of trees") break;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "Tree") {
      in_tree = true;
      out.trees.emplace_back();
      continue;
    }
    if (in_tree) {
      TRY(read_field(key, value, out.trees.back()));
      continue;
    }
    std::vector<int> number;
    if (key == "num_tree_per_iteration" && read_numbers(value, number) && !number.empty())
      out.width = static_cast<std::size_t>(number[0]);
    if (key == "max_feature_idx" && read_numbers(value, number) && !number.empty())
      out.features = static_cast<std::size_t>(number[0]) + 1;
  }
  if (out.trees.empty()) return fail(Code::kInternal, "the tree model has no trees");
  for (const Tree& tree : out.trees) {
    if (!complete(tree)) return fail(Code::kInternal, "a tree of the model is not complete");
    for (std::size_t n = 0; n < tree.feature.size(); ++n)
      if (((tree.decision[n] >> 2) & 3) == 1)
        return fail(Code::kUnimplemented,
                    "a tree treats zero as missing, which the graph cannot say");
  }
  return out;
}

std::string trees_only(std::string_view text) {
  static constexpr std::string_view kEnd = "end of trees\n";
  const std::size_t at = text.find(kEnd);
  return std::string(at == std::string_view::npos ? text : text.substr(0, at + kEnd.size()));
}

base::Status append_forest(const Forest& forest, model::Task task, transform::Graph& graph,
                           const std::string& features, bool exponential) {
  Columns columns;
  for (std::size_t t = 0; t < forest.trees.size(); ++t)
    append_tree(forest.trees[t], forest.less, static_cast<std::int64_t>(t),
                static_cast<std::int64_t>(forest.target(t)), columns);
  const std::string raw = graph.fresh("raw_score");
  const bool linked = task != model::Task::kRegression || exponential;
  const std::string wide = linked ? graph.fresh("raw_score_double") : "scores";
  {
    transform::Node& node = graph.add("TreeEnsembleRegressor", {features}, {raw}, "ai.onnx.ml");
    auto& a = node.attributes;
    a["n_targets"] = static_cast<std::int64_t>(forest.width);
    a["aggregate_function"] = std::string("SUM");
    a["post_transform"] = std::string("NONE");
    a["nodes_treeids"] = std::move(columns.tree);
    a["nodes_nodeids"] = std::move(columns.node);
    a["nodes_featureids"] = std::move(columns.feature);
    a["nodes_modes"] = std::move(columns.mode);
    if (std::any_of(columns.cover.begin(), columns.cover.end(), [](double c) { return c > 0; }))
      a["nodes_hitrates"] = std::move(columns.cover);
    a["nodes_values_as_tensor"] = doubles(std::move(columns.value));
    a["nodes_truenodeids"] = std::move(columns.yes);
    a["nodes_falsenodeids"] = std::move(columns.no);
    a["nodes_missing_value_tracks_true"] = std::move(columns.missing_yes);
    a["target_treeids"] = std::move(columns.target_tree);
    a["target_nodeids"] = std::move(columns.target_node);
    a["target_ids"] = std::move(columns.target_id);
    a["target_weights_as_tensor"] = doubles(std::move(columns.weight));
  }
  // The operator answers in float32 even with double tensors; everything after it is double.
  graph.add("Cast", {raw}, {wide}).attributes["to"] = std::int64_t{11};
  if (exponential) graph.add("Exp", {wide}, {"scores"});
  if (task == model::Task::kBinary) graph.add("Sigmoid", {wide}, {"scores"});
  if (task == model::Task::kMulticlass)
    graph.add("Softmax", {wide}, {"scores"}).attributes["axis"] = std::int64_t{-1};
  transform::Port port;
  port.name = "scores";
  port.type = TensorType::kDouble;
  port.shape = {-1, static_cast<std::int64_t>(forest.width)};
  graph.outputs = {port};
  return {};
}

}  // namespace maru::train
