#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "sequential.h"

namespace maru::serve {

// How a canary goes on and when it goes back.
struct CanaryRules {
  std::vector<double> steps;  // shares of traffic, rising; empty: the written weights stay
  std::int64_t step_us = 600'000'000;
  std::uint64_t step_requests = 200;  // of the canary, in each step
  bool on_errors = true, on_latency = true, on_reward = true;
  double max_error_rate = 0.01;    // or the stable arm's own rate, where that is higher
  double max_latency_ratio = 1.5;  // of the stable arm's p99
  RewardKind reward = RewardKind::kNone;
  bool promote = true;  // at the end, move the alias `champion` to the canary's version
};
// Probability that a sound canary is ever sent back by one of its checks.
inline constexpr double kCanaryLevel = 0.01;
// Of its requests, a sound canary answers this share slower than ratio x the stable arm's p99: half of it is expected at ratio 1.
inline constexpr double kSlowShare = 0.02;
inline constexpr std::uint64_t kLatencyBaseline =
    500;  // requests of the stable arm before latencies are compared

enum class CanaryPhase : std::uint8_t { kRunning, kDone, kRolledBack };

struct CanaryState {
  CanaryPhase phase = CanaryPhase::kRunning;
  std::size_t step = 0;
  std::int64_t step_from_us = 0;
  std::string reason;  // of a roll-back
  base::Json to_json() const;
  static CanaryState from_json(const base::Json& json);
};

// Counted since the process or the canary started, whichever is later.
struct CanaryCounts {
  std::uint64_t stable_requests = 0, stable_errors = 0;
  std::uint64_t requests = 0, errors = 0;  // of the canary
  std::uint64_t step_requests = 0;         // of the canary in this step
  std::uint64_t timed = 0, slow = 0;       // of the canary, since a limit was known
  Rewards stable_rewards, rewards;
};

// What is against the canary, in one line; "" when nothing is.
std::string canary_fault(const CanaryRules& rules, const CanaryCounts& counts);
// The next state; changed is true when a step, the end or a roll-back was decided.
struct CanaryMove {
  CanaryState state;
  bool changed = false;
};
CanaryMove move_canary(const CanaryRules& rules, const CanaryState& state,
                       const CanaryCounts& counts, std::int64_t now_us);

}  // namespace maru::serve
