#pragma once
#include <cstdint>
#include <vector>

namespace maru::serve {

enum class RewardKind : std::uint8_t { kNone, kBinary, kContinuous };

// Sums of the rewards of one arm.
struct Rewards {
  std::uint64_t count = 0;
  double sum = 0, squares = 0;
  void add(double value);
  void add(const Rewards& other);
  double mean() const;  // 0 without rewards
  // Of one reward. Binary: of the Laplace estimate (sum + 1) / (count + 2), so that it is never 0.
  double variance(RewardKind kind) const;
};

inline constexpr std::uint64_t kFewestRewards = 20;  // of each arm, before anything is said

// A confidence sequence: it holds at every look at once, however often one looks and whenever one stops.
struct Interval {
  double value = 0, low = 0, high = 0;
  double p = 1;        // always-valid: the smallest level at which the interval leaves zero out
  bool known = false;  // false: too few rewards
};
// Normal mixture of variance `spread`^2 over the effect (Robbins 1970; Johari, Koomen, Pekelis, Walsh 2017, eq. 12): with V the variance of the estimate,
// half width = sqrt(V (V + spread^2) / spread^2 * ln((V + spread^2) / (V * level^2))).
// `spread` is the size of effect that is found fastest; the interval holds for any.
Interval sequence_of(double estimate, double variance, double spread, double level);
Interval mean_interval(const Rewards& arm, RewardKind kind, double spread, double level);
Interval difference_interval(const Rewards& arm, const Rewards& base, RewardKind kind,
                             double spread, double level);
// Rewards of both arms together, shared as they are now, until the interval of this difference leaves zero out; 0: not within a thousand times as many.
std::uint64_t rewards_until_decided(const Rewards& arm, const Rewards& base, RewardKind kind,
                                    double spread, double level);

// Evidence that events come more often than `rate`: an e-process, the mean of likelihood ratios of eight higher rates against `rate`. If the true rate is at most
// `rate`, it ever reaches 1 / level with probability at most `level` (Ville), however often one looks.
double evidence_above(std::uint64_t events, std::uint64_t trials, double rate);

}  // namespace maru::serve
