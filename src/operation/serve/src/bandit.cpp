#include "bandit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "maru/base/rng.h"

namespace maru::serve {
namespace {

constexpr int kDraws = 4000;
constexpr std::uint64_t kFirstRewards = 5;  // of each arm, before any is preferred

double pooled_variance(const std::vector<Rewards>& arms) {
  double spread = 0, freedom = 0;
  for (const Rewards& arm : arms) {
    if (arm.count < 2) continue;
    const auto n = static_cast<double>(arm.count);
    spread += arm.variance(RewardKind::kContinuous) * (n - 1);
    freedom += n - 1;
  }
  return freedom > 0 ? spread / freedom : 1;
}

// One draw of an arm's mean.
double draw_mean(const Rewards& arm, RewardKind kind, double pooled, base::Rng& rng) {
  const auto n = static_cast<double>(arm.count);
  if (kind == RewardKind::kBinary) return rng.beta(1 + arm.sum, 1 + n - arm.sum);
  constexpr double kPrior = 20;  // rewards that the pooled variance counts for
  const double variance = (kPrior * pooled + n * arm.variance(kind)) / (kPrior + std::max(n, 1.0));
  return arm.mean() + std::sqrt(variance / std::max(n, 1.0)) * rng.normal();
}

std::vector<double> chances(const BanditRules& rules, const std::vector<Rewards>& arms,
                            std::uint64_t seed) {
  base::Rng rng(seed);
  const double pooled = pooled_variance(arms);
  std::vector<double> out(arms.size(), 0);
  for (int draw = 0; draw < kDraws; ++draw) {
    std::size_t best = 0;
    double top = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      const double mean = draw_mean(arms[i], rules.reward, pooled, rng);
      if (mean > top) {
        top = mean;
        best = i;
      }
    }
    out[best] += 1.0 / kDraws;
  }
  return out;
}

std::vector<double> highest(const std::vector<double>& values) {
  const double top = *std::max_element(values.begin(), values.end());
  const auto ties = static_cast<double>(std::count(values.begin(), values.end(), top));
  std::vector<double> out(values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] == top) out[i] = 1 / ties;
  return out;
}

std::vector<double> means_of(const std::vector<Rewards>& arms) {
  std::vector<double> out;
  for (const Rewards& arm : arms) out.push_back(arm.mean());
  return out;
}

std::vector<double> upper_bounds(const BanditRules& rules, const std::vector<Rewards>& arms) {
  double all = 0;
  for (const Rewards& arm : arms) all += static_cast<double>(arm.count);
  std::vector<double> out;
  for (const Rewards& arm : arms)
    out.push_back(arm.mean() + std::sqrt(2 * arm.variance(rules.reward) * std::log(all) /
                                         static_cast<double>(arm.count)));
  return out;
}

// Every arm gets at least `floor`; the others give in proportion to what they have above it.
void raise_to(std::vector<double>& weights, double floor) {
  floor = std::min(floor, 1.0 / static_cast<double>(weights.size()));
  double missing = 0, above = 0;
  for (const double w : weights) {
    missing += std::max(0.0, floor - w);
    above += std::max(0.0, w - floor);
  }
  if (missing <= 0) return;
  for (double& w : weights) w = w < floor ? floor : w - missing * (w - floor) / above;
}

}  // namespace

Shares bandit_shares(const BanditRules& rules, const std::vector<Rewards>& arms,
                     std::uint64_t seed) {
  Shares out;
  const std::size_t k = arms.size();
  const std::vector<double> alike(k, 1.0 / static_cast<double>(k));
  out.weights = out.best_chance = alike;
  if (std::any_of(arms.begin(), arms.end(),
                  [](const Rewards& arm) { return arm.count < kFirstRewards; }))
    return out;
  out.best_chance = chances(rules, arms, seed);
  const std::vector<double> means = means_of(arms);
  const double best = *std::max_element(means.begin(), means.end());
  for (std::size_t i = 0; i < k; ++i)
    out.regret += static_cast<double>(arms[i].count) * (best - means[i]);
  out.exploring = out.regret < rules.maximum_regret;
  if (!out.exploring) {
    out.weights = highest(means);
    return out;
  }
  switch (rules.policy) {
    case Policy::kThompson:
      out.weights = out.best_chance;
      break;
    case Policy::kUcb:
      out.weights = highest(upper_bounds(rules, arms));
      break;
    case Policy::kEpsilonGreedy:
      out.weights = highest(means);
      for (std::size_t i = 0; i < k; ++i)
        out.weights[i] = (1 - rules.epsilon) * out.weights[i] + rules.epsilon * alike[i];
      break;
  }
  raise_to(out.weights, rules.minimum_share);
  return out;
}

}  // namespace maru::serve
