#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "forest_builder.h"

namespace maru::model {
namespace {

constexpr std::uint32_t kMaxDepth = 512;  // explain() recurses
constexpr std::size_t kMaxPoints = 64;
constexpr double kMostRows = 1e30;    // fits a float
constexpr double kLeastShare = 1e-9;  // of a tree's rows that a leaf counts as, though none came

// Gauss-Legendre on [0,1]: exact for polynomials of a degree below 2 N. Newton's method from the usual first guess of each root.
template <int N>
struct Quadrature {
  std::array<double, N> at, weight;
  Quadrature() {
    for (std::size_t i = 0; i < N; ++i) {
      double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) /
                          (static_cast<double>(N) + 0.5));
      double slope = 1;
      for (int step = 0; step < 100; ++step) {
        double p = 1, before = 0;
        for (int n = 1; n <= N; ++n) {
          const double next = ((2 * n - 1) * x * p - (n - 1) * before) / n;
          before = p;
          p = next;
        }
        slope = N * (x * p - before) / (x * x - 1);
        const double move = p / slope;
        x -= move;
        if (std::fabs(move) < 1e-16) break;
      }
      at[i] = (1 - x) / 2;
      weight[i] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

template <int N>
const Quadrature<N>& quadrature() {
  static const Quadrature<N> kTable;
  return kTable;
}

}  // namespace

// One row's walk over the trees. At an edge the set of coalitions that include its feature and those that do not differ by `slope`; what lies below is summed
// once. A feature's state on the path: whether the row satisfies all its splits (1 or 0), the share of training rows that do, and for each point t
// of the integral t * satisfied + (1 - t) * share and its inverse.
template <int Points>
struct Forest::Explain {
  using Values = std::array<double, Points>;
  struct State {
    double satisfied, share;
    Values factor, inverse;
  };
  static_assert(sizeof(State) == (2 + 2 * Points) * sizeof(double));

  const Forest& forest;
  const std::uint16_t* ranks;
  const Quadrature<Points>& table;
  State* states;
  double* out;

  void walk(std::uint32_t at, const Values& product, Values& below) {
    const Node node = forest.nodes_[at];
    if (node.child == at) {
      const double value = forest.leaf_values_[at];
      for (int q = 0; q < Points; ++q) below[q] = value * product[q];
      return;
    }
    const std::uint32_t feature = node.slot / 2;
    State& state = states[feature];
    const State before = state;
    const bool right = ranks[node.slot] > node.rank;
    const double left_rows = static_cast<double>(forest.covers_[node.child]);
    const double right_rows = static_cast<double>(forest.covers_[node.child + 1]);
    const double left_share = left_rows / (left_rows + right_rows);
    below.fill(0);
    double total = 0;
    for (std::uint32_t side = 0; side < 2; ++side) {
      state.satisfied = (side == 1) == right ? before.satisfied : 0;
      state.share = before.share * (side == 0 ? left_share : 1 - left_share);
      Values path, sums;
      for (int q = 0; q < Points; ++q) {
        const double t = table.at[q];
        state.factor[q] = t * state.satisfied + (1 - t) * state.share;
        state.inverse[q] = 1 / state.factor[q];
        path[q] = product[q] * (state.factor[q] * before.inverse[q]);
      }
      walk(node.child + side, path, sums);  // leaves the state as it is
      const double slope = state.satisfied - state.share,
                   slope_before = before.satisfied - before.share;
      for (int q = 0; q < Points; ++q) {
        total += table.weight[q] * sums[q] *
                 (slope * state.inverse[q] - slope_before * before.inverse[q]);
        below[q] += sums[q];
      }
    }
    state = before;
    out[feature] += total;
  }
};

template <int Points>
void Forest::explain_trees(double* contributions, ExplainScratch& scratch) const {
  using Walk = Explain<Points>;
  constexpr std::size_t kDoubles = sizeof(typename Walk::State) / sizeof(double);
  const std::size_t count = features();
  scratch.states.assign(count * kDoubles, 1.0);  // satisfied by all: no split yet
  auto* states = reinterpret_cast<typename Walk::State*>(scratch.states.data());
  typename Walk::Values ones, below;
  ones.fill(1);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const std::size_t target = tree_targets_[order_[i]];
    Walk walk{*this, scratch.ranks.data(), quadrature<Points>(), states,
              contributions + target * count};
    walk.walk(groups_[i / 8].roots[i % 8], ones, below);
  }
}

void Forest::explain(const double* features, double* contributions, ExplainScratch& scratch) const {
  if (scratch.ranks.size() < slots_ + 1) scratch.ranks.resize(slots_ + 1);
  rank_features(features, scratch.ranks.data());
  if (points_ <= 4) return explain_trees<4>(contributions, scratch);
  if (points_ <= 8) return explain_trees<8>(contributions, scratch);
  if (points_ <= 16) return explain_trees<16>(contributions, scratch);
  explain_trees<kMaxPoints>(contributions, scratch);
}

namespace {

// How many features the nodes above ask for, at most, on the way to any leaf of a tree. `children`: by node, 0 for leaves; `feature`: by node.
std::size_t most_features(const std::vector<std::uint32_t>& children,
                          const std::vector<std::uint16_t>& feature) {
  std::vector<std::uint32_t> parents(children.size(), 0), distinct(children.size(), 0);
  for (std::uint32_t i = 0; i < children.size(); ++i)
    if (children[i] != 0) parents[children[i]] = parents[children[i] + 1] = i;
  std::uint32_t most = 0;
  for (std::size_t i = 1; i < children.size(); ++i) {
    const std::uint32_t parent = parents[i];
    bool seen = false;
    for (std::uint32_t up = parent; up != 0 && !seen;) {
      up = parents[up];
      seen = feature[up] == feature[parent];
    }
    distinct[i] = distinct[parent] + (seen ? 0 : 1);
    most = std::max(most, distinct[i]);
  }
  return most;
}

}  // namespace

// Called when the nodes are laid out, tree by tree, breadth first.
void Forest::keep_covers(const Builder& builder) {
  expected_ = base_;
  covers_.assign(nodes_.size(), 0.0F);
  std::size_t from = 1;
  for (std::size_t t = 0; t < builder.trees.size() && why_unexplained_.empty(); ++t) {
    if (builder.depths[t] > kMaxDepth)
      why_unexplained_ = "a tree is deeper than 512";
    else
      keep_tree_covers(builder, t, from);
    from += builder.trees[t].size();
  }
  if (points_ > kMaxPoints) why_unexplained_ = "a path of a tree asks for more than 128 features";
  if (why_unexplained_.empty()) return;
  covers_.clear();
  covers_.shrink_to_fit();
}

void Forest::keep_tree_covers(const Builder& builder, std::size_t number, std::size_t from) {
  const std::vector<std::size_t>& tree = builder.trees[number];
  double rows = 0;
  for (const std::size_t at : tree) {
    const double cover = builder.splits[at].cover;
    rows += cover >= 0 ? cover : std::numeric_limits<double>::quiet_NaN();
  }
  if (tree.size() > 1 && !(rows > 0 && rows < kMostRows)) {
    why_unexplained_ = "its trees do not tell how many training rows reached each leaf";
    return;
  }
  std::vector<double> means(tree.size());
  std::vector<std::uint32_t> children(tree.size(), 0);
  std::vector<std::uint16_t> feature(tree.size(), 0);
  for (std::size_t i = tree.size(); i-- > 0;) {
    const std::size_t at = from + i;
    const Node& node = nodes_[at];
    if (node.child == at) {
      covers_[at] = static_cast<float>(std::max(builder.splits[tree[i]].cover, rows * kLeastShare));
      means[i] = leaf_values_[at];
      continue;
    }
    const double left = static_cast<double>(covers_[node.child]),
                 right = static_cast<double>(covers_[node.child + 1]),
                 share = left / (left + right);
    children[i] = static_cast<std::uint32_t>(node.child - from);
    feature[i] = static_cast<std::uint16_t>(node.slot / 2);
    covers_[at] = static_cast<float>(left + right);
    means[i] = share * means[children[i]] + (1 - share) * means[children[i] + 1];
  }
  expected_[tree_targets_[number]] += means.front();
  points_ = std::max(points_, (most_features(children, feature) + 1) / 2);
}

}  // namespace maru::model
