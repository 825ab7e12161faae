#include "route.h"

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

}  // namespace

base::Result<RouteSpec> parse_route(const Json& route) {
  RouteSpec out;
  if (!route.is_null() && !route.is_object())
    return base::fail(Code::kInvalidArgument,
                      "route is not an object: " + route.dump().substr(0, 100));
  const std::string kind = route["kind"].as_string_or("weighted");
  if (kind == "bandit")
    return base::fail(Code::kUnimplemented, "route.kind bandit is not there yet",
                      "use weighted or canary");
  if (kind != "weighted" && kind != "canary") {
    const std::vector<std::string> known = {"weighted", "canary"};
    return base::fail(Code::kInvalidArgument, "route.kind is unknown: " + kind,
                      base::did_you_mean(kind, known));
  }
  if (kind == "canary") out.kind = RouteSpec::Kind::kCanary;
  if (route.has("arms") && !route["arms"].is_null()) {
    TRY(parse_arms(route["arms"], out));
  } else {
    out.by_default = true;
    out.arms.push_back({0, std::string(kChampion), 1, base::hash64(kChampion)});
  }
  if (out.kind == RouteSpec::Kind::kCanary && out.arms.size() < 2)
    return base::fail(Code::kInvalidArgument, "a canary route needs two arms",
                      "the first is the stable one, the last the canary");
  const Json& sticky = route["sticky"];
  if (sticky["header"].is_string()) out.sticky_header = sticky["header"].as_string();
  if (route.has("max_error_rate")) {
    out.max_error_rate = route["max_error_rate"].as_double(-1);
    if (!(out.max_error_rate >= 0 && out.max_error_rate <= 1))
      return base::fail(Code::kInvalidArgument, "route.max_error_rate is not from 0 to 1: " +
                                                    route["max_error_rate"].dump());
  }
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
