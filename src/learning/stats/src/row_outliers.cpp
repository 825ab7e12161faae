#include <algorithm>
#include <cmath>
#include <limits>

#include "associations.h"
#include "maru/base/rng.h"

namespace maru::stats {
namespace {

constexpr std::size_t kTrees = 64;
constexpr std::size_t kSubsample = 256;  // rows a tree, as in the paper
constexpr std::size_t kSuspects = 2048;  // rows that are scored: the furthest out in some column
constexpr std::size_t kListed = 20;
constexpr double kAlone = 0.6;

double harmonic(double n) { return std::log(n) + 0.5772156649015329; }
// Mean path length of an unsuccessful search in a tree of n rows.
double mean_path(double n) {
  return n <= 1 ? 0 : n == 2 ? 1 : 2 * harmonic(n - 1) - 2 * (n - 1) / n;
}

// Liu, Ting, Zhou, "Isolation forest", 2008: rows that random cuts set apart early are alone.
class Forest {
 public:
  Forest(const std::vector<const std::vector<double>*>& columns, std::size_t rows)
      : columns_(columns), rng_(20081215) {
    std::vector<std::uint32_t> all(rows);
    for (std::size_t i = 0; i < rows; ++i) all[i] = static_cast<std::uint32_t>(i);
    size_ = std::min(kSubsample, rows);
    const auto depth = static_cast<int>(std::ceil(std::log2(static_cast<double>(size_))));
    for (std::size_t t = 0; t < kTrees; ++t) {
      for (std::size_t i = 0; i < size_; ++i)
        std::swap(all[i], all[i + rng_.below(static_cast<std::uint64_t>(rows - i))]);
      std::vector<std::uint32_t> chosen(all.begin(),
                                        all.begin() + static_cast<std::ptrdiff_t>(size_));
      roots_.push_back(grow(chosen, 0, chosen.size(), depth));
    }
  }

  double score(std::size_t row) const {
    double sum = 0;
    for (const auto root : roots_) {
      std::size_t at = root;
      double depth = 0;
      while (nodes_[at].left != 0) {
        const double v = value(nodes_[at].column, row);
        at = v < nodes_[at].cut ? nodes_[at].left : nodes_[at].right;
        ++depth;
      }
      sum += depth + mean_path(nodes_[at].cut);
    }
    return std::pow(2.0, -sum / static_cast<double>(kTrees) /
                             std::max(1e-9, mean_path(static_cast<double>(size_))));
  }

 private:
  struct Node {
    std::uint32_t column = 0;
    std::size_t left = 0, right = 0;
    double cut = 0;  // of a leaf: how many rows it held
  };
  double value(std::uint32_t column, std::size_t row) const { return (*columns_[column])[row]; }

  std::size_t grow(std::vector<std::uint32_t>& rows, std::size_t from, std::size_t to, int depth) {
    const std::size_t at = nodes_.size();
    nodes_.push_back({0, 0, 0, static_cast<double>(to - from)});
    if (depth == 0 || to - from < 2) return at;
    // A column whose rows differ here; a few tries are enough.
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto column = static_cast<std::uint32_t>(rng_.below(columns_.size()));
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (std::size_t i = from; i < to; ++i) {
        low = std::min(low, value(column, rows[i]));
        high = std::max(high, value(column, rows[i]));
      }
      if (!(low < high)) continue;
      const double cut = low + (high - low) * rng_.uniform();
      const auto middle =
          std::partition(rows.begin() + static_cast<std::ptrdiff_t>(from),
                         rows.begin() + static_cast<std::ptrdiff_t>(to),
                         [&](std::uint32_t row) { return value(column, row) < cut; });
      const auto split = static_cast<std::size_t>(middle - rows.begin());
      if (split == from || split == to) continue;
      const std::size_t left = grow(rows, from, split, depth - 1);
      const std::size_t right = grow(rows, split, to, depth - 1);
      nodes_[at] = {column, left, right, cut};
      return at;
    }
    return at;
  }

  const std::vector<const std::vector<double>*>& columns_;
  base::Rng rng_;
  std::size_t size_ = 0;
  std::vector<Node> nodes_{Node{}};  // 0 is nobody's child
  std::vector<std::size_t> roots_;
};

}  // namespace

void find_row_outliers(Profile& profile, const RowSample& sample, const RowOf& row_of) {
  std::vector<std::vector<double>> filled;
  std::vector<const std::vector<double>*> columns;
  std::vector<std::size_t> names;
  std::vector<double> medians, scales;
  const std::size_t rows = sample.rows.size();
  if (rows < 20) return;
  for (std::size_t c = 0; c < profile.columns.size() && columns.size() + filled.size() < 64; ++c) {
    const ColumnProfile& p = profile.columns[c];
    const bool number = p.type == data::ColumnType::kInteger || p.type == data::ColumnType::kFloat;
    if (!number || p.distinct < 3 || p.meaning == "id" || p.meaning == "categorical_code") continue;
    double median = 0;
    for (const auto& [probability, value] : p.quantiles)
      if (probability == 0.5) median = value;
    std::vector<double> values = sample.columns[c].numbers;
    for (double& v : values)
      if (std::isnan(v)) v = median;  // a missing value sets no row apart
    filled.push_back(std::move(values));
    names.push_back(c);
    medians.push_back(median);
    scales.push_back(std::max({1.4826 * p.mad, p.iqr / 1.349, p.std / 10, 1e-300}));
  }
  if (filled.empty()) return;
  for (const auto& values : filled) columns.push_back(&values);
  struct Suspect {
    double away;
    std::size_t row, column;
  };
  std::vector<Suspect> suspects;
  for (std::size_t row = 0; row < rows; ++row) {
    Suspect suspect{0, row, 0};
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const double away = std::fabs((*columns[c])[row] - medians[c]) / scales[c];
      if (away > suspect.away) suspect = {away, row, c};
    }
    suspects.push_back(suspect);
  }
  const std::size_t scored = std::min(kSuspects, suspects.size());
  std::partial_sort(suspects.begin(), suspects.begin() + static_cast<std::ptrdiff_t>(scored),
                    suspects.end(), [](const Suspect& a, const Suspect& b) {
                      return a.away != b.away ? a.away > b.away : a.row < b.row;
                    });
  const Forest forest(columns, rows);
  for (std::size_t i = 0; i < scored; ++i) {
    const double score = forest.score(suspects[i].row);
    if (score >= kAlone)
      profile.outliers.push_back({row_of(sample.rows[suspects[i].row]), score,
                                  profile.columns[names[suspects[i].column]].name});
  }
  std::sort(profile.outliers.begin(), profile.outliers.end(),
            [](const RowOutlier& a, const RowOutlier& b) {
              return a.score != b.score ? a.score > b.score : a.row < b.row;
            });
  if (profile.outliers.size() > kListed) profile.outliers.resize(kListed);
}

}  // namespace maru::stats
