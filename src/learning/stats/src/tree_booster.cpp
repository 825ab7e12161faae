#include "tree_booster.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace maru::stats {
namespace {

constexpr int kTrees = 60;
constexpr std::size_t kLeaves = 15;
constexpr double kRate = 0.1;
constexpr double kLeastRows = 20;
constexpr double kLeastHessian = 1e-3;
constexpr std::size_t kBins = 256;

struct Cell {
  double gradient = 0, hessian = 0, rows = 0;
};
using Histogram = std::vector<std::array<Cell, kBins>>;

struct Split {
  double gain = 0;
  int column = -1;
  std::vector<std::uint8_t> goes_left;
};

struct Leaf {
  std::size_t from = 0, upto = 0;  // of the row order
  int node = 0;
  Histogram histogram;
  Cell sum;
  Split best;
};

double worth(const Cell& c) { return c.hessian > 0 ? c.gradient * c.gradient / c.hessian : 0; }

Cell operator-(const Cell& a, const Cell& b) {
  return {a.gradient - b.gradient, a.hessian - b.hessian, a.rows - b.rows};
}
void operator+=(Cell& a, const Cell& b) {
  a.gradient += b.gradient;
  a.hessian += b.hessian;
  a.rows += b.rows;
}

// Learns one tree after the other.
class Grower {
 public:
  Grower(const std::vector<ByteColumn>& columns, const std::vector<std::uint8_t>& labels,
         std::vector<std::uint32_t> rows, double start)
      : columns_(columns),
        labels_(labels),
        rows_(std::move(rows)),
        scores_(labels.size(), start),
        gradients_(labels.size()),
        hessians_(labels.size()) {}

  std::vector<BoostedTrees::Node> grow() {
    for (const std::uint32_t row : rows_) {
      const double p = 1 / (1 + std::exp(-scores_[row]));
      gradients_[row] = static_cast<float>(p - labels_[row]);
      hessians_[row] = static_cast<float>(p * (1 - p));
    }
    std::vector<BoostedTrees::Node> nodes(1);
    std::vector<Leaf> leaves(1);
    leaves[0].upto = rows_.size();
    fill(leaves[0]);
    find_split(leaves[0]);
    while (leaves.size() < kLeaves) {
      const auto best =
          std::max_element(leaves.begin(), leaves.end(),
                           [](const Leaf& a, const Leaf& b) { return a.best.gain < b.best.gain; });
      if (best->best.gain <= 1e-12) break;
      cut(leaves, static_cast<std::size_t>(best - leaves.begin()), nodes);
    }
    for (const Leaf& leaf : leaves) {
      const double value = -kRate * leaf.sum.gradient / (leaf.sum.hessian + 1e-12);
      nodes[static_cast<std::size_t>(leaf.node)].value = value;
      for (std::size_t i = leaf.from; i < leaf.upto; ++i) scores_[rows_[i]] += value;
    }
    return nodes;
  }

 private:
  void fill(Leaf& leaf) const {
    leaf.histogram.assign(columns_.size(), {});
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      auto& cells = leaf.histogram[c];
      const auto& bins = columns_[c].bins;
      for (std::size_t i = leaf.from; i < leaf.upto; ++i) {
        const std::uint32_t row = rows_[i];
        Cell& cell = cells[bins[row]];
        cell.gradient += gradients_[row];
        cell.hessian += hessians_[row];
        cell.rows += 1;
      }
    }
    leaf.sum = {};
    if (!columns_.empty())
      for (const Cell& cell : leaf.histogram[0]) leaf.sum += cell;
  }

  // Bins in the order in which a cut may run through them: numbers ascending, categories by gradient over hessian.
  static std::vector<std::size_t> order_of(const ByteColumn& column,
                                           const std::array<Cell, kBins>& cells) {
    std::vector<std::size_t> order;
    for (std::size_t b = 1; b < column.used; ++b)
      if (!column.category || cells[b].rows >= 10) order.push_back(b);
    if (column.category)
      std::stable_sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
        return cells[x].gradient / (cells[x].hessian + 10) <
               cells[y].gradient / (cells[y].hessian + 10);
      });
    return order;
  }

  void find_split(Leaf& leaf) const {
    leaf.best = {};
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const auto& cells = leaf.histogram[c];
      const std::vector<std::size_t> order = order_of(columns_[c], cells);
      // Missing rows go right, then left.
      for (const bool missing_left : {false, true}) {
        if (missing_left && cells[0].rows == 0) break;
        Cell left = missing_left ? cells[0] : Cell{};
        for (std::size_t i = 0; i < order.size(); ++i) {
          left += cells[order[i]];
          const Cell right = leaf.sum - left;
          if (left.rows < kLeastRows || left.hessian < kLeastHessian) continue;
          if (right.rows < kLeastRows || right.hessian < kLeastHessian) break;
          const double gain = worth(left) + worth(right) - worth(leaf.sum);
          if (gain <= leaf.best.gain) continue;
          leaf.best.gain = gain;
          leaf.best.column = static_cast<int>(c);
          leaf.best.goes_left.assign(kBins, 0);
          leaf.best.goes_left[0] = missing_left ? 1 : 0;
          for (std::size_t j = 0; j <= i; ++j) leaf.best.goes_left[order[j]] = 1;
        }
      }
    }
  }

  void cut(std::vector<Leaf>& leaves, std::size_t at, std::vector<BoostedTrees::Node>& nodes) {
    Leaf left = std::move(leaves[at]), right;
    const Split split = left.best;
    const auto& bins = columns_[static_cast<std::size_t>(split.column)].bins;
    const auto middle =
        std::stable_partition(rows_.begin() + static_cast<std::ptrdiff_t>(left.from),
                              rows_.begin() + static_cast<std::ptrdiff_t>(left.upto),
                              [&](std::uint32_t row) { return split.goes_left[bins[row]] != 0; });
    right.from = static_cast<std::size_t>(middle - rows_.begin());
    right.upto = left.upto;
    left.upto = right.from;
    BoostedTrees::Node& parent = nodes[static_cast<std::size_t>(left.node)];
    parent.column = split.column;
    parent.goes_left = split.goes_left;
    parent.left = static_cast<int>(nodes.size());
    parent.right = parent.left + 1;
    left.node = parent.left;
    right.node = parent.right;
    nodes.resize(nodes.size() + 2);
    // The smaller side is counted, the other is what is left of their parent.
    const Histogram all = std::move(left.histogram);
    Leaf& small = left.upto - left.from < right.upto - right.from ? left : right;
    Leaf& large = &small == &left ? right : left;
    fill(small);
    large.histogram = all;
    for (std::size_t c = 0; c < all.size(); ++c)
      for (std::size_t b = 0; b < columns_[c].used; ++b)
        large.histogram[c][b] = all[c][b] - small.histogram[c][b];
    large.sum = {};
    for (const Cell& cell : large.histogram[0]) large.sum += cell;
    find_split(left);
    find_split(right);
    leaves[at] = std::move(left);
    leaves.push_back(std::move(right));
  }

  const std::vector<ByteColumn>& columns_;
  const std::vector<std::uint8_t>& labels_;
  std::vector<std::uint32_t> rows_;
  std::vector<double> scores_;
  std::vector<float> gradients_, hessians_;
};

}  // namespace

BoostedTrees BoostedTrees::learn(const std::vector<ByteColumn>& columns,
                                 const std::vector<std::uint8_t>& labels,
                                 const std::vector<std::uint32_t>& rows) {
  BoostedTrees out;
  double positive = 0;
  for (const std::uint32_t row : rows) positive += labels[row];
  const double n = static_cast<double>(rows.size());
  if (columns.empty() || positive == 0 || positive == n) return out;
  out.start_ = std::log(positive / (n - positive));
  Grower grower(columns, labels, rows, out.start_);
  for (int t = 0; t < kTrees; ++t) out.trees_.push_back(grower.grow());
  return out;
}

double BoostedTrees::score(const std::vector<ByteColumn>& columns, std::uint32_t row, int swapped,
                           std::uint32_t from) const {
  double sum = start_;
  for (const auto& tree : trees_) {
    std::size_t at = 0;
    while (tree[at].column >= 0) {
      const std::uint32_t source = tree[at].column == swapped ? from : row;
      const std::uint8_t bin = columns[static_cast<std::size_t>(tree[at].column)].bins[source];
      at = static_cast<std::size_t>(tree[at].goes_left[bin] != 0 ? tree[at].left : tree[at].right);
    }
    sum += tree[at].value;
  }
  return sum;
}

double area_under_curve(const std::vector<double>& scores,
                        const std::vector<std::uint8_t>& labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double ranks = 0, positive = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    double here = 0;
    while (j < order.size() && scores[order[j]] == scores[order[i]]) here += labels[order[j++]];
    ranks += here * (static_cast<double>(i + j) + 1) / 2;
    positive += here;
    i = j;
  }
  const double negative = static_cast<double>(scores.size()) - positive;
  return positive > 0 && negative > 0
             ? (ranks - positive * (positive + 1) / 2) / (positive * negative)
             : 0.5;
}

}  // namespace maru::stats
