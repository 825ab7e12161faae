#include "distribution.h"

#include <algorithm>
#include <cmath>

#include "numbers.h"

namespace maru::stats {
namespace {

constexpr double kEmptyShare = 1e-4;
constexpr std::size_t kDensityBins = 20;

double log2_safe(double x) { return x > 0 ? std::log2(x) : 0; }

std::vector<Bin> equal_bins(const std::vector<double>& sorted) {
  const double low = sorted.front(), high = sorted.back();
  if (low == high) return {{low, high, static_cast<double>(sorted.size())}};
  std::vector<Bin> bins(kDensityBins);
  const double width = (high - low) / static_cast<double>(kDensityBins);
  for (std::size_t i = 0; i < bins.size(); ++i)
    bins[i] = {low + width * static_cast<double>(i), low + width * static_cast<double>(i + 1), 0};
  for (const double value : sorted)
    ++bins[std::min(kDensityBins - 1, static_cast<std::size_t>((value - low) / width))].count;
  return bins;
}

double most_frequent(const std::vector<double>& sorted, const std::vector<Bin>& bins) {
  double best = sorted.front();
  std::size_t best_count = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    const auto end = static_cast<std::size_t>(
        std::upper_bound(sorted.begin() + static_cast<std::ptrdiff_t>(i), sorted.end(), sorted[i]) -
        sorted.begin());
    if (end - i > best_count) {
      best = sorted[i];
      best_count = end - i;
    }
    i = end;
  }
  // Where values hardly repeat, the fullest bin is the mode.
  if (best_count * 100 >= sorted.size()) return best;
  const auto fullest = std::max_element(
      bins.begin(), bins.end(), [](const Bin& x, const Bin& y) { return x.count < y.count; });
  return (fullest->low + fullest->high) / 2;
}

double symmetry_of(double q10, double q50, double q90) {
  return q90 > q10 ? (q90 + q10 - 2 * q50) / (q90 - q10) : 0;
}

// Shares of both in the right-closed bins between the deciles of `a`.
void decile_shares(const Distribution& a, const Distribution& b, std::vector<double>& pa,
                   std::vector<double>& pb) {
  std::vector<double> edges;
  for (int i = 1; i < 10; ++i) {
    const double p = i / 10.0;
    double edge = 0;
    if (a.cumulative.empty()) {
      edge = quantile_sorted(a.values, p);
    } else {
      const auto at =
          std::lower_bound(a.cumulative.begin(), a.cumulative.end(), p) - a.cumulative.begin();
      edge = a.values[std::min(static_cast<std::size_t>(at), a.values.size() - 1)];
    }
    if (edges.empty() || edge > edges.back()) edges.push_back(edge);
  }
  double before_a = 0, before_b = 0;
  for (const double edge : edges) {
    const double ca = a.cdf(edge), cb = b.cdf(edge);
    pa.push_back(ca - before_a);
    pb.push_back(cb - before_b);
    before_a = ca;
    before_b = cb;
  }
  pa.push_back(1 - before_a);
  pb.push_back(1 - before_b);
}

double js_of(const std::vector<double>& pa, const std::vector<double>& pb) {
  double out = 0;
  for (std::size_t i = 0; i < pa.size(); ++i) {
    const double m = (pa[i] + pb[i]) / 2;
    if (m <= 0) continue;
    out += 0.5 * (pa[i] * log2_safe(pa[i] / m) + pb[i] * log2_safe(pb[i] / m));
  }
  return out;
}

double psi_shares(const std::vector<double>& pa, const std::vector<double>& pb) {
  double out = 0;
  for (std::size_t i = 0; i < pa.size(); ++i) {
    const double p = pa[i] > 0 ? pa[i] : kEmptyShare, q = pb[i] > 0 ? pb[i] : kEmptyShare;
    out += (q - p) * std::log(q / p);
  }
  return out;
}

}  // namespace

Distribution Distribution::of(const data::Column& column) {
  Distribution out;
  for (std::size_t row = 0; row < column.rows(); ++row) {
    const double value = column.number(row);
    if (std::isfinite(value)) out.values.push_back(value);
  }
  if (out.values.empty()) return out;
  const Moments moments = moments_of(out.values);
  std::sort(out.values.begin(), out.values.end());
  out.count = moments.count;
  out.mean = moments.mean;
  out.std = std::sqrt(moments.variance);
  out.skewness = moments.g1;
  const double median = quantile_sorted(out.values, 0.5);
  out.symmetry =
      symmetry_of(quantile_sorted(out.values, 0.1), median, quantile_sorted(out.values, 0.9));
  std::vector<double> away;
  away.reserve(out.values.size());
  for (const double value : out.values) away.push_back(std::fabs(value - median));
  const Moments spread = moments_of(away);
  out.spread = spread.mean;
  out.spread_std = std::sqrt(spread.variance);
  out.bins = equal_bins(out.values);
  out.mode = most_frequent(out.values, out.bins);
  return out;
}

Distribution Distribution::of(const ColumnProfile& profile) {
  Distribution out;
  out.count = static_cast<double>(profile.count - profile.missing - profile.infinite);
  out.mean = profile.mean;
  out.std = profile.std;
  out.skewness = profile.skewness;
  out.bins = profile.histogram;
  std::map<double, double> points;  // value -> share at or below
  double q10 = 0, q50 = 0, q90 = 0;
  for (const auto& [probability, value] : profile.quantiles) {
    points[value] = std::max(points[value], probability);
    if (std::fabs(probability - 0.1) < 1e-9) q10 = value;
    if (std::fabs(probability - 0.5) < 1e-9) q50 = value;
    if (std::fabs(probability - 0.9) < 1e-9) q90 = value;
  }
  double below = 0;
  for (const auto& bin : profile.histogram) {
    below += bin.count;
    points[bin.high] = std::max(points[bin.high], out.count > 0 ? below / out.count : 0);
  }
  points.emplace(profile.min, 0.0);
  points[profile.max] = 1;
  double highest = 0;
  for (const auto& [value, share] : points) {
    highest = std::max(highest, share);
    out.values.push_back(value);
    out.cumulative.push_back(highest);
  }
  out.symmetry = symmetry_of(q10, q50, q90);
  if (!profile.histogram.empty()) {
    const auto fullest =
        std::max_element(profile.histogram.begin(), profile.histogram.end(),
                         [](const Bin& x, const Bin& y) { return x.count < y.count; });
    out.mode = (fullest->low + fullest->high) / 2;
  }
  return out;
}

double Distribution::cdf(double x) const {
  const auto at =
      static_cast<std::size_t>(std::upper_bound(values.begin(), values.end(), x) - values.begin());
  if (at == 0) return 0;
  if (cumulative.empty()) return static_cast<double>(at) / static_cast<double>(values.size());
  if (at == values.size()) return 1;
  // Between two known points the share grows evenly.
  const double t = (x - values[at - 1]) / (values[at] - values[at - 1]);
  return cumulative[at - 1] + t * (cumulative[at] - cumulative[at - 1]);
}

double Distribution::cdf_below(double x) const {
  if (!cumulative.empty()) return cdf(x);
  return static_cast<double>(std::lower_bound(values.begin(), values.end(), x) - values.begin()) /
         static_cast<double>(values.size());
}

double Distribution::mean_log_likelihood(const Distribution& other) const {
  if (bins.empty() || count <= 0) return 0;
  double out = 0, before = other.cdf_below(bins.front().low);
  const double cells = static_cast<double>(bins.size()) + 2;
  const auto density = [&](double rows) { return std::log((rows + 0.5) / (count + 0.5 * cells)); };
  out += before * density(0);
  for (const auto& bin : bins) {
    const double upto = other.cdf(bin.high);
    out += std::max(0.0, upto - before) * density(bin.count);
    before = std::max(before, upto);
  }
  return out + std::max(0.0, 1 - before) * density(0);
}

double ks_of(const Distribution& a, const Distribution& b) {
  double out = 0;
  if (a.cumulative.empty() && b.cumulative.empty()) {
    std::size_t i = 0, j = 0;
    while (i < a.values.size() && j < b.values.size()) {
      const double x = std::min(a.values[i], b.values[j]);
      while (i < a.values.size() && a.values[i] <= x) ++i;
      while (j < b.values.size() && b.values[j] <= x) ++j;
      out = std::max(
          out, std::fabs(static_cast<double>(i) / a.count - static_cast<double>(j) / b.count));
    }
    return out;
  }
  // A profile knows its distribution function only at its own points: between them nothing is claimed.
  for (const auto* known : {&a, &b}) {
    if (known->cumulative.empty()) continue;
    for (std::size_t i = 0; i < known->values.size(); ++i)
      out = std::max(out, std::fabs(a.cdf(known->values[i]) - b.cdf(known->values[i])));
  }
  return out;
}

double psi_of(const Distribution& a, const Distribution& b) {
  std::vector<double> pa, pb;
  decile_shares(a, b, pa, pb);
  return psi_shares(pa, pb);
}

double jensen_shannon(const Distribution& a, const Distribution& b) {
  std::vector<double> pa, pb;
  decile_shares(a, b, pa, pb);
  return js_of(pa, pb);
}

double wasserstein_of(const Distribution& a, const Distribution& b) {
  std::vector<double> points;
  std::merge(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
             std::back_inserter(points));
  points.erase(std::unique(points.begin(), points.end()), points.end());
  double out = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i)
    out += std::fabs(a.cdf(points[i]) - b.cdf(points[i])) * (points[i + 1] - points[i]);
  return out;
}

Counts Counts::of(const data::Column& column) {
  Counts out;
  if (column.type == data::ColumnType::kText) {
    std::vector<double> counts(column.dictionary.size(), 0);
    for (const auto code : column.codes) {
      if (code >= 0) ++counts[static_cast<std::size_t>(code)];
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const bool blank = column.dictionary[i].find_first_not_of(" \t") == std::string::npos;
      if (counts[i] > 0 && !blank) out.values[column.dictionary[i]] += counts[i];
    }
  } else {
    for (std::size_t row = 0; row < column.rows(); ++row) {
      if (column.is_valid(row)) ++out.values[column.integers[row] != 0 ? "true" : "false"];
    }
  }
  for (const auto& [value, count] : out.values) out.total += count;
  return out;
}

Counts Counts::of(const ColumnProfile& profile) {
  Counts out;
  for (const auto& value : profile.categories)
    out.values[value.value] = static_cast<double>(value.count);
  for (const auto& [value, count] : out.values) out.total += count;
  out.complete = profile.categories.size() == profile.distinct;
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

double Counts::mode_share() const { return share(mode()); }

double Counts::evenness() const {
  if (values.size() < 2) return 0;
  double entropy = 0;
  for (const auto& [value, count] : values) entropy -= count / total * std::log(count / total);
  return entropy / std::log(static_cast<double>(values.size()));
}

CategoryTest compare_counts(const Counts& a, const Counts& b) {
  CategoryTest out;
  std::map<std::string, std::pair<double, double>> both;
  for (const auto& [value, count] : a.values) both[value].first = count;
  for (const auto& [value, count] : b.values) both[value].second = count;
  std::vector<double> pa, pb;
  double commonest_fresh = 0;
  const double n = a.total + b.total, cells = static_cast<double>(both.size()) + 1;
  for (const auto& [value, counts] : both) {
    const double p = counts.first / a.total, q = counts.second / b.total;
    pa.push_back(p);
    pb.push_back(q);
    out.linf = std::max(out.linf, std::fabs(p - q));
    if (counts.first == 0) {
      out.fresh.push_back(value);
      out.fresh_share += q;
      commonest_fresh = std::max(commonest_fresh, counts.second);
    }
    if (counts.second == 0) out.vanished.push_back(value);
    const double row = counts.first + counts.second, ea = row * a.total / n, eb = row * b.total / n;
    out.chi2 += (counts.first - ea) * (counts.first - ea) / ea +
                (counts.second - eb) * (counts.second - eb) / eb;
    const double smoothed = std::log((counts.first + 0.5) / (a.total + 0.5 * cells));
    out.likelihood_old += p * smoothed;
    out.likelihood_new += q * smoothed;
  }
  // Without drift, each row of a value falls on b's side with chance |b| / (|a| + |b|). Rare values and ids are new all the time.
  if (commonest_fresh > 0)
    out.fresh_p =
        std::min(1.0, std::pow(b.total / n, commonest_fresh) * static_cast<double>(both.size()));
  out.psi = psi_shares(pa, pb);
  out.js = js_of(pa, pb);
  if (both.size() > 1) {
    const double degrees = static_cast<double>(both.size()) - 1;
    out.p = chi_square_p(out.chi2, degrees);
    // Bias-corrected (Bergsma 2013): many rare categories alone raise the plain statistic.
    const double phi = std::max(0.0, out.chi2 / n - degrees / (n - 1));
    out.cramers_v = std::sqrt(phi);
  }
  return out;
}

}  // namespace maru::stats
