#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "culprits.h"
#include "distribution.h"
#include "maru/stats/measures.h"
#include "slices.h"
#include "tree_booster.h"

namespace maru::stats {
namespace {

using base::Json;
using data::Column;
using data::ColumnType;

constexpr std::size_t kFolds = 5;
constexpr std::size_t kMostCategories = 200;
constexpr std::size_t kNumberBins = 254;
constexpr std::size_t kLeastPresent = 20;
constexpr std::size_t kDiscrepancyRows = 150;  // a side
constexpr int kPermutations = 200;
constexpr double kVisibleArea = 0.02;
constexpr double kDeviations =
    4.5;  // of Mann and Whitney's U under chance; folds that are not of one model add a little

std::uint64_t mixed(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

struct Joined {
  const data::Table &before, &after;
  std::vector<std::uint32_t> old_rows, new_rows;
  std::size_t rows() const { return old_rows.size() + new_rows.size(); }
};

template <class Take>
void each_cell(const Joined& j, const Column& a, const Column& b, const Take& take) {
  for (const std::uint32_t r : j.old_rows) take(a, r);
  for (const std::uint32_t r : j.new_rows) take(b, r);
}

bool code_text(const Joined& j, const Column& a, const Column& b, ByteColumn& out) {
  std::unordered_map<std::string_view, std::uint8_t> codes;
  bool fits = true;
  out.category = true;
  each_cell(j, a, b, [&](const Column& column, std::uint32_t r) {
    const std::string_view text = column.type == ColumnType::kBool
                                      ? (column.integers[r] != 0 ? "true" : "false")
                                      : column.text(r);
    if (!fits || !column.is_valid(r) || text.find_first_not_of(" \t") == std::string_view::npos) {
      out.bins.push_back(0);
      return;
    }
    const auto [at, fresh] = codes.emplace(text, static_cast<std::uint8_t>(codes.size() + 1));
    fits = codes.size() <= kMostCategories;
    out.bins.push_back(at->second);
  });
  out.used = codes.size() + 1;
  return fits && codes.size() > 1;
}

bool code_numbers(const Joined& j, const Column& a, const Column& b, ByteColumn& out) {
  std::vector<double> values;
  each_cell(j, a, b, [&](const Column& column, std::uint32_t r) {
    const double v = column.number(r);
    if (std::isfinite(v)) values.push_back(v);
  });
  if (values.size() < kLeastPresent) return false;
  std::sort(values.begin(), values.end());
  std::vector<double> distinct = values, edges;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() < 2) return false;
  if (distinct.size() <= std::clamp<std::size_t>(values.size() / 20, 16, kNumberBins)) {
    for (std::size_t i = 1; i < distinct.size(); ++i)
      edges.push_back((distinct[i - 1] + distinct[i]) / 2);
  } else {
    const std::size_t bins = std::clamp<std::size_t>(values.size() / 20, 16, kNumberBins);
    for (std::size_t i = 1; i < bins; ++i) {
      const double edge = values[i * (values.size() - 1) / bins];
      if (edges.empty() || edge > edges.back()) edges.push_back(edge);
    }
  }
  each_cell(j, a, b, [&](const Column& column, std::uint32_t r) {
    const double v = column.number(r);
    out.bins.push_back(std::isfinite(v) ? static_cast<std::uint8_t>(
                                              1 + (std::lower_bound(edges.begin(), edges.end(), v) -
                                                   edges.begin()))
                                        : std::uint8_t{0});
  });
  out.used = edges.size() + 2;
  return true;
}

// Rows that are alike share a fold: else a row that is there twice would be learnt by heart.
std::vector<std::uint8_t> folds_of(const std::vector<ByteColumn>& columns, std::size_t rows) {
  std::vector<std::uint8_t> out(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    std::uint64_t hash = 0;
    for (const ByteColumn& column : columns) hash = mixed(hash ^ column.bins[r]);
    out[r] = static_cast<std::uint8_t>(hash % kFolds);
  }
  return out;
}

// AUC lost on the first fold's test rows when one column's cells are dealt anew.
Json importances_of(const BoostedTrees& model, const std::vector<ByteColumn>& columns,
                    const std::vector<std::string>& names, const std::vector<std::uint32_t>& rows,
                    const std::vector<std::uint8_t>& labels) {
  std::vector<std::uint8_t> truth;
  std::vector<double> plain;
  std::vector<std::uint32_t> dealt = rows;
  for (const std::uint32_t r : rows) {
    truth.push_back(labels[r]);
    plain.push_back(model.score(columns, r));
  }
  std::sort(dealt.begin(), dealt.end(),
            [](std::uint32_t a, std::uint32_t b) { return mixed(a) < mixed(b); });
  const double whole = area_under_curve(plain, truth);
  std::vector<std::pair<double, std::string>> found;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    std::vector<double> scores;
    for (std::size_t i = 0; i < rows.size(); ++i)
      scores.push_back(model.score(columns, rows[i], static_cast<int>(c), dealt[i]));
    found.emplace_back(whole - area_under_curve(scores, truth), names[c]);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  Json out = Json::array();
  for (const auto& [lost, name] : found)
    if (out.size() < 5 && lost > 0) out.push(Json::object({{"column", name}, {"auc_lost", lost}}));
  return out;
}

Discrepancy discrepancy_of(const Joined& all) {
  Joined j{all.before, all.after, drawn_rows(all.before.rows(), kDiscrepancyRows),
           drawn_rows(all.after.rows(), kDiscrepancyRows)};
  std::vector<std::vector<double>> rows(j.rows());
  for (const Column& a : all.before.columns) {
    const Column* b = all.after.find(a.name);
    if (b == nullptr || (a.type != ColumnType::kInteger && a.type != ColumnType::kFloat) ||
        (b->type != ColumnType::kInteger && b->type != ColumnType::kFloat))
      continue;
    double n = 0, mean = 0, squares = 0;
    for (const std::uint32_t r : j.old_rows) {
      const double v = a.number(r);
      if (!std::isfinite(v)) continue;
      const double delta = v - mean;
      mean += delta / ++n;
      squares += delta * (v - mean);
    }
    if (n < 2 || squares <= 0) continue;
    const double deviation = std::sqrt(squares / n);
    std::size_t at = 0;
    each_cell(j, a, *b, [&](const Column& column, std::uint32_t r) {
      const double v = column.number(r);
      rows[at++].push_back(std::isfinite(v) ? (v - mean) / deviation : 0);
    });
  }
  if (rows.empty() || rows.front().empty()) return {};
  return mmd(rows, j.old_rows.size(), kPermutations, 7);
}

}  // namespace

Discrepancy mmd(const std::vector<std::vector<double>>& rows, std::size_t n, int permutations,
                std::uint64_t seed) {
  Discrepancy out;
  const std::size_t all = rows.size(), m = all - n;
  if (n < 2 || m < 2) return out;
  std::vector<double> kernel(all * all, 0.0), distances;
  for (std::size_t i = 0; i < all; ++i)
    for (std::size_t j = i + 1; j < all; ++j) {
      double sum = 0;
      for (std::size_t d = 0; d < rows[i].size(); ++d)
        sum += (rows[i][d] - rows[j][d]) * (rows[i][d] - rows[j][d]);
      kernel[i * all + j] = sum;
      distances.push_back(sum);
    }
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  const double scale = *middle > 0 ? *middle : 1;
  for (std::size_t i = 0; i < all; ++i)
    for (std::size_t j = i + 1; j < all; ++j)
      kernel[i * all + j] = kernel[j * all + i] = std::exp(-kernel[i * all + j] / scale);
  std::vector<std::size_t> order(all);
  for (std::size_t i = 0; i < all; ++i) order[i] = i;
  const auto statistic = [&] {
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < all; ++i)
      for (std::size_t j = i + 1; j < all; ++j) {
        const double k = kernel[order[i] * all + order[j]];
        (j < n ? xx : i >= n ? yy : xy) += k;
      }
    const auto a = static_cast<double>(n), b = static_cast<double>(m);
    return 2 * xx / (a * (a - 1)) + 2 * yy / (b * (b - 1)) - 2 * xy / (a * b);
  };
  out.mmd2 = statistic();
  int reached = 1;
  std::uint64_t state = seed;
  for (int p = 0; p < permutations; ++p) {
    for (std::size_t i = all - 1; i > 0; --i)
      std::swap(order[i], order[(state = mixed(state)) % (i + 1)]);
    if (statistic() >= out.mmd2) ++reached;
  }
  out.p = static_cast<double>(reached) / (permutations + 1);
  return out;
}

Json compare_together(const data::Table& reference, const data::Table& current,
                      const DriftOptions& options) {
  if (reference.rows() < options.min_rows || current.rows() < options.min_rows) return {};
  const Joined j{reference, current, drawn_rows(reference.rows(), options.classifier_rows),
                 drawn_rows(current.rows(), options.classifier_rows)};
  std::vector<ByteColumn> columns;
  std::vector<std::string> names;
  for (const Column& a : reference.columns) {
    const Column* b = current.find(a.name);
    const bool text = a.type == ColumnType::kText || a.type == ColumnType::kBool;
    // A time tells old from new by itself; a changed type is told elsewhere.
    if (b == nullptr || a.type == ColumnType::kTimestamp || b->type == ColumnType::kTimestamp ||
        text != (b->type == ColumnType::kText || b->type == ColumnType::kBool))
      continue;
    ByteColumn column;
    if (!(text ? code_text(j, a, *b, column) : code_numbers(j, a, *b, column))) continue;
    columns.push_back(std::move(column));
    names.push_back(a.name);
  }
  if (columns.empty()) return {};
  std::vector<std::uint8_t> labels(j.rows(), 0);
  std::fill(labels.begin() + static_cast<std::ptrdiff_t>(j.old_rows.size()), labels.end(),
            std::uint8_t{1});
  const std::vector<std::uint8_t> folds = folds_of(columns, j.rows());
  std::vector<double> scores(j.rows(), 0);
  Json importances = Json::array();
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<std::uint32_t> learn, test;
    for (std::uint32_t r = 0; r < j.rows(); ++r) (folds[r] == fold ? test : learn).push_back(r);
    const BoostedTrees model = BoostedTrees::learn(columns, labels, learn);
    for (const std::uint32_t r : test) scores[r] = model.score(columns, r);
    if (fold == 0) importances = importances_of(model, columns, names, test, labels);
  }
  const double auc = area_under_curve(scores, labels);
  const auto n = static_cast<double>(j.old_rows.size()), m = static_cast<double>(j.new_rows.size());
  const double limit =
      0.5 + std::max(kVisibleArea, kDeviations * std::sqrt((n + m + 1) / (12 * n * m)));
  const Discrepancy gap = discrepancy_of(j);
  return Json::object({{"auc", auc},
                       {"limit", limit},
                       {"drift", auc > limit},
                       {"importances", importances},
                       {"mmd2", gap.mmd2},
                       {"mmd_p", gap.p}});
}

}  // namespace maru::stats
