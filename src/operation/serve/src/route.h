#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::serve {

inline constexpr std::size_t kMaxArms = 16;
inline constexpr std::string_view kChampion = "champion";

// One arm as written: `version` when pinned, else an alias in `selector`.
struct ArmSpec {
  int version = 0;
  std::string selector;
  double weight = 1;
  std::uint64_t identity = 0;  // hash of what was written, so that a moved alias keeps its callers
};

// A route as written (DESIGN §6), checked.
struct RouteSpec {
  enum class Kind : std::uint8_t { kWeighted, kCanary };
  Kind kind = Kind::kWeighted;
  std::vector<ArmSpec> arms;  // weights >= 0 with a positive sum
  bool by_default = false;    // nothing was written: the champion, else the newest version
  std::string sticky_header = "X-Route-Key";
  ArmSpec shadow;  // weight 0 means none
  double max_error_rate =
      1;  // canary: above it (after kCanaryMinRequests) the last arm's traffic goes to the first
};
inline constexpr std::uint64_t kCanaryMinRequests = 50;

base::Result<RouteSpec> parse_route(const base::Json& route);

// Which arm answers. Keyed calls use weighted rendezvous hashing (score -w / ln u per arm): an arm's callers move only as far as weights change. Calls without a
// key use `chance` in [0, 1). `weights` and `identities` have the same length >= 1.
std::size_t pick_arm(const std::vector<double>& weights,
                     const std::vector<std::uint64_t>& identities, std::string_view sticky_key,
                     double chance);

}  // namespace maru::serve
