#include "canary.h"

#include <algorithm>
#include <cmath>

#include "maru/base/number_text.h"

namespace maru::serve {
namespace {

constexpr const char* kPhases[] = {"running", "done", "rolled_back"};

std::string percent(double share) { return base::format_significant(share * 100, 3) + " %"; }

double share_of(std::uint64_t part, std::uint64_t all) {
  return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0;
}

}  // namespace

base::Json CanaryState::to_json() const {
  return base::Json::object({{"phase", kPhases[static_cast<std::size_t>(phase)]},
                             {"step", static_cast<std::int64_t>(step)},
                             {"step_from_us", step_from_us},
                             {"reason", reason}});
}

CanaryState CanaryState::from_json(const base::Json& json) {
  CanaryState out;
  const auto* at = std::find(std::begin(kPhases), std::end(kPhases), json["phase"].as_string());
  if (at != std::end(kPhases)) out.phase = static_cast<CanaryPhase>(at - std::begin(kPhases));
  out.step = static_cast<std::size_t>(std::max<std::int64_t>(0, json["step"].as_int()));
  out.step_from_us = json["step_from_us"].as_int();
  out.reason = json["reason"].as_string();
  return out;
}

std::string canary_fault(const CanaryRules& rules, const CanaryCounts& counts) {
  if (rules.on_errors && counts.errors > 0) {
    double allowed = rules.max_error_rate;
    if (counts.stable_requests >= 100)
      allowed = std::max(allowed, share_of(counts.stable_errors + 1, counts.stable_requests + 2));
    if (allowed < 1 && evidence_above(counts.errors, counts.requests, allowed) >= 1 / kCanaryLevel)
      return std::to_string(counts.errors) + " of " + std::to_string(counts.requests) +
             " requests failed, more than " + percent(allowed);
  }
  if (rules.on_latency && evidence_above(counts.slow, counts.timed, kSlowShare) >= 1 / kCanaryLevel)
    return percent(share_of(counts.slow, counts.timed)) + " of " + std::to_string(counts.timed) +
           " requests took longer than " + base::format_significant(rules.max_latency_ratio, 4) +
           " times the stable version's p99";
  if (rules.on_reward && rules.reward != RewardKind::kNone) {
    const double spread =
        0.1 * std::sqrt(std::max(1e-12, counts.stable_rewards.variance(rules.reward)));
    const Interval difference = difference_interval(counts.rewards, counts.stable_rewards,
                                                    rules.reward, spread, kCanaryLevel);
    if (difference.known && difference.high < 0)
      return "its mean reward is lower by " + base::format_significant(-difference.value, 4) +
             " [" + base::format_significant(-difference.high, 4) + ", " +
             base::format_significant(-difference.low, 4) + "]";
  }
  return "";
}

CanaryMove move_canary(const CanaryRules& rules, const CanaryState& state,
                       const CanaryCounts& counts, std::int64_t now_us) {
  CanaryMove out{state, false};
  if (state.phase != CanaryPhase::kRunning || rules.steps.empty()) return out;
  out.state.reason = canary_fault(rules, counts);
  if (!out.state.reason.empty()) {
    out.state.phase = CanaryPhase::kRolledBack;
    out.changed = true;
    return out;
  }
  if (now_us - state.step_from_us < rules.step_us || counts.step_requests < rules.step_requests)
    return out;
  out.changed = true;
  out.state.step_from_us = now_us;
  if (state.step + 1 < rules.steps.size())
    ++out.state.step;
  else
    out.state.phase = CanaryPhase::kDone;
  return out;
}

}  // namespace maru::serve
