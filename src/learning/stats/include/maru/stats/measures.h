#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/data/table.h"

namespace maru::stats {

// Finite numbers of one side as distinct ascending values with their rows. From rows it is exact; from a sketch the weights are what the
// sketch knows. Everything below is a sweep over two of these, so a column is sorted once, however many measures are asked.
struct Sample {
  std::vector<double> values, weights;
  double count = 0;                                    // rows with a finite number
  double mean = 0, std = 0, skewness = 0, median = 0;  // population deviation, g1
  double mean_away = 0, std_away = 0;                  // of |x - median|, sample deviation

  static Sample of(const data::Column& column);
  static Sample of(std::vector<double> values);  // finite ones are kept
  // Ascending distinct values and their weights, as they are.
  static Sample weighted(std::vector<double> values, std::vector<double> weights);
  double min() const { return values.empty() ? 0 : values.front(); }
  double max() const { return values.empty() ? 0 : values.back(); }
  double quantile(double probability) const;         // type 7
  Sample mapped(double factor, double shift) const;  // factor * x + shift
};

// Shares p (old) and q (new) in bins: every number under its convention's own name (formulas: data.md section 2 and the golden index).
struct BinMeasures {
  std::size_t bins = 0;
  double psi = 0;                         // empty share 1e-4, not re-normalised
  double kl_old_new = 0, kl_new_old = 0;  // nats, counts + 1/2
  double js_divergence_base2 = 0;         // TFDV's convention
  double js_distance_base2 = 0;           // NannyML's
  double js_distance_nat = 0;             // scipy's and Evidently's
  double hellinger = 0, total_variation = 0, linf = 0;
  double normalized_abs_difference = 0;  // max |c - d| / (n + m) on counts, TFDV's
  double chi2 = 0, chi2_p = 1, cramers_v = 0, g_test = 0, g_test_p = 1;
  int chi2_dof = 0;  // 0: fewer than two bins are used
  base::Json to_json() const;
};
BinMeasures bin_measures(const std::vector<double>& old_counts,
                         const std::vector<double>& new_counts);

// 50 equal-width bins of the old side: mass (c + 1) / (n + 52), and one such mass beyond either end.
struct Density {
  std::vector<double> edges, log_density;
  double log_outside = 0;
  static Density of(const Sample& sample);
  double mean_log(const Sample& sample) const;  // nats a row
};

struct NumberMeasures {
  double mean_shift_std = 0, std_ratio = 1;
  double ks = 0, ks_p = 1;  // Kolmogorov's finite-sample law at round(nm/(n+m)), as scipy's "asymp"
  double wasserstein = 0, wasserstein_normed = 0, energy = 0;
  double mann_whitney_u = 0, mann_whitney_p = 1, mann_whitney_auc = 0.5;
  double anderson = 0, anderson_p = 0.25;  // k-sample, midrank; p within [0.001, 0.25]
  double cramer_von_mises = 0, cramer_von_mises_p = 1;
  double welch_t = 0, welch_p = 1, brown_forsythe = 0, brown_forsythe_p = 1;
  double loglik_old = 0, loglik_new = 0;  // mean log density under 50 equal-width bins of the old
  std::vector<double> edges, old_counts, new_counts;  // deciles of the old, right-closed
  BinMeasures deciles;
  base::Json to_json() const;
};
// Of two samples with at least two rows each and a spread in the old.
NumberMeasures number_measures(const Sample& before, const Sample& after);
// Exact two-sample Kolmogorov-Smirnov p, as scipy's "auto" gives for at most 10,000 rows a side: O(n * width) lattice paths.
double ks_exact_p(double ks, std::uint64_t n, std::uint64_t m);

// Squared maximum mean discrepancy (unbiased) of rows of standardised numbers under an RBF kernel of the median distance, with a
// permutation p: `rows` are points, the first n of them old.
struct Discrepancy {
  double mmd2 = 0, p = 1;
};
Discrepancy mmd(const std::vector<std::vector<double>>& rows, std::size_t n, int permutations,
                std::uint64_t seed);

}  // namespace maru::stats
