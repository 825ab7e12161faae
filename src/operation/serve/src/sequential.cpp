#include "sequential.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace maru::serve {

void Rewards::add(double value) {
  ++count;
  sum += value;
  squares += value * value;
}

void Rewards::add(const Rewards& other) {
  count += other.count;
  sum += other.sum;
  squares += other.squares;
}

double Rewards::mean() const { return count > 0 ? sum / static_cast<double>(count) : 0; }

double Rewards::variance(RewardKind kind) const {
  const auto n = static_cast<double>(count);
  if (kind == RewardKind::kBinary) {
    const double p = (sum + 1) / (n + 2);
    return p * (1 - p);
  }
  if (count < 2) return 0;
  return std::max(0.0, (squares - sum * sum / n) / (n - 1));
}

Interval sequence_of(double estimate, double variance, double spread, double level) {
  Interval out;
  out.value = estimate;
  out.known = true;
  // Two constants: they differ, or they do not.
  if (!(variance > 0)) {
    out.low = out.high = estimate;
    out.p = estimate == 0 ? 1 : 0;
    return out;
  }
  const double mixed = spread * spread, both = variance + mixed;
  const double half =
      std::sqrt(variance * both / mixed * std::log(both / (variance * level * level)));
  out.low = estimate - half;
  out.high = estimate + half;
  out.p = std::min(1.0, std::sqrt(both / variance) *
                            std::exp(-mixed * estimate * estimate / (2 * variance * both)));
  return out;
}

Interval mean_interval(const Rewards& arm, RewardKind kind, double spread, double level) {
  if (arm.count < kFewestRewards) return {};
  return sequence_of(arm.mean(), arm.variance(kind) / static_cast<double>(arm.count), spread,
                     level);
}

Interval difference_interval(const Rewards& arm, const Rewards& base, RewardKind kind,
                             double spread, double level) {
  if (std::min(arm.count, base.count) < kFewestRewards) return {};
  const double variance = arm.variance(kind) / static_cast<double>(arm.count) +
                          base.variance(kind) / static_cast<double>(base.count);
  return sequence_of(arm.mean() - base.mean(), variance, spread, level);
}

std::uint64_t rewards_until_decided(const Rewards& arm, const Rewards& base, RewardKind kind,
                                    double spread, double level) {
  constexpr double kMost = 1000, kStep = 1.02;
  if (std::min(arm.count, base.count) < kFewestRewards) return 0;
  const double variance = arm.variance(kind) / static_cast<double>(arm.count) +
                          base.variance(kind) / static_cast<double>(base.count);
  const double difference = std::abs(arm.mean() - base.mean());
  for (double more = 1; more <= kMost; more *= kStep) {
    if (sequence_of(difference, variance / more, spread, level).low > 0)
      return static_cast<std::uint64_t>(more * static_cast<double>(arm.count + base.count));
  }
  return 0;
}

double evidence_above(std::uint64_t events, std::uint64_t trials, double rate) {
  constexpr std::array<double, 8> kOdds = {1.25, 1.5, 2, 3, 5, 10, 25, 100};
  const auto x = static_cast<double>(events), n = static_cast<double>(trials);
  const double odds = rate / (1 - rate);
  double out = 0;
  for (const double factor : kOdds) {
    const double higher = odds * factor / (1 + odds * factor);
    const double log_ratio =
        x * std::log(higher / rate) + (n - x) * std::log((1 - higher) / (1 - rate));
    out += std::exp(std::min(log_ratio, 600.0)) / kOdds.size();
  }
  return out;
}

}  // namespace maru::serve
