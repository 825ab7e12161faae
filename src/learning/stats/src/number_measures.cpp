#include <algorithm>
#include <array>
#include <cmath>

#include "maru/stats/measures.h"
#include "numbers.h"

namespace maru::stats {
namespace {

constexpr std::size_t kDensityBins = 50;
constexpr double kPi = 3.14159265358979323846;

// What one sweep over the merged distinct values collects.
struct Sweep {
  double ks = 0;
  long double wasserstein = 0, energy = 0, rank_sum = 0, ties = 0, anderson_n = 0, anderson_m = 0,
              mises_n = 0, mises_m = 0;
};

// Sum of (rank - index)^2 over `rows` tied rows whose midrank is `rank` and whose indices follow `before`.
long double index_gap(long double rank, double before, double rows) {
  const long double centre = before + (rows + 1) / 2.0L, w = rows;
  return w * (rank - centre) * (rank - centre) + w * (w * w - 1) / 12;
}

Sweep sweep(const Sample& a, const Sample& b) {
  Sweep out;
  const double n = a.count, m = b.count, total = n + m;
  double below_a = 0, below_b = 0, last = 0;
  std::size_t i = 0, j = 0;
  while (i < a.values.size() || j < b.values.size()) {
    const double z = j == b.values.size()   ? a.values[i]
                     : i == a.values.size() ? b.values[j]
                                            : std::min(a.values[i], b.values[j]);
    if (below_a + below_b > 0) {
      const double gap = std::fabs(below_a / n - below_b / m);
      out.ks = std::max(out.ks, gap);
      out.wasserstein += static_cast<long double>(gap) * (z - last);
      out.energy += static_cast<long double>(gap) * gap * (z - last);
    }
    const double wa = i < a.values.size() && a.values[i] == z ? a.weights[i++] : 0;
    const double wb = j < b.values.size() && b.values[j] == z ? b.weights[j++] : 0;
    const double before = below_a + below_b, here = wa + wb;
    const long double rank = before + (here + 1) / 2.0L;
    out.rank_sum += wa * rank;
    out.ties += static_cast<long double>(here) * here * here - here;
    if (wa > 0) out.mises_n += index_gap(rank, below_a, wa);
    if (wb > 0) out.mises_m += index_gap(rank, below_b, wb);
    const double centre = before + here / 2, scale = centre * (total - centre) - total * here / 4;
    if (scale > 0) {
      const double da = total * (below_a + wa / 2) - centre * n,
                   db = total * (below_b + wb / 2) - centre * m;
      out.anderson_n += static_cast<long double>(here / total) * da * da / scale;
      out.anderson_m += static_cast<long double>(here / total) * db * db / scale;
    }
    below_a += wa;
    below_b += wb;
    last = z;
  }
  return out;
}

// sum_{i=1}^{n-1} 1/i and Scholz and Stephens' g; above a million rows by their limits (error below 1e-6).
void harmonic(double n, double& h, double& g) {
  constexpr double kMostTerms = 1e6;
  if (n > kMostTerms) {
    h = std::log(n - 1) + 0.57721566490153286 + 0.5 / (n - 1);
    g = kPi * kPi / 6 - (std::log(n) + 1) / n;
    return;
  }
  double sum = 0;
  g = 0;
  for (double i = n - 1, k = 2; i > 1; --i, ++k) {
    sum += 1 / i;
    g += sum / k;
  }
  h = sum + 1;
}

// Scholz and Stephens 1987, two samples; p by the quadratic through their table 2.
void anderson_darling(const Sweep& s, double n, double m, NumberMeasures& out) {
  const double total = n + m;
  if (total < 4) return;
  const double raw =
      static_cast<double>((s.anderson_n / n + s.anderson_m / m)) * (total - 1) / total;
  double h = 0, g = 0;
  harmonic(total, h, g);
  const double sizes = 1 / n + 1 / m, k = 2;
  const double a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * sizes;
  const double b =
      (2 * g - 4) * k * k + 8 * h * k + (2 * g - 14 * h - 4) * sizes - 8 * h + 4 * g - 6;
  const double c =
      (6 * h + 2 * g - 2) * k * k + (4 * h - 4 * g + 6) * k + (2 * h - 6) * sizes + 4 * h;
  const double d = (2 * h + 6) * k * k - 4 * h * k;
  const double variance = (a * total * total * total + b * total * total + c * total + d) /
                          ((total - 1) * (total - 2) * (total - 3));
  out.anderson = (raw - (k - 1)) / std::sqrt(variance);
  constexpr std::array<double, 7> kCritical = {0.325, 1.226, 1.961, 2.718, 3.752, 4.592, 6.546};
  // numpy.polyfit(kCritical, log(0.25, .1, .05, .025, .01, .005, .001), 2)
  constexpr std::array<double, 3> kFit = {0.01819809457411147, -1.0082265644652515,
                                          -1.077770279820484};
  const double x = out.anderson;
  out.anderson_p = x < kCritical.front()  ? 0.25
                   : x > kCritical.back() ? 0.001
                                          : std::exp((kFit[0] * x + kFit[1]) * x + kFit[2]);
}

// Limit law of Cramér and von Mises' statistic (Csörgő and Faraway 1996, eq. 1.2).
double mises_limit_cdf(double x) {
  double sum = 0;
  for (int k = 0; k < 1000; ++k) {
    const double u =
        std::exp(std::lgamma(k + 0.5) - std::lgamma(k + 1.0)) / (std::pow(kPi, 1.5) * std::sqrt(x));
    const double y = 4.0 * k + 1, q = y * y / (16 * x);
    const double term = q > 600 ? 0 : u * std::sqrt(y) * std::exp(-q) * std::cyl_bessel_k(0.25, q);
    sum += term;
    if (std::fabs(term) < 1e-7) break;
  }
  return sum;
}

void cramer_von_mises(const Sweep& s, double n, double m, NumberMeasures& out) {
  const long double k = static_cast<long double>(n) * m, total = n + m;
  const long double u = n * s.mises_n + m * s.mises_m;
  out.cramer_von_mises = static_cast<double>(u / (k * total) - (4 * k - 1) / (6 * total));
  const double mean = static_cast<double>((1 + 1 / total) / 6);
  const double variance = static_cast<double>(
      (total + 1) *
      (4 * k * total - 3 * (static_cast<long double>(n) * n + static_cast<long double>(m) * m) -
       2 * k) /
      (45 * total * total * 4 * k));
  const double normed = 1.0 / 6 + (out.cramer_von_mises - mean) / std::sqrt(45 * variance);
  out.cramer_von_mises_p = normed < 0.003 ? 1 : std::clamp(1 - mises_limit_cdf(normed), 0.0, 1.0);
}

// Welch's t on the means and Levene's F on the distances from the medians.
void compare_moments(const Sample& a, const Sample& b, NumberMeasures& out) {
  const double n = a.count, m = b.count;
  const double va = a.std * a.std * n / (n - 1) / n, vb = b.std * b.std * m / (m - 1) / m;
  if (va + vb > 0) {
    out.welch_t = (a.mean - b.mean) / std::sqrt(va + vb);
    const double degrees = (va + vb) * (va + vb) / (va * va / (n - 1) + vb * vb / (m - 1));
    out.welch_p = student_p(out.welch_t, degrees);
  }
  const double all = (a.mean_away * n + b.mean_away * m) / (n + m);
  const double between =
      n * (a.mean_away - all) * (a.mean_away - all) + m * (b.mean_away - all) * (b.mean_away - all);
  const double within = a.std_away * a.std_away * (n - 1) + b.std_away * b.std_away * (m - 1);
  if (within > 0) {
    out.brown_forsythe = (n + m - 2) * between / within;
    out.brown_forsythe_p = f_p(out.brown_forsythe, 1, n + m - 2);
  }
}

void mann_whitney(const Sweep& s, double n, double m, NumberMeasures& out) {
  const double total = n + m;
  out.mann_whitney_u = static_cast<double>(s.rank_sum - static_cast<long double>(n) * (n + 1) / 2);
  out.mann_whitney_auc = out.mann_whitney_u / n / m;
  const double larger = std::max(out.mann_whitney_u, n * m - out.mann_whitney_u);
  const double variance =
      n * m / 12 * (total + 1 - static_cast<double>(s.ties) / (total * (total - 1)));
  if (variance > 0)
    out.mann_whitney_p =
        std::min(1.0, normal_p(std::max(0.0, (larger - n * m / 2 - 0.5) / std::sqrt(variance))));
}

void decile_bins(const Sample& a, const Sample& b, NumberMeasures& out) {
  for (int i = 1; i < 10; ++i) {
    const double edge = a.quantile(i * 10 / 100.0);
    if (out.edges.empty() || edge > out.edges.back()) out.edges.push_back(edge);
  }
  const auto counts = [&](const Sample& side) {
    std::vector<double> bins(out.edges.size() + 1, 0);
    std::size_t bin = 0;
    for (std::size_t i = 0; i < side.values.size(); ++i) {
      while (bin < out.edges.size() && side.values[i] > out.edges[bin]) ++bin;
      bins[bin] += side.weights[i];
    }
    return bins;
  };
  out.old_counts = counts(a);
  out.new_counts = counts(b);
  out.deciles = bin_measures(out.old_counts, out.new_counts);
}

}  // namespace

Density Density::of(const Sample& sample) {
  Density out;
  const double low = sample.min(), high = sample.max(), n = sample.count;
  const double step = (high - low) / static_cast<double>(kDensityBins);
  for (std::size_t i = 0; i < kDensityBins; ++i)
    out.edges.push_back(low + static_cast<double>(i) * step);
  out.edges.push_back(high);
  std::array<double, kDensityBins> counts{};
  std::size_t bin = 0;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    while (bin + 1 < kDensityBins && sample.values[i] >= out.edges[bin + 1]) ++bin;
    counts[bin] += sample.weights[i];
  }
  for (std::size_t i = 0; i < kDensityBins; ++i)
    out.log_density.push_back(
        std::log((counts[i] + 1) / (n + 52) / (out.edges[i + 1] - out.edges[i])));
  out.log_outside = std::log(1 / (n + 52) / (high - low));
  return out;
}

double Density::mean_log(const Sample& sample) const {
  double sum = 0;
  std::size_t bin = 0;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    const double value = sample.values[i];
    while (bin + 1 < kDensityBins && value >= edges[bin + 1]) ++bin;
    const bool outside = value < edges.front() || value > edges.back();
    sum += sample.weights[i] * (outside ? log_outside : log_density[bin]);
  }
  return sum / sample.count;
}

NumberMeasures number_measures(const Sample& before, const Sample& after) {
  NumberMeasures out;
  const double n = before.count, m = after.count;
  const Sweep s = sweep(before, after);
  out.ks = s.ks;
  out.ks_p = kolmogorov_finite_p(std::nearbyint(n * m / (n + m)), s.ks);
  out.wasserstein = static_cast<double>(s.wasserstein);
  out.energy = std::sqrt(2 * static_cast<double>(s.energy));
  mann_whitney(s, n, m, out);
  cramer_von_mises(s, n, m, out);
  decile_bins(before, after, out);
  if (before.std > 0) {
    anderson_darling(s, n, m, out);
    out.mean_shift_std = (after.mean - before.mean) / before.std;
    out.std_ratio = after.std / before.std;
    out.wasserstein_normed = out.wasserstein / before.std;
    const Density density = Density::of(before);
    out.loglik_old = density.mean_log(before);
    out.loglik_new = density.mean_log(after);
  }
  compare_moments(before, after, out);
  return out;
}

base::Json NumberMeasures::to_json() const {
  base::Json out = base::Json::object({{"mean_shift_std", mean_shift_std},
                                       {"std_ratio", std_ratio},
                                       {"ks", ks},
                                       {"ks_p", ks_p},
                                       {"wasserstein", wasserstein},
                                       {"wasserstein_normed", wasserstein_normed},
                                       {"energy", energy},
                                       {"mann_whitney_u", mann_whitney_u},
                                       {"mann_whitney_p", mann_whitney_p},
                                       {"mann_whitney_auc", mann_whitney_auc},
                                       {"anderson", anderson},
                                       {"anderson_p", anderson_p},
                                       {"cramer_von_mises", cramer_von_mises},
                                       {"cramer_von_mises_p", cramer_von_mises_p},
                                       {"welch_t", welch_t},
                                       {"welch_p", welch_p},
                                       {"brown_forsythe", brown_forsythe},
                                       {"brown_forsythe_p", brown_forsythe_p},
                                       {"loglik_old", loglik_old},
                                       {"loglik_new", loglik_new}});
  const base::Json bins = deciles.to_json();
  for (const auto& [name, value] : bins.members()) out.set(name, value);
  return out;
}

}  // namespace maru::stats
