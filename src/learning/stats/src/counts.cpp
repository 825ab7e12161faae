#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "distribution.h"
#include "maru/base/json.h"
#include "numbers.h"

namespace maru::stats {
namespace {

constexpr std::size_t kMostValues = 100'000;  // of a column whose values are compared one by one
constexpr std::size_t kMostNumbers = 1000;    // of a number column, that are counted one by one
constexpr double kLeastExpected = 5;

bool blank(const std::string& text) { return text.find_first_not_of(" \t") == std::string::npos; }

std::vector<std::string> by_count(const std::vector<std::pair<double, std::string>>& found) {
  std::vector<std::pair<double, std::string>> order = found;
  std::sort(order.begin(), order.end(), [](const auto& x, const auto& y) {
    return x.first != y.first ? x.first > y.first : x.second < y.second;
  });
  std::vector<std::string> out;
  for (auto& [count, value] : order) out.push_back(std::move(value));
  return out;
}

// Pearson's test on the cells that are large enough, the others as one.
void pooled_test(const std::vector<double>& p, const std::vector<double>& q, double n, double m,
                 CategoryTest& out) {
  std::vector<double> a, b;
  double rare_a = 0, rare_b = 0;
  const double least = std::min(n, m) / (n + m);
  for (std::size_t i = 0; i < p.size(); ++i) {
    if ((p[i] + q[i]) * least >= kLeastExpected) {
      a.push_back(p[i]);
      b.push_back(q[i]);
    } else {
      rare_a += p[i];
      rare_b += q[i];
    }
  }
  if ((rare_a + rare_b) * least >= kLeastExpected) {
    a.push_back(rare_a);
    b.push_back(rare_b);
  }
  const BinMeasures test = bin_measures(a, b);
  if (test.chi2_dof < 1) return;
  out.pooled_p = test.chi2_p;
  out.pooled_dof = test.chi2_dof;
  out.pooled_v = std::sqrt(std::max(0.0, test.chi2 / (n + m) - test.chi2_dof / (n + m - 1)));
}

}  // namespace

Counts Counts::of(const data::Column& column) {
  Counts out;
  if (column.type == data::ColumnType::kText) {
    std::vector<double> counts(column.dictionary.size(), 0);
    for (const auto code : column.codes)
      if (code >= 0) ++counts[static_cast<std::size_t>(code)];
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0 || blank(column.dictionary[i])) continue;
      ++out.distinct;
      out.total += counts[i];
    }
    out.complete = out.distinct <= static_cast<double>(kMostValues);
    for (std::size_t i = 0; out.complete && i < counts.size(); ++i)
      if (counts[i] > 0 && !blank(column.dictionary[i]))
        out.values[column.dictionary[i]] += counts[i];
    return out;
  }
  if (column.type != data::ColumnType::kBool) {
    const Sample sample = Sample::of(column);
    out.total = sample.count;
    out.distinct = static_cast<double>(sample.values.size());
    out.complete = sample.values.size() <= kMostNumbers;
    for (std::size_t i = 0; out.complete && i < sample.values.size(); ++i)
      out.values[column.type == data::ColumnType::kInteger
                     ? std::to_string(static_cast<std::int64_t>(sample.values[i]))
                     : base::format_double(sample.values[i])] = sample.weights[i];
    return out;
  }
  double yes = 0;
  for (std::size_t row = 0; row < column.rows(); ++row) {
    if (!column.is_valid(row)) continue;
    ++out.total;
    yes += column.integers[row] != 0 ? 1 : 0;
  }
  if (yes > 0) out.values["true"] = yes;
  if (out.total > yes) out.values["false"] = out.total - yes;
  out.distinct = static_cast<double>(out.values.size());
  return out;
}

Counts Counts::of(const ColumnProfile& profile) {
  Counts out;
  for (const auto& value : profile.categories) {
    out.values[value.value] = static_cast<double>(value.count);
    out.total += static_cast<double>(value.count);
  }
  out.distinct = static_cast<double>(profile.distinct);
  out.complete = profile.categories.size() == profile.distinct;
  if (!out.complete) out.total = static_cast<double>(profile.count - profile.missing);
  return out;
}

std::string Counts::mode() const {
  const auto best =
      std::max_element(values.begin(), values.end(),
                       [](const auto& x, const auto& y) { return x.second < y.second; });
  return best == values.end() ? std::string() : best->first;
}

double Counts::share(const std::string& value) const {
  const auto found = values.find(value);
  return found == values.end() || total <= 0 ? 0 : found->second / total;
}

double Counts::evenness() const {
  if (values.size() < 2) return 0;
  double entropy = 0;
  for (const auto& [value, count] : values) entropy -= count / total * std::log(count / total);
  return entropy / std::log(static_cast<double>(values.size()));
}

CategoryTest compare_counts(const Counts& a, const Counts& b) {
  CategoryTest out;
  std::vector<double> p, q;
  std::vector<std::pair<double, std::string>> fresh, vanished;
  const double n = a.total, m = b.total;
  const auto take = [&](const std::string& value, double before, double after) {
    p.push_back(before);
    q.push_back(after);
    if (before == 0) {
      fresh.emplace_back(after, value);
      out.fresh_share += after / m;
    }
    if (after == 0) vanished.emplace_back(before, value);
  };
  for (auto i = a.values.begin(), j = b.values.begin();
       i != a.values.end() || j != b.values.end();) {
    const bool left = j == b.values.end() || (i != a.values.end() && i->first < j->first);
    const bool right = i == a.values.end() || (j != b.values.end() && j->first < i->first);
    take(right ? j->first : i->first, right ? 0 : i->second, left ? 0 : j->second);
    if (!right) ++i;
    if (!left) ++j;
  }
  out.measures = bin_measures(p, q);
  pooled_test(p, q, n, m, out);
  const double cells = static_cast<double>(p.size()) + 1;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double smoothed = std::log((p[i] + 0.5) / (n + 0.5 * cells));
    out.likelihood_old += p[i] / n * smoothed;
    out.likelihood_new += q[i] / m * smoothed;
  }
  out.fresh = by_count(fresh);
  out.vanished = by_count(vanished);
  // Without drift, each row of a value falls on b's side with chance m / (n + m). Rare values and ids are new all the time.
  if (!out.fresh.empty())
    out.fresh_p = std::min(
        1.0, std::pow(m / (n + m), b.share(out.fresh.front()) * m) * static_cast<double>(p.size()));
  return out;
}

}  // namespace maru::stats
