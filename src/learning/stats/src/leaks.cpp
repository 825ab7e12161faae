#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "linear_identity.h"
#include "maru/stats/schema.h"

#include "maru/base/number_text.h"

namespace maru::stats {
namespace {

using data::Column;
using data::ColumnType;

// Above these a single column is too good to be an honest predictor: real features of the reference sets stay below 0.91 (AUC) and 0.97 (R²).
constexpr double kSuspectAuc = 0.93;
constexpr double kSuspectR2 = 0.98;
constexpr double kSuspectGain =
    0.95;  // multiclass: share of the errors of guessing that the column removes
constexpr double kExactR2 = 0.9999;
constexpr int kBuckets = 64;
constexpr double kSmoothing = 5;
constexpr std::size_t kMinRows = 50;
constexpr std::size_t kMaxRows = 60'000;  // a sample decides as well; evenly spread over the file

struct Target {
  bool numeric = false;  // regression
  std::size_t classes = 0;
  std::vector<double> values;  // value or class index
};

Target target_of(const Column& label, const std::vector<std::uint32_t>& rows) {
  Target out;
  std::map<double, std::size_t> index;
  const bool text = label.type == ColumnType::kText;
  for (const auto row : rows) {
    const double raw = text ? label.codes[row] : label.number(row);
    out.values.push_back(raw);
    if (index.size() <= 21) index.emplace(raw, index.size());
  }
  out.numeric = !text && index.size() > 20;
  out.classes = index.size();
  if (out.numeric) return out;
  std::size_t next = 0;
  for (auto& [value, number] : index) number = next++;
  if (index.size() <= 21) {
    for (auto& value : out.values) value = static_cast<double>(index[value]);
  }
  return out;
}

// Each row's bucket: a category's code, or the quantile bin of a number; missing has its own.
std::vector<int> buckets_of(const Column& column, const std::vector<std::uint32_t>& rows,
                            int& count) {
  std::vector<int> out(rows.size(), 0);
  if (column.type == ColumnType::kText) {
    count = static_cast<int>(column.dictionary.size()) + 1;
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] = column.codes[rows[i]] + 1;
    return out;
  }
  std::vector<double> sorted;
  for (const auto row : rows) {
    const double value = column.number(row);
    if (!std::isnan(value)) sorted.push_back(value);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges;
  for (int b = 1; b < kBuckets && !sorted.empty(); ++b) {
    const double edge = sorted[sorted.size() * static_cast<std::size_t>(b) / kBuckets];
    if (edges.empty() || edge > edges.back()) edges.push_back(edge);
  }
  count = static_cast<int>(edges.size()) + 2;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double value = column.number(rows[i]);
    out[i] = std::isnan(value)
                 ? 0
                 : 1 + static_cast<int>(std::upper_bound(edges.begin(), edges.end(), value) -
                                        edges.begin());
  }
  return out;
}

double auc_of(const std::vector<double>& scores, const std::vector<double>& labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0, positives = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && scores[order[j]] == scores[order[i]]) ++j;
    const double rank = (static_cast<double>(i + j) + 1) / 2;
    for (std::size_t k = i; k < j; ++k) {
      if (labels[order[k]] < 0.5) continue;
      rank_sum += rank;
      ++positives;
    }
    i = j;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  return positives == 0 || negatives == 0
             ? 0.5
             : (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

// Two-fold out-of-sample mean of the target by bucket.
std::vector<double> out_of_fold(const std::vector<int>& buckets, int count,
                                const std::vector<double>& target) {
  std::vector<double> out(target.size());
  for (std::size_t fold = 0; fold < 2; ++fold) {
    std::vector<double> sum(static_cast<std::size_t>(count), 0),
        n(static_cast<std::size_t>(count), 0);
    double all = 0, rows = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (i % 2 == fold) continue;
      sum[static_cast<std::size_t>(buckets[i])] += target[i];
      ++n[static_cast<std::size_t>(buckets[i])];
      all += target[i];
      ++rows;
    }
    const double prior = rows > 0 ? all / rows : 0;
    for (std::size_t i = fold; i < target.size(); i += 2) {
      const auto b = static_cast<std::size_t>(buckets[i]);
      out[i] = (sum[b] + kSmoothing * prior) / (n[b] + kSmoothing);
    }
  }
  return out;
}

double r2_of(const std::vector<double>& predicted, const std::vector<double>& truth) {
  const double mean =
      std::accumulate(truth.begin(), truth.end(), 0.0) / static_cast<double>(truth.size());
  double left = 0, total = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    left += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
    total += (truth[i] - mean) * (truth[i] - mean);
  }
  return total > 0 ? 1 - left / total : 0;
}

// Out-of-fold majority class by bucket: the share of the guessing errors that it removes.
double gain_of(const std::vector<int>& buckets, int count, const Target& target) {
  double right = 0;
  std::vector<double> totals(target.classes, 0);
  for (const double value : target.values) ++totals[static_cast<std::size_t>(value)];
  for (std::size_t fold = 0; fold < 2; ++fold) {
    std::vector<std::vector<double>> votes(static_cast<std::size_t>(count),
                                           std::vector<double>(target.classes, 0));
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      if (i % 2 != fold)
        ++votes[static_cast<std::size_t>(buckets[i])][static_cast<std::size_t>(target.values[i])];
    }
    for (std::size_t i = fold; i < buckets.size(); i += 2) {
      const auto& row = votes[static_cast<std::size_t>(buckets[i])];
      const auto best =
          static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      right += row[best] > 0 && best == static_cast<std::size_t>(target.values[i]) ? 1 : 0;
    }
  }
  const double n = static_cast<double>(buckets.size()),
               guess = *std::max_element(totals.begin(), totals.end()) / n;
  return guess >= 1 ? 0 : (right / n - guess) / (1 - guess);
}

// Evidence against one column, or a score below its limit.
bool suspicious(const Column& column, const Target& target, const std::vector<std::uint32_t>& rows,
                Leak& leak) {
  int count = 0;
  const std::vector<int> buckets = buckets_of(column, rows, count);
  if (target.numeric) {
    leak.score = r2_of(out_of_fold(buckets, count, target.values), target.values);
    leak.reason = "alone it explains R² " + base::format_fixed(leak.score, 3) +
                  " of the label on rows it has not seen";
    return leak.score >= kSuspectR2;
  }
  if (target.classes == 2) {
    leak.score = auc_of(out_of_fold(buckets, count, target.values), target.values);
    leak.reason =
        "alone it reaches AUC " + base::format_fixed(leak.score, 3) + " on rows it has not seen";
    return leak.score >= kSuspectAuc;
  }
  if (target.classes > 21) return false;
  leak.score = gain_of(buckets, count, target);
  leak.reason = "alone it names the class in " + base::format_fixed(leak.score * 100, 3) +
                " % of what guessing gets wrong";
  return leak.score >= kSuspectGain;
}

std::vector<std::uint32_t> sampled_rows(const Column& label) {
  std::vector<std::uint32_t> out;
  const std::size_t step = std::max<std::size_t>(1, label.rows() / kMaxRows);
  for (std::size_t row = 0; row < label.rows(); row += step) {
    if (label.is_valid(row)) out.push_back(static_cast<std::uint32_t>(row));
  }
  return out;
}

// Columns that only together are the label: the parts of a sum.
void add_identity(const data::Table& table, const std::vector<std::string>& names,
                  const std::vector<std::uint32_t>& rows, const Target& target,
                  std::vector<Leak>& out) {
  const LinearIdentity found = find_linear_identity(table, names, rows, target.values);
  for (const std::string& name : found.columns)
    out.push_back({name,
                   (found.r2 > kExactR2 ? "the label is " : "the label is nearly ") + found.text() +
                       ", R² " + base::format_fixed(found.r2, 3) + " on rows it has not seen",
                   found.r2});
}

}  // namespace

std::vector<Leak> find_leaks(const data::Table& table, const Column& label,
                             const std::vector<std::string>& features,
                             const std::vector<std::string>& allow) {
  std::vector<Leak> out;
  std::vector<std::uint32_t> rows = sampled_rows(label);
  if (rows.size() < kMinRows) return out;
  const Target target = target_of(label, rows);
  if (target.classes < 2) return out;
  std::vector<std::string> alone;  // harmless by themselves
  for (const auto& name : features) {
    if (std::find(allow.begin(), allow.end(), name) != allow.end()) continue;
    const Column* column = table.find(name);
    if (column == nullptr) continue;
    Leak leak;
    leak.column = name;
    if (suspicious(*column, target, rows, leak))
      out.push_back(std::move(leak));
    else
      alone.push_back(name);
  }
  if (target.numeric) add_identity(table, alone, rows, target, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Leak& a, const Leak& b) { return a.score > b.score; });
  return out;
}

}  // namespace maru::stats
