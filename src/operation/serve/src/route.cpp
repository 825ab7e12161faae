#include "route.h"

#include "declared.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "maru/base/hash.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Code;
using base::Json;

base::Result<ArmSpec> parse_arm(const Json& value, std::string_view where) {
  ArmSpec arm;
  if (value.is_int()) {
    if (value.as_int() < 1 || value.as_int() > 2'000'000'000) {
      return base::fail(Code::kInvalidArgument,
                        std::string(where) + " is not a version: " + value.dump(),
                        "versions count from 1");
    }
    arm.version = static_cast<int>(value.as_int());
    arm.identity = base::hash64(value.dump());
    return arm;
  }
  const std::string text = value.as_string();
  if (text.empty()) {
    return base::fail(
        Code::kInvalidArgument,
        std::string(where) + " needs a version number or an alias, got " + value.dump(),
        R"(write 3 or "champion")");
  }
  if (text.find_first_not_of("0123456789") == std::string::npos && text.size() < 10)
    return parse_arm(Json(std::stoi(text)), where);
  arm.selector = text;
  arm.identity = base::hash64(text);
  return arm;
}

base::Status parse_arms(const Json& arms, RouteSpec& out) {
  if (!arms.is_array() || arms.size() == 0 || arms.size() > kMaxArms) {
    return base::fail(Code::kInvalidArgument,
                      "route.arms needs 1 to " + std::to_string(kMaxArms) + " arms",
                      R"(write [{"version": "champion", "weight": 1}])");
  }
  double sum = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const std::string where = "route.arms[" + std::to_string(i) + "]";
    const Json& item = arms.at(i);
    TRY_ASSIGN(ArmSpec arm, parse_arm(item.has("version") ? item["version"] : item["selector"],
                                      where + ".version"));
    arm.weight = item.has("weight") ? item["weight"].as_double(-1) : 1;
    if (!std::isfinite(arm.weight) || arm.weight < 0)
      return base::fail(Code::kInvalidArgument,
                        where + ".weight is not a number from 0 up: " + item["weight"].dump());
    sum += arm.weight;
    for (const ArmSpec& other : out.arms) {
      if (other.identity == arm.identity)
        return base::fail(
            Code::kInvalidArgument,
            where + " names a version that another arm has: " + item["version"].dump());
    }
    out.arms.push_back(std::move(arm));
  }
  if (sum <= 0 || !std::isfinite(sum))
    return base::fail(Code::kInvalidArgument, "route.arms have no weight",
                      "give at least one arm a positive weight");
  return {};
}

base::Status check_keys(const Json& route) {
  static const std::vector<std::string> kKnown = {
      "kind",    "arms",         "sticky",         "shadow",        "rules",
      "stopped", "reward",       "minimum_effect", "confidence",    "max_error_rate",
      "steps",   "step_seconds", "step_requests",  "rollback_on",   "max_latency_ratio",
      "promote", "policy",       "epsilon",        "minimum_share", "maximum_regret",
      "segments"};
  if (!route.is_object()) return {};
  return known_keys(route, "route has an unknown key:", kKnown);
}

// The place of the word among the known ones; the first when it is not there.
base::Result<std::size_t> one_of(const Json& route, const std::string& key,
                                 const std::vector<std::string>& known) {
  const std::string word = route[key].as_string_or(known.front());
  const auto at = std::find(known.begin(), known.end(), word);
  if (at != known.end()) return static_cast<std::size_t>(at - known.begin());
  const std::string near = base::did_you_mean(word, known);
  return base::fail(Code::kInvalidArgument, "route." + key + " is unknown: " + word,
                    near.empty() ? "known: " + base::join(known, ", ") : near);
}

base::Status read_number(const Json& route, const std::string& key, double low, double high,
                         double& out) {
  if (!route.has(key) || route[key].is_null()) return {};
  const double value = route[key].as_double(std::nan(""));
  if (!route[key].is_number() || !(value >= low && value <= high))
    return base::fail(Code::kInvalidArgument,
                      "route." + key + " is not a number from " + base::format_double(low) +
                          " to " + base::format_double(high) + ": " + route[key].dump());
  out = value;
  return {};
}

// 0.05 or "5%".
base::Result<double> share_of(const Json& value, const std::string& where) {
  double out = value.is_number() ? value.as_double() : std::nan("");
  const std::string text = value.as_string();
  if (text.size() > 1 && text.back() == '%') {
    double percent = 0;
    const char* end = text.data() + text.size() - 1;
    if (const auto read = std::from_chars(text.data(), end, percent); read.ptr == end)
      out = percent / 100;
  }
  if (!(out > 0 && out <= 1))
    return base::fail(Code::kInvalidArgument, where + " is not a share: " + value.dump(),
                      R"(write 0.05 or "5%")");
  return out;
}

base::Status parse_rules(const Json& rules, RouteSpec& out) {
  if (rules.is_null()) return {};
  if (!rules.is_array() || rules.size() > kMaxRules)
    return base::fail(Code::kInvalidArgument,
                      "route.rules is a list of up to " + std::to_string(kMaxRules) + " rules");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string where = "route.rules[" + std::to_string(i) + "]";
    const Json& item = rules.at(i);
    HeaderRule rule{item["header"].as_string(), item["value"].as_string(), 0};
    if (rule.header.empty() || !item["value"].is_string())
      return base::fail(Code::kInvalidArgument, where + " needs `header`, `value` and `version`",
                        R"(write {"header": "X-Team", "value": "beta", "version": 3})");
    TRY_ASSIGN(const ArmSpec wanted, parse_arm(item["version"], where + ".version"));
    const auto at = std::find_if(out.arms.begin(), out.arms.end(), [&](const ArmSpec& arm) {
      return arm.identity == wanted.identity;
    });
    if (at == out.arms.end())
      return base::fail(Code::kInvalidArgument,
                        where + " names a version that is no arm: " + item["version"].dump(),
                        "add it to route.arms, with weight 0 if only rules should reach it");
    rule.arm = static_cast<std::size_t>(at - out.arms.begin());
    out.rules.push_back(std::move(rule));
  }
  return {};
}

base::Status parse_rewards(const Json& route, RouteSpec& out) {
  TRY_ASSIGN(const std::size_t kind, one_of(route, "reward", {"none", "binary", "continuous"}));
  out.reward = static_cast<RewardKind>(kind);
  double confidence = 0.95;
  TRY(read_number(route, "confidence", 0.5, 0.9999, confidence));
  out.level = 1 - confidence;
  return read_number(route, "minimum_effect", 0, 1e12, out.minimum_effect);
}

base::Status parse_canary(const Json& route, RouteSpec& out) {
  CanaryRules& canary = out.canary;
  canary.reward = out.reward;
  canary.max_error_rate = route.has("max_error_rate") ? out.max_error_rate : 0.01;
  const Json& steps = route["steps"];
  if (steps.is_null()) return {};
  if (out.arms.size() != 2)
    return base::fail(Code::kInvalidArgument, "a canary with steps has exactly two arms",
                      "the first is the stable one, the second the canary");
  if (!steps.is_array() || steps.size() == 0 || steps.size() > 20)
    return base::fail(Code::kInvalidArgument, "route.steps is a list of 1 to 20 shares",
                      R"(write ["5%", "25%", "100%"])");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    TRY_ASSIGN(const double share, share_of(steps.at(i), "route.steps[" + std::to_string(i) + "]"));
    if (!canary.steps.empty() && share <= canary.steps.back())
      return base::fail(Code::kInvalidArgument, "route.steps do not rise: " + steps.dump());
    canary.steps.push_back(share);
  }
  double seconds = 600, requests = 200;
  TRY(read_number(route, "step_seconds", 0, 30 * 86'400, seconds));
  TRY(read_number(route, "step_requests", 1, 1e12, requests));
  TRY(read_number(route, "max_latency_ratio", 1, 1000, canary.max_latency_ratio));
  canary.step_us = static_cast<std::int64_t>(seconds * 1e6);
  canary.step_requests = static_cast<std::uint64_t>(requests);
  canary.promote = !route.has("promote") || route["promote"].as_bool();
  if (!route.has("rollback_on")) return {};
  canary.on_errors = canary.on_latency = canary.on_reward = false;
  for (const Json& item : route["rollback_on"].items()) {
    TRY_ASSIGN(const std::size_t which, one_of(Json::object({{"rollback_on", item}}), "rollback_on",
                                               {"errors", "latency_p99", "reward"}));
    (which == 0 ? canary.on_errors : which == 1 ? canary.on_latency : canary.on_reward) = true;
  }
  if (canary.on_reward && out.reward == RewardKind::kNone)
    return base::fail(Code::kInvalidArgument,
                      "route.rollback_on names reward, and route.reward is not set",
                      "set reward to binary or continuous");
  return {};
}

base::Status parse_bandit(const Json& route, RouteSpec& out) {
  BanditRules& bandit = out.bandit;
  if (!route.has("reward")) out.reward = RewardKind::kBinary;
  if (out.reward == RewardKind::kNone)
    return base::fail(Code::kInvalidArgument, "a bandit route learns from rewards: reward is none",
                      "set reward to binary or continuous");
  TRY_ASSIGN(const std::size_t policy,
             one_of(route, "policy", {"thompson", "ucb", "epsilon_greedy"}));
  constexpr Policy kPolicies[] = {Policy::kThompson, Policy::kUcb, Policy::kEpsilonGreedy};
  bandit.policy = kPolicies[policy];
  bandit.reward = out.reward;
  TRY(read_number(route, "epsilon", 0, 1, bandit.epsilon));
  TRY(read_number(route, "minimum_share", 0, 1.0 / static_cast<double>(out.arms.size()),
                  bandit.minimum_share));
  TRY(read_number(route, "maximum_regret", 0, 1e300, bandit.maximum_regret));
  const Json& segments = route["segments"];
  if (segments.is_null()) return {};
  out.segment_header = segments["header"].as_string();
  for (const Json& value : segments["values"].items())
    out.segment_values.push_back(value.as_string());
  if (out.segment_header.empty() || out.segment_values.empty() ||
      out.segment_values.size() > kMaxSegments)
    return base::fail(
        Code::kInvalidArgument,
        "route.segments needs a header and 1 to " + std::to_string(kMaxSegments) + " values",
        R"(write {"header": "X-Country", "values": ["KR", "US"]})");
  return {};
}

}  // namespace

base::Result<RouteSpec> parse_route(const Json& route) {
  RouteSpec out;
  if (!route.is_null() && !route.is_object())
    return base::fail(Code::kInvalidArgument,
                      "route is not an object: " + route.dump().substr(0, 100));
  TRY(check_keys(route));
  TRY_ASSIGN(const std::size_t kind, one_of(route, "kind", {"weighted", "canary", "bandit"}));
  out.kind = static_cast<RouteSpec::Kind>(kind);
  if (route.has("arms") && !route["arms"].is_null()) {
    TRY(parse_arms(route["arms"], out));
  } else {
    out.by_default = true;
    out.arms.push_back({0, std::string(kChampion), 1, base::hash64(kChampion)});
  }
  if (out.kind != RouteSpec::Kind::kWeighted && out.arms.size() < 2)
    return base::fail(Code::kInvalidArgument,
                      "a " + route["kind"].as_string() + " route needs two arms",
                      "the first is the stable one");
  const Json& sticky = route["sticky"];
  if (sticky["header"].is_string()) out.sticky_header = sticky["header"].as_string();
  out.stopped = route["stopped"].as_bool();
  TRY(read_number(route, "max_error_rate", 0, 1, out.max_error_rate));
  TRY(parse_rules(route["rules"], out));
  TRY(parse_rewards(route, out));
  if (out.kind == RouteSpec::Kind::kCanary) TRY(parse_canary(route, out));
  if (out.kind == RouteSpec::Kind::kBandit) TRY(parse_bandit(route, out));
  out.shadow.weight = 0;
  if (!route["shadow"].is_null()) {
    const Json& shadow = route["shadow"];
    TRY_ASSIGN(out.shadow,
               parse_arm(shadow.is_object() ? shadow["version"] : shadow, "route.shadow"));
  }
  return out;
}

std::size_t pick_arm(const std::vector<double>& weights,
                     const std::vector<std::uint64_t>& identities, std::string_view sticky_key,
                     double chance) {
  if (weights.size() == 1) return 0;
  if (sticky_key.empty()) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double at = chance * sum;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] <= 0) continue;
      last = i;
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    return last;
  }
  std::size_t best = 0;
  double best_score = -1;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    // 53 bits, never 0 or 1.
    const double u =
        (static_cast<double>(base::hash64(sticky_key, identities[i]) >> 11) + 0.5) * 0x1p-53;
    const double score = -weights[i] / std::log(u);
    if (score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace maru::serve
