#include <doctest/doctest.h>

#include <cmath>

#include "fake_model.h"
#include "route.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {
RouteSpec route_of(const std::string& text) {
  auto out = parse_route(*base::parse_json(text));
  REQUIRE(out);
  return *out;
}
std::size_t pick(const RouteSpec& route, std::string_view key, double chance = 0) {
  std::vector<double> weights;
  std::vector<std::uint64_t> identities;
  for (const auto& arm : route.arms) {
    weights.push_back(arm.weight);
    identities.push_back(arm.identity);
  }
  return pick_arm(weights, identities, key, chance);
}
}  // namespace

TEST_CASE("a route is read and checked") {
  const RouteSpec empty = route_of("null");
  CHECK(empty.by_default);
  CHECK(empty.arms.size() == 1);
  CHECK(empty.arms[0].selector == "champion");
  const RouteSpec two = route_of(
      R"({"arms":[{"version":3,"weight":0.9},{"version":"candidate","weight":0.1}],"shadow":{"version":2},"sticky":{"header":"X-User"}})");
  CHECK(two.arms[0].version == 3);
  CHECK(two.arms[1].selector == "candidate");
  CHECK(two.shadow.version == 2);
  CHECK(two.shadow.weight > 0);
  CHECK(two.sticky_header == "X-User");
  CHECK(route_of(R"({"arms":[{"version":"12"}]})").arms[0].version == 12);
  for (
      const char* bad :
      {"3",
       R"({"kind":"weigted"})",
       R"({"arms":[]})",
       R"({"arms":[{"version":0}]})",
       R"({"arms":[{"version":1,"weight":-1}]})",
       R"({"arms":[{"version":1,"weight":0}]})",
       R"({"arms":[{"version":1},{"version":1}]})",
       R"({"kind":"canary","arms":[{"version":1}]})",
       R"({"kind":"canary","max_error_rate":2,"arms":[{"version":1},{"version":2}]})",
       R"({"shadow":-1})",
       R"({"kind":"bandit"})",
       R"({"kind":"bandit","arms":[{"version":1},{"version":2}],"reward":"none"})",
       R"({"kind":"bandit","arms":[{"version":1},{"version":2}],"policy":"thomson"})",
       R"({"kind":"bandit","arms":[{"version":1},{"version":2}],"minimum_share":0.6})",
       R"({"kind":"bandit","arms":[{"version":1},{"version":2}],"segments":{"header":"X"}})",
       R"({"kind":"canary","arms":[{"version":1},{"version":2}],"steps":[0.5,0.1]})",
       R"({"kind":"canary","arms":[{"version":1},{"version":2}],"steps":["150%"]})",
       R"({"kind":"canary","arms":[{"version":1},{"version":2}],"steps":[1],"rollback_on":["reward"]})",
       R"({"kind":"canary","arms":[{"version":1},{"version":2}],"steps":[1],"rollback_on":["error"]})",
       R"({"arms":[{"version":1}],"rules":[{"header":"X","value":"y","version":2}]})",
       R"({"arms":[{"version":1}],"stiky":{}})",
       R"({"arms":[{"version":1}],"confidence":2})"}) {
    CAPTURE(bad);
    const auto parsed = parse_route(*base::parse_json(bad));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == base::Code::kInvalidArgument);
  }
}

TEST_CASE("a key keeps its arm, and moves only as far as weights move") {
  const RouteSpec five =
      route_of(R"({"arms":[{"version":"champion","weight":0.95},{"version":2,"weight":0.05}]})");
  const RouteSpec quarter =
      route_of(R"({"arms":[{"version":"champion","weight":0.75},{"version":2,"weight":0.25}]})");
  int canary5 = 0, canary25 = 0, back = 0;
  const int n = 20'000;
  for (int i = 0; i < n; ++i) {
    const std::string key = "user-" + std::to_string(i);
    const std::size_t a = pick(five, key), b = pick(quarter, key);
    CHECK(a == pick(five, key, 0.7));  // chance plays no part
    canary5 += a == 1;
    canary25 += b == 1;
    back += a == 1 && b == 0;
  }
  CHECK(back == 0);  // who was in the canary stays in it
  CHECK(std::abs(canary5 - 0.05 * n) < 4 * std::sqrt(n * 0.05 * 0.95));
  CHECK(std::abs(canary25 - 0.25 * n) < 4 * std::sqrt(n * 0.25 * 0.75));
}

TEST_CASE("calls without a key follow the weights") {
  Stand stand;
  REQUIRE(stand.put(
      R"({"arms":[{"version":1,"weight":3},{"version":2,"weight":0},{"version":3,"weight":1}]})"));
  int first = 0, none = 0;
  const int n = 8000;
  for (int i = 0; i < n; ++i) {
    const int version = stand.ask();
    REQUIRE(version > 0);
    first += version == 1;
    none += version == 2;
  }
  CHECK(none == 0);
  CHECK(std::abs(first - 0.75 * n) < 4 * std::sqrt(n * 0.75 * 0.25));
  const auto status = *stand.server->status("e");
  CHECK(status.arms.size() == 3);
  CHECK(status.arms[0].requests == static_cast<std::uint64_t>(first));
  CHECK(status.arms[2].requests == static_cast<std::uint64_t>(n - first));
}
