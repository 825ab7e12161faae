#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "sequential.h"

namespace maru::serve {

enum class Policy : std::uint8_t { kEpsilonGreedy, kUcb, kThompson };

struct BanditRules {
  Policy policy = Policy::kThompson;
  RewardKind reward = RewardKind::kBinary;
  double epsilon = 0.1;         // epsilon_greedy: share that explores, over all arms alike
  double minimum_share = 0.01;  // of every arm while it explores
  double maximum_regret = std::numeric_limits<double>::infinity();  // in rewards
};

struct Shares {
  std::vector<double> weights;      // sum 1
  std::vector<double> best_chance;  // that an arm's mean is the highest; sum 1
  double regret = 0;      // estimated: what the rewards so far are below the best arm's mean
  bool exploring = true;  // false: the regret limit is reached, the best arm has all
};

// Shares of traffic out of the rewards so far. The same rewards and seed give the same shares, so that they can be told again from a log.
// thompson: the chance to be best under the posterior of the means (binary: Beta(1 + successes, 1 + failures); continuous: normal, the variance of all arms
// together for an arm of few rewards), which is what drawing once a request gives on average. ucb: all to the highest mean + sqrt(2 s^2 ln N / n) (Auer 2002, with
// the measured variance s^2), ties alike. epsilon_greedy: 1 - epsilon to the highest mean. Until an arm has its first rewards all arms are alike.
Shares bandit_shares(const BanditRules& rules, const std::vector<Rewards>& arms,
                     std::uint64_t seed);

}  // namespace maru::serve
