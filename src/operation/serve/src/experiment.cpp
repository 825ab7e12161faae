#include "experiment.h"

#include <algorithm>
#include <cmath>

namespace maru::serve {
namespace {

using base::Json;

const char* const kRewardNames[] = {"none", "binary", "continuous"};
const char* const kPolicyNames[] = {"epsilon_greedy", "ucb", "thompson"};

Json interval_json(const Interval& interval) {
  if (!interval.known) return Json();
  return Json::object({{"value", interval.value}, {"low", interval.low}, {"high", interval.high}});
}

std::uint64_t errors_of(const VersionStats& stats) { return stats.model_errors.read(); }

std::uint64_t from_bucket(const Counts& counts, std::size_t first) {
  std::uint64_t out = 0;
  for (std::size_t b = first; b < kBuckets; ++b) out += counts[b];
  return out;
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push(v);
  return out;
}

}  // namespace

base::Result<std::shared_ptr<Experiment>> Experiment::open(Setup setup) {
  auto out = std::make_shared<Experiment>(Key{}, std::move(setup));
  const Setup& is = out->setup_;
  const std::int64_t now_us = is.clock->now_us();
  out->from_us_ = out->canary_.step_from_us = now_us;
  if (is.book != nullptr) {
    TRY_ASSIGN(const auto standing, is.book->stand(is.endpoint, is.key, now_us));
    out->from_us_ = standing.from_us;
    if (standing.state.is_object()) out->canary_ = CanaryState::from_json(standing.state);
    TRY_ASSIGN(out->sums_, is.book->sums(is.endpoint, standing.from_us));
    for (const auto& [key, sum] : out->sums_) out->rewards_ += sum.count;
  }
  out->start_meter();
  return out;
}

void Experiment::arms(std::vector<int> versions, std::vector<std::shared_ptr<VersionStats>> stats) {
  const std::lock_guard lock(mutex_);
  if (versions != setup_.versions) known_.clear();
  setup_.versions = std::move(versions);
  setup_.stats = std::move(stats);
}

void Experiment::start_meter() {
  if (setup_.route.kind != RouteSpec::Kind::kCanary || setup_.stats.size() < 2) return;
  const VersionStats &stable = *setup_.stats.front(), &canary = *setup_.stats.back();
  meter_ = Meter();
  meter_.stable_requests = stable.requests();
  meter_.stable_errors = errors_of(stable);
  meter_.requests = meter_.step = canary.requests();
  meter_.errors = errors_of(canary);
}

base::Result<bool> Experiment::reward(const std::vector<RewardRow>& rows, std::uint64_t& fresh) {
  if (setup_.book == nullptr)
    return base::fail(base::Code::kFailedPrecondition, "this server keeps no rewards");
  TRY_ASSIGN(const std::vector<bool> added, setup_.book->add(setup_.endpoint, rows));
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!added[i]) continue;
    ++fresh;
    if (rows[i].predicted_us + 1000 <= from_us_) continue;  // of an experiment before this one
    sums_[{rows[i].version, rows[i].segment}].add(rows[i].value);
    ++rewards_;
  }
  // A look for each 2 % more: the shares' history grows with the logarithm of the rewards.
  return setup_.route.kind == RouteSpec::Kind::kBandit &&
         rewards_ >= looked_at_ + std::max<std::uint64_t>(10, looked_at_ / 50);
}

std::vector<Rewards> Experiment::totals() const {
  std::vector<Rewards> out(setup_.versions.size());
  for (const auto& [key, sum] : sums_)
    for (std::size_t i = 0; i < out.size(); ++i)
      if (setup_.versions[i] == key.first) out[i].add(sum);
  return out;
}

std::vector<Rewards> Experiment::rewards_in(std::size_t segment) const {
  std::vector<Rewards> out(setup_.versions.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = sums_.find({setup_.versions[i], segment});
    if (at != sums_.end()) out[i] = at->second;
  }
  return out;
}

// Thousands of draws: not for every look of a page.
const Shares& Experiment::shares_in(std::size_t segment) const {
  known_.resize(setup_.route.segment_values.size() + 1);
  Known& known = known_[segment];
  const std::vector<Rewards> arms = rewards_in(segment);
  Rewards all;
  for (const Rewards& arm : arms) all.add(arm);
  if (known.arms == 0 || known.rewards != all.count) {
    const std::uint64_t seed = setup_.seed ^ ((segment + 1) * 0x9e3779b97f4a7c15 + all.count);
    known = {all.count, arms.size(), bandit_shares(setup_.route.bandit, arms, seed)};
  }
  return known.shares;
}

ShareTable Experiment::shares() const {
  const std::lock_guard lock(mutex_);
  const RouteSpec& route = setup_.route;
  const std::size_t k = setup_.versions.size();
  std::vector<double> written;
  for (const ArmSpec& arm : route.arms) written.push_back(arm.weight);
  std::vector<double> first(k, 0);
  first.front() = 1;
  if (route.stopped) return {first};
  if (route.kind == RouteSpec::Kind::kCanary && !route.canary.steps.empty()) {
    double share = route.canary.steps[std::min(canary_.step, route.canary.steps.size() - 1)];
    if (canary_.phase == CanaryPhase::kRolledBack) share = 0;
    if (canary_.phase == CanaryPhase::kDone) share = 1;
    return {{1 - share, share}};
  }
  if (route.kind != RouteSpec::Kind::kBandit) return {written};
  ShareTable out;
  for (std::size_t segment = 0; segment <= route.segment_values.size(); ++segment)
    out.push_back(shares_in(segment).weights);
  looked_at_ = rewards_;
  return out;
}

CanaryCounts Experiment::counts() {
  const VersionStats &stable = *setup_.stats.front(), &canary = *setup_.stats.back();
  CanaryCounts out;
  out.stable_requests = stable.requests() - meter_.stable_requests;
  out.stable_errors = errors_of(stable) - meter_.stable_errors;
  out.requests = canary.requests() - meter_.requests;
  out.errors = errors_of(canary) - meter_.errors;
  out.step_requests = canary.requests() - meter_.step;
  const std::vector<Rewards> rewards = totals();
  out.stable_rewards = rewards.front();
  out.rewards = rewards.back();
  if (meter_.slow_bucket == 0 && out.stable_requests >= kLatencyBaseline) {
    // The limit is set once, from what the stable arm has shown; only later requests are held against it.
    const double p99_us = quantile_us(stable.total.read(), 0.99);
    meter_.slow_bucket =
        std::min(kBuckets - 1, bucket_of(static_cast<std::int64_t>(
                                   p99_us * 1000 * setup_.route.canary.max_latency_ratio)) +
                                   1);
    const Counts seen = canary.total.read();
    meter_.timed = from_bucket(seen, 0);
    meter_.slow = from_bucket(seen, meter_.slow_bucket);
  } else if (meter_.slow_bucket != 0) {
    const Counts seen = canary.total.read();
    out.timed = from_bucket(seen, 0) - meter_.timed;
    out.slow = from_bucket(seen, meter_.slow_bucket) - meter_.slow;
  }
  return out;
}

base::Result<Experiment::Move> Experiment::move() {
  const std::lock_guard lock(mutex_);
  const CanaryRules& rules = setup_.route.canary;
  Move out;
  if (rules.steps.empty() || setup_.route.stopped || setup_.stats.size() < 2) return out;
  const CanaryMove moved = move_canary(rules, canary_, counts(), setup_.clock->now_us());
  if (!moved.changed) return out;
  if (setup_.book != nullptr) TRY(setup_.book->keep(setup_.endpoint, moved.state.to_json()));
  canary_ = moved.state;
  meter_.step = setup_.stats.back()->requests();
  out.changed = true;
  out.state = canary_;
  if (canary_.phase == CanaryPhase::kRunning) out.share = rules.steps[canary_.step];
  if (canary_.phase == CanaryPhase::kDone) out.share = 1;
  return out;
}

CanaryState Experiment::canary() const {
  const std::lock_guard lock(mutex_);
  return canary_;
}

double Experiment::spread(const std::vector<Rewards>& arms) const {
  if (setup_.route.minimum_effect > 0) return setup_.route.minimum_effect;
  Rewards all;
  for (const Rewards& arm : arms) all.add(arm);
  return 0.1 * std::sqrt(std::max(1e-24, all.variance(setup_.route.reward)));
}

Json Experiment::arms_json(const std::vector<Rewards>& arms) const {
  Json out = Json::array();
  for (std::size_t i = 0; i < arms.size(); ++i)
    out.push(Json::object(
        {{"version", setup_.versions[i]},
         {"rewards", static_cast<std::int64_t>(arms[i].count)},
         {"mean", arms[i].count > 0 ? Json(arms[i].mean()) : Json()},
         {"interval", interval_json(mean_interval(arms[i], setup_.route.reward, spread(arms),
                                                  setup_.route.level))}}));
  return out;
}

// Each arm against the first. Several arms share the level (Bonferroni), so that one wrong finding among them stays as rare.
Json Experiment::differences_json(const std::vector<Rewards>& arms) const {
  Json out = Json::array();
  const RewardKind kind = setup_.route.reward;
  const double level = setup_.route.level / static_cast<double>(arms.size() - 1);
  for (std::size_t i = 1; i < arms.size(); ++i) {
    const Interval found = difference_interval(arms[i], arms[0], kind, spread(arms), level);
    Json row = Json::object({{"version", setup_.versions[i]},
                             {"against", setup_.versions[0]},
                             {"interval", interval_json(found)}});
    const bool decided = found.known && (found.low > 0 || found.high < 0);
    row.set("decided", decided)
        .set("winner", !decided ? Json() : Json(setup_.versions[found.low > 0 ? i : 0]))
        .set("confidence", found.known ? Json(1 - found.p) : Json());
    row.set("rewards", static_cast<std::int64_t>(arms[i].count + arms[0].count));
    const auto needed = found.known && !decided
                            ? rewards_until_decided(arms[i], arms[0], kind, spread(arms), level)
                            : 0;
    out.push(
        row.set("rewards_needed", needed > 0 ? Json(static_cast<std::int64_t>(needed)) : Json()));
  }
  return out;
}

Json Experiment::bandit_json() const {
  const RouteSpec& route = setup_.route;
  Json segments = Json::array();
  for (std::size_t s = 0; s <= route.segment_values.size(); ++s) {
    const std::vector<Rewards> arms = rewards_in(s);
    const Shares& shares = shares_in(s);
    segments.push(Json::object({{"segment", s == 0 ? "" : route.segment_values[s - 1]},
                                {"arms", arms_json(arms)},
                                {"shares", numbers(shares.weights)},
                                {"best_chance", numbers(shares.best_chance)},
                                {"regret", shares.regret},
                                {"exploring", shares.exploring}}));
  }
  return Json::object(
      {{"policy", kPolicyNames[static_cast<std::size_t>(route.bandit.policy)]},
       {"minimum_share", route.bandit.minimum_share},
       {"maximum_regret",
        std::isfinite(route.bandit.maximum_regret) ? Json(route.bandit.maximum_regret) : Json()},
       {"segments", std::move(segments)}});
}

Json Experiment::canary_json() const {
  const CanaryRules& rules = setup_.route.canary;
  Json out = canary_.to_json();
  out.set("steps", numbers(rules.steps))
      .set("step_seconds", static_cast<double>(rules.step_us) / 1e6)
      .set("step_requests", static_cast<std::int64_t>(rules.step_requests))
      .set("promote", rules.promote);
  if (setup_.stats.size() > 1)
    out.set("requests_in_step",
            static_cast<std::int64_t>(setup_.stats.back()->requests() - meter_.step));
  return out;
}

Json Experiment::report() const {
  const std::lock_guard lock(mutex_);
  const RouteSpec& route = setup_.route;
  Json out = Json::object({{"from_us", from_us_},
                           {"reward", kRewardNames[static_cast<std::size_t>(route.reward)]},
                           {"confidence", 1 - route.level},
                           {"stopped", route.stopped}});
  if (route.reward != RewardKind::kNone) {
    const std::vector<Rewards> arms = totals();
    out.set("arms", arms_json(arms)).set("differences", differences_json(arms));
  }
  if (route.kind == RouteSpec::Kind::kBandit) out.set("bandit", bandit_json());
  if (!route.canary.steps.empty()) out.set("canary", canary_json());
  return out;
}

}  // namespace maru::serve
