#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"
#include "maru/model/model.h"
#include "maru/transform/graph.h"

namespace maru::train {

// One tree as LightGBM's text model has it. A child c >= 0 is a split, c < 0 is leaf ~c.
struct Tree {
  std::vector<int> feature, left, right;
  std::vector<double> threshold;
  std::vector<int>
      decision;  // bit 0 categorical, bit 1 default left, bits 2-3 missing type (0 none, 1 zero, 2 NaN)
  std::vector<double> leaf;
  std::vector<double> cover;  // of each leaf: training rows (XGBoost: hessians); empty: not told
};

struct Forest {
  std::size_t width = 1;
  std::size_t features = 0;
  std::vector<Tree> trees;
  std::vector<std::size_t> targets;  // by tree; empty: tree i adds to output i % width
  bool less = false;                 // splits ask value < threshold (XGBoost), not <=
  std::size_t target(std::size_t tree) const {
    return targets.empty() ? tree % width : targets[tree];
  }
};

// Numbers in the text have 17 digits, so thresholds and leaves come back bit for bit. kUnimplemented for categorical splits and linear trees.
base::Result<Forest> parse_lightgbm_text(std::string_view text);
// Only the trees: without the parameters (they name the thread count) and what follows.
std::string trees_only(std::string_view text);

// Where `value` goes at one split: the rule of LightGBM's NumericalDecision.
bool goes_left(const Tree& tree, std::size_t node, double value, bool less = false);
// Whether NaN goes left there, as the graph must say it.
bool missing_goes_left(const Tree& tree, std::size_t node);

// Appends TreeEnsembleRegressor (ai.onnx.ml 3, double tensors; covers as its hit rates, which explanations need), Cast to double and the link function (of a regression none, or the exponential); writes `scores`.
base::Status append_forest(const Forest& forest, model::Task task, transform::Graph& graph,
                           const std::string& features, bool exponential = false);

}  // namespace maru::train
