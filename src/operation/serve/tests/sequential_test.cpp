#include "sequential.h"

#include <doctest/doctest.h>

#include <cmath>

#include "bandit.h"
#include "canary.h"
#include "maru/base/rng.h"

using namespace maru;
using namespace maru::serve;

namespace {

Rewards rewards_of(std::uint64_t successes, std::uint64_t count) {
  Rewards out;
  out.count = count;
  out.sum = out.squares = static_cast<double>(successes);
  return out;
}

// The share of experiments that ever find a difference when one looks after every 10 rewards.
double found_share(double rate_a, double rate_b, int experiments, int rewards, std::uint64_t seed) {
  base::Rng rng(seed);
  int found = 0;
  for (int e = 0; e < experiments; ++e) {
    Rewards a, b;
    for (int r = 0; r < rewards; ++r) {
      a.add(rng.uniform() < rate_a ? 1 : 0);
      b.add(rng.uniform() < rate_b ? 1 : 0);
      if (r % 10 != 9) continue;
      const Interval at = difference_interval(a, b, RewardKind::kBinary, 0.03, 0.05);
      if (at.known && (at.low > 0 || at.high < 0)) {
        ++found;
        break;
      }
    }
  }
  return static_cast<double>(found) / experiments;
}

}  // namespace

TEST_CASE(
    "looking all the time finds no difference where there is none, and finds one that is there") {
  CHECK(found_share(0.1, 0.1, 400, 4000, 1) <= 0.05);
  CHECK(found_share(0.5, 0.5, 400, 4000, 2) <= 0.05);
  CHECK(found_share(0.10, 0.16, 100, 4000, 3) >= 0.9);
}

TEST_CASE("the interval leaves zero out exactly when p is below the level") {
  for (const double estimate : {0.0, 0.01, 0.03, 0.05, 0.2, -0.05, -0.3}) {
    for (const double level : {0.2, 0.05, 0.01}) {
      const Interval at = sequence_of(estimate, 0.0002, 0.02, level);
      CHECK((at.low > 0 || at.high < 0) == (at.p < level));
      CHECK(at.high - estimate == doctest::Approx(estimate - at.low));
    }
  }
  // By hand: V = 1e-4, spread = 0.01, level 0.05: half = sqrt(1e-4 * 2e-4 / 1e-4 * ln(2 / 0.0025)).
  CHECK(sequence_of(0, 1e-4, 0.01, 0.05).high ==
        doctest::Approx(std::sqrt(2e-4 * std::log(800.0))));
}

TEST_CASE("few rewards say nothing, constants are told apart") {
  CHECK_FALSE(
      difference_interval(rewards_of(5, 19), rewards_of(0, 50), RewardKind::kBinary, 0.1, 0.05)
          .known);
  Rewards two, three;
  for (int i = 0; i < 30; ++i) {
    two.add(2);
    three.add(3);
  }
  const Interval at = difference_interval(three, two, RewardKind::kContinuous, 0.1, 0.05);
  CHECK(at.known);
  CHECK(at.low == 1);
  CHECK(at.p == 0);
  CHECK(difference_interval(two, two, RewardKind::kContinuous, 0.1, 0.05).p == 1);
}

TEST_CASE("how many rewards are needed is about how many it takes, at the split there is") {
  const double spread = 0.05, level = 0.05;
  const RewardKind kind = RewardKind::kBinary;
  const Rewards small = rewards_of(30, 200), large = rewards_of(100, 1000);
  REQUIRE_FALSE(difference_interval(small, large, kind, spread, level).low > 0);
  const std::uint64_t needed = rewards_until_decided(small, large, kind, spread, level);
  REQUIRE(needed > 1200);
  const auto times = [&](const Rewards& arm, double factor) {
    const double more = factor * static_cast<double>(needed) / 1200;
    return rewards_of(static_cast<std::uint64_t>(arm.sum * more),
                      static_cast<std::uint64_t>(static_cast<double>(arm.count) * more));
  };
  CHECK(difference_interval(times(small, 1.05), times(large, 1.05), kind, spread, level).low > 0);
  CHECK(difference_interval(times(small, 0.9), times(large, 0.9), kind, spread, level).low < 0);
  CHECK(rewards_until_decided(rewards_of(20, 200), large, kind, spread, level) == 0);
}

TEST_CASE("events at the allowed rate are no evidence, however often one looks; more of them are") {
  base::Rng rng(5);
  int accused = 0;
  for (int e = 0; e < 500; ++e) {
    std::uint64_t events = 0;
    for (std::uint64_t n = 1; n <= 3000; ++n) {
      events += rng.uniform() < 0.02 ? 1 : 0;
      if (evidence_above(events, n, 0.02) < 100) continue;
      ++accused;
      break;
    }
  }
  CHECK(accused <= 5);  // one in a hundred
  CHECK(evidence_above(0, 0, 0.02) == doctest::Approx(1));
  CHECK(evidence_above(30, 300, 0.02) > 100);
  CHECK(evidence_above(0, 300, 0.02) < 1);
}

TEST_CASE("shares: alike at first, then the better arm, never below the floor") {
  BanditRules rules;
  rules.minimum_share = 0.05;
  std::vector<Rewards> arms = {rewards_of(0, 0), rewards_of(0, 0), rewards_of(0, 0)};
  for (const double w : bandit_shares(rules, arms, 1).weights) CHECK(w == doctest::Approx(1.0 / 3));
  arms = {rewards_of(10, 100), rewards_of(30, 100), rewards_of(12, 100)};
  for (const Policy policy : {Policy::kThompson, Policy::kUcb, Policy::kEpsilonGreedy}) {
    rules.policy = policy;
    const Shares shares = bandit_shares(rules, arms, 1);
    double sum = 0;
    for (const double w : shares.weights) {
      CHECK(w >= 0.05 - 1e-12);
      sum += w;
    }
    CHECK(sum == doctest::Approx(1));
    CHECK(shares.weights[1] >= 0.89);
    CHECK(shares.best_chance[1] > 0.99);
    CHECK(shares.regret == doctest::Approx(20 + 18));
    CHECK(bandit_shares(rules, arms, 1).weights == shares.weights);
  }
}

TEST_CASE("the chance to be best is that of the posterior") {
  // Beta(11, 91) against Beta(16, 86): 0.8527 by numerical integration.
  const Shares shares = bandit_shares({}, {rewards_of(10, 100), rewards_of(15, 100)}, 3);
  CHECK(shares.best_chance[1] == doctest::Approx(0.853).epsilon(0.03));
}

TEST_CASE("a regret limit ends the exploration") {
  BanditRules rules;
  rules.maximum_regret = 30;
  const std::vector<Rewards> arms = {rewards_of(10, 100), rewards_of(30, 100), rewards_of(12, 100)};
  const Shares shares = bandit_shares(rules, arms, 1);
  CHECK_FALSE(shares.exploring);
  CHECK(shares.weights == std::vector<double>{0, 1, 0});
}

TEST_CASE("a simulated bandit sends nine tenths to the better arm, within a stated regret") {
  struct Case {
    Policy policy;
    RewardKind reward;
    double regret;  // of 20,000 calls; all to the worse arm would be 1,000
  };
  for (const Case& c : {Case{Policy::kThompson, RewardKind::kBinary, 200},
                        Case{Policy::kThompson, RewardKind::kContinuous, 200},
                        Case{Policy::kUcb, RewardKind::kBinary, 250},
                        Case{Policy::kEpsilonGreedy, RewardKind::kBinary, 250}}) {
    BanditRules rules;
    rules.policy = c.policy;
    rules.reward = c.reward;
    base::Rng rng(11);
    std::vector<Rewards> arms(2);
    std::vector<double> weights = {0.5, 0.5};
    double regret = 0;
    int better_late = 0;
    for (int call = 0; call < 20'000; ++call) {
      if (call % 50 == 0) weights = bandit_shares(rules, arms, 11 + call).weights;
      const std::size_t arm = rng.uniform() < weights[0] ? 0 : 1;
      const double mean = arm == 0 ? 0.10 : 0.15;
      arms[arm].add(c.reward == RewardKind::kBinary ? (rng.uniform() < mean ? 1 : 0)
                                                    : mean + 0.3 * rng.normal());
      regret += 0.15 - mean;
      if (call >= 10'000 && arm == 1) ++better_late;
    }
    INFO("policy ", static_cast<int>(c.policy), " regret ", regret);
    CHECK(better_late >= 9'000);
    CHECK(regret <= c.regret);
  }
}

TEST_CASE("a canary goes on step by step, and back on a fault") {
  CanaryRules rules;
  rules.steps = {0.05, 0.25, 1};
  rules.step_us = 1'000'000;
  rules.step_requests = 100;
  CanaryState state;
  CanaryCounts counts;
  counts.stable_requests = counts.requests = counts.step_requests = 100;
  CHECK_FALSE(move_canary(rules, state, counts, 999'999).changed);
  counts.step_requests = 99;
  CHECK_FALSE(move_canary(rules, state, counts, 2'000'000).changed);
  counts.step_requests = 100;
  std::int64_t now_us = 0;
  for (const std::size_t step : {1, 2}) {
    const CanaryMove moved = move_canary(rules, state, counts, now_us += 1'000'000);
    REQUIRE(moved.changed);
    CHECK(moved.state.step == step);
    state = moved.state;
  }
  const CanaryMove done = move_canary(rules, state, counts, now_us + 1'000'000);
  CHECK(done.state.phase == CanaryPhase::kDone);
  CHECK_FALSE(move_canary(rules, done.state, counts, now_us + 9'000'000).changed);
  counts.errors = 12;
  const CanaryMove back = move_canary(rules, state, counts, now_us);
  CHECK(back.state.phase == CanaryPhase::kRolledBack);
  CHECK(back.state.reason.find("12 of 100 requests failed") != std::string::npos);
  const CanaryState again = CanaryState::from_json(back.state.to_json());
  CHECK(again.phase == CanaryPhase::kRolledBack);
  CHECK(again.reason == back.state.reason);
}

TEST_CASE("a canary is judged by errors, latency and reward, each only when asked to") {
  CanaryRules rules;
  CanaryCounts counts;
  counts.stable_requests = 10'000;
  counts.requests = 1'000;
  counts.timed = 1'000;
  CHECK(canary_fault(rules, counts).empty());
  counts.slow = 60;
  CHECK(canary_fault(rules, counts).find("took longer than 1.5 times") != std::string::npos);
  rules.on_latency = false;
  CHECK(canary_fault(rules, counts).empty());
  counts.errors = 50;
  counts.stable_errors = 1'000;  // the stable version fails as often: not the canary's fault
  CHECK(canary_fault(rules, counts).empty());
  counts.stable_errors = 0;
  CHECK_FALSE(canary_fault(rules, counts).empty());
  rules.on_errors = false;
  counts.stable_rewards = rewards_of(2000, 10'000);
  counts.rewards = rewards_of(100, 1'000);
  CHECK(canary_fault(rules, counts).empty());
  rules.reward = RewardKind::kBinary;
  CHECK(canary_fault(rules, counts).find("mean reward is lower by 0.1") != std::string::npos);
  counts.rewards = rewards_of(300, 1'000);
  CHECK(canary_fault(rules, counts).empty());
}
