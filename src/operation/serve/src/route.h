#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bandit.h"
#include "canary.h"
#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::serve {

inline constexpr std::size_t kMaxArms = 16;
inline constexpr std::size_t kMaxRules = 64;
inline constexpr std::size_t kMaxSegments = 63;  // beside "all others"
inline constexpr std::string_view kChampion = "champion";

// One arm as written: `version` when pinned, else an alias in `selector`.
struct ArmSpec {
  int version = 0;
  std::string selector;
  double weight = 1;
  std::uint64_t identity = 0;  // hash of what was written, so that a moved alias keeps its callers
};

// A call with this header value is answered by this arm, whatever the weights.
struct HeaderRule {
  std::string header, value;
  std::size_t arm = 0;
};

// A route as written (DESIGN §6), checked.
struct RouteSpec {
  enum class Kind : std::uint8_t { kWeighted, kCanary, kBandit };
  Kind kind = Kind::kWeighted;
  std::vector<ArmSpec> arms;  // weights >= 0 with a positive sum; the first is the stable one
  bool by_default = false;    // nothing was written: the champion, else the newest version
  std::string sticky_header = "X-Route-Key";
  ArmSpec shadow;  // weight 0 means none
  std::vector<HeaderRule> rules;
  bool stopped = false;  // the kill switch: all traffic to the first arm
  // canary: above it (after kCanaryMinRequests) the last arm's traffic goes to the first at once
  double max_error_rate = 1;
  CanaryRules canary;
  BanditRules bandit;
  std::string segment_header;               // bandit: learns by value of this header
  std::vector<std::string> segment_values;  // segment i + 1; every other value is segment 0
  RewardKind reward = RewardKind::kNone;
  double minimum_effect =
      0;  // difference of mean rewards that is worth finding; 0: a tenth of a deviation
  double level = 0.05;   // of the intervals: 1 - confidence
  bool learns() const {  // from rewards, or step by step
    return arms.size() > 1 && (reward != RewardKind::kNone || !canary.steps.empty());
  }
};
inline constexpr std::uint64_t kCanaryMinRequests = 50;

base::Result<RouteSpec> parse_route(const base::Json& route);

// Which arm answers. Keyed calls use weighted rendezvous hashing (score -w / ln u per arm): an arm's callers move only as far as weights change. Calls without a
// key use `chance` in [0, 1). `weights` and `identities` have the same length >= 1.
std::size_t pick_arm(const std::vector<double>& weights,
                     const std::vector<std::uint64_t>& identities, std::string_view sticky_key,
                     double chance);

}  // namespace maru::serve
