#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "forest_masks.h"
#include "maru/base/result.h"
#include "maru/transform/graph.h"

namespace maru::model {

// A TreeEnsembleRegressor (ai.onnx.ml 3; SUM, no post-transform, double input) made flat. Each feature is first turned into its rank among the
// thresholds used on it, so that a node is 8 bytes and `rank > threshold's rank` decides exactly as `value <= threshold` does. A feature has two
// ranks, which differ for NaN only: one for the nodes that send NaN left, one for those that send it right. Siblings are adjacent, leaves point to
// themselves, and eight trees walk in lock-step without branches. Leaves are summed in double in the order of the trees, as ONNX Runtime does.
// Immutable after compile; thread safe with scratch of its own per thread.
class Forest {
 public:
  static base::Result<Forest> compile(const transform::Node& node, std::size_t features);

  struct Scratch {
    std::vector<std::uint16_t> ranks;
    std::vector<double> leaves;
    ForestMasks::Scratch masks;
  };
  // One row of features -> `targets()` sums, rounded to float as the operator's output is.
  void evaluate(const double* features, double* out, Scratch& scratch) const;

  // Rows that begin `row` doubles apart -> their sums, `out_row` apart: the same bits, many at once where the trees are small.
  void evaluate_rows(const double* features, std::size_t row, std::size_t rows, double* out,
                     std::size_t out_row, Scratch& scratch) const;

  // Shapley values of the features of one row, added to `contributions` [targets][features], so that expected() and they sum to the sums in double. What a feature
  // that is not known means is told by how many training rows went each way (path-dependent TreeSHAP: Lundberg and others, Nature Machine Intelligence 2020,
  // algorithm 2). Exact, in one walk a tree: contributions are summed at the edges (Linear TreeSHAP: Yu and others, NeurIPS 2022) and the weights of
  // coalitions, s!(d-s-1)!/d! = integral of t^s (1-t)^(d-1-s) over [0,1] (Owen 1972), are Gauss-Legendre sums, which are exact for these polynomials.
  struct ExplainScratch {
    std::vector<std::uint16_t> ranks;
    std::vector<double> states;  // by feature
  };
  void explain(const double* features, double* contributions, ExplainScratch& scratch) const;
  const std::string& why_unexplained() const { return why_unexplained_; }  // "": explain() works
  const std::vector<double>& expected() const { return expected_; }        // by target
  std::size_t features() const { return slots_ / 2; }

  std::size_t targets() const { return base_.size(); }
  std::size_t bytes() const;

 private:
  struct Node {
    std::uint16_t slot, rank;  // slot: 2 * feature, + 1 where NaN goes right
    std::uint32_t child;       // the left one; right is the next
  };
  static_assert(sizeof(Node) == 8);
  struct Group {
    std::uint32_t roots[8];
    std::uint32_t depth;
  };
  struct Split;
  struct Builder;

  base::Status lay_out(const Builder& builder);
  void fill_masks(const Builder& builder, const std::vector<std::vector<double>>& thresholds);
  void keep_covers(const Builder& builder);
  void keep_tree_covers(const Builder& builder, std::size_t number, std::size_t from);
  template <int Points>
  struct Explain;
  template <int Points>
  void explain_trees(double* contributions, ExplainScratch& scratch) const;
  void rank_features(const double* features, std::uint16_t* ranks) const;

  std::vector<Node> nodes_;
  std::vector<double> leaf_values_;          // by node
  std::vector<Group> groups_;                // trees of like depth walk together
  std::vector<std::uint32_t> order_;         // position in the groups -> tree
  std::vector<std::uint32_t> tree_targets_;  // by tree
  std::vector<double> base_;                 // by target
  struct Thresholds {
    std::uint32_t feature, from, count;
  };
  std::vector<Thresholds> used_;    // the features that any node asks for
  std::vector<double> thresholds_;  // ascending by feature
  std::size_t slots_ = 0;
  ForestMasks masks_;
  // For explanations: training rows by node, how many points integrate exactly, what the trees give on average.
  std::vector<float> covers_;
  std::size_t points_ = 0;
  std::string why_unexplained_;
  std::vector<double> expected_;
};

}  // namespace maru::model
