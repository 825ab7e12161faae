#pragma once
#include <map>
#include <string>
#include <vector>

#include "maru/data/table.h"
#include "maru/stats/drift.h"
#include "maru/stats/profile.h"

namespace maru::stats {

// Numbers as a distribution function: every value when rows are at hand, else the quantiles and bins that a profile kept.
struct Distribution {
  double count = 0, mean = 0, std = 0, skewness = 0, symmetry = 0, mode = 0;
  double spread = 0,
         spread_std = 0;  // mean and deviation of |x - median|; 0 when unknown (from a profile)
  std::vector<double> values;      // ascending; with `weights` empty each counts one
  std::vector<double> cumulative;  // share of rows <= values[i]; empty: i+1 over n
  std::vector<Bin> bins;           // equal width over the range

  static Distribution of(const data::Column& column);
  static Distribution of(const ColumnProfile& profile);
  double cdf(double x) const;        // share of rows <= x
  double cdf_below(double x) const;  // share of rows < x
  // Mean log density of `other`'s rows under this one's bins (20 equal-width bins over the middle, open ends), Laplace-smoothed.
  double mean_log_likelihood(const Distribution& other) const;
};

double ks_of(const Distribution& a, const Distribution& b);
double psi_of(const Distribution& a,
              const Distribution& b);  // deciles of a, right-closed, empty share 1e-4
double jensen_shannon(const Distribution& a,
                      const Distribution& b);  // divergence in bits over the deciles of a
double wasserstein_of(const Distribution& a, const Distribution& b);

// Categories with their counts.
struct Counts {
  std::map<std::string, double> values;
  double total = 0;
  bool complete = true;  // false: too many values were seen to keep all

  static Counts of(const data::Column& column);
  static Counts of(const ColumnProfile& profile);
  std::string mode() const;
  double mode_share() const;
  double share(const std::string& value) const;
  double evenness() const;  // entropy over its maximum; 1 when all values are equally frequent
};

struct CategoryTest {
  double chi2 = 0, p = 1, cramers_v = 0, psi = 0, js = 0, linf = 0, fresh_share = 0,
         likelihood_old = 0, likelihood_new = 0;
  double fresh_p =
      1;  // the commonest value that is new: chance of meeting it in b alone, times the number of values
  std::vector<std::string> fresh, vanished;
};
CategoryTest compare_counts(const Counts& a, const Counts& b);

// Slices and explanations behind the drifting columns: unit factor, null spike, renamed categories.
base::Json find_culprits(const data::Table& reference, const data::Table& current,
                         const DriftReport& report);
// Pairs of columns that did not move alone, but whose association did (Cramér's V, and Pearson's test of the joint cells at alpha / pairs): what no look at single
// columns can see. Strongest first, at most 5, as culprits of kind "relation" with the other column as `slice`.
base::Json find_broken_relations(const data::Table& reference, const data::Table& current,
                                 const DriftReport& report, const DriftOptions& options);

}  // namespace maru::stats
