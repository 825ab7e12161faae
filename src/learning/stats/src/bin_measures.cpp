#include <algorithm>
#include <cmath>
#include <numeric>

#include "maru/stats/measures.h"
#include "numbers.h"

namespace maru::stats {
namespace {

constexpr double kEmptyShare = 1e-4;

// x ln(x / y), 0 at x = 0.
double relative(double x, double y) { return x > 0 ? x * std::log(x / y) : 0; }

}  // namespace

BinMeasures bin_measures(const std::vector<double>& old_counts,
                         const std::vector<double>& new_counts) {
  BinMeasures out;
  out.bins = old_counts.size();
  const double n = std::accumulate(old_counts.begin(), old_counts.end(), 0.0);
  const double m = std::accumulate(new_counts.begin(), new_counts.end(), 0.0);
  if (n <= 0 || m <= 0) return out;
  const auto k = static_cast<double>(out.bins);
  double divergence = 0, roots = 0, differences = 0;
  int used = 0;
  for (std::size_t i = 0; i < out.bins; ++i) {
    const double c = old_counts[i], d = new_counts[i], p = c / n, q = d / m, mid = (p + q) / 2;
    const double pz = p > 0 ? p : kEmptyShare, qz = q > 0 ? q : kEmptyShare;
    out.psi += (qz - pz) * std::log(qz / pz);
    const double ps = (c + 0.5) / (n + 0.5 * k), qs = (d + 0.5) / (m + 0.5 * k);
    out.kl_old_new += relative(ps, qs);
    out.kl_new_old += relative(qs, ps);
    divergence += relative(p, mid) + relative(q, mid);
    const double root = std::sqrt(p) - std::sqrt(q);
    roots += root * root;
    differences += std::fabs(p - q);
    out.linf = std::max(out.linf, std::fabs(p - q));
    out.normalized_abs_difference =
        std::max(out.normalized_abs_difference, std::fabs(c - d) / (n + m));
    if (c + d <= 0) continue;
    ++used;
    const double ec = (c + d) * n / (n + m), ed = (c + d) * m / (n + m);
    out.chi2 += (c - ec) * (c - ec) / ec + (d - ed) * (d - ed) / ed;
    out.g_test += 2 * (relative(c, ec) + relative(d, ed));
  }
  divergence = std::max(0.0, divergence / 2);
  out.js_divergence_base2 = divergence / std::log(2.0);
  out.js_distance_base2 = std::sqrt(out.js_divergence_base2);
  out.js_distance_nat = std::sqrt(divergence);
  out.hellinger = std::sqrt(0.5 * roots);
  out.total_variation = 0.5 * differences;
  if (used < 2) return out;
  out.chi2_dof = used - 1;
  out.chi2_p = chi_square_p(out.chi2, out.chi2_dof);
  out.g_test_p = chi_square_p(out.g_test, out.chi2_dof);
  out.cramers_v = std::sqrt(out.chi2 / (n + m));
  return out;
}

base::Json BinMeasures::to_json() const {
  return base::Json::object({{"bins", static_cast<std::int64_t>(bins)},
                             {"psi", psi},
                             {"kl_old_new", kl_old_new},
                             {"kl_new_old", kl_new_old},
                             {"js_divergence_base2", js_divergence_base2},
                             {"js_distance_base2", js_distance_base2},
                             {"js_distance_nat", js_distance_nat},
                             {"hellinger", hellinger},
                             {"total_variation", total_variation},
                             {"linf", linf},
                             {"normalized_abs_difference", normalized_abs_difference},
                             {"chi2", chi2},
                             {"chi2_dof", chi2_dof},
                             {"chi2_p", chi2_p},
                             {"cramers_v", cramers_v},
                             {"g_test", g_test},
                             {"g_test_p", g_test_p}});
}

}  // namespace maru::stats
