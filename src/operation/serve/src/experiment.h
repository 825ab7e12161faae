#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "reward_book.h"
#include "route.h"
#include "telemetry.h"

namespace maru::serve {

// Shares of traffic by segment, one weight an arm; row 0 is for calls of no named segment.
using ShareTable = std::vector<std::vector<double>>;

// What a route with several arms has learned: rewards by arm and segment, and how far a canary has come. Lives as long as the route that was written (a canary:
// as long as its versions), and over restarts through the book. Without a book it takes no rewards and forgets its steps. Thread safe.
class Experiment {
  struct Key {};  // only open() makes one

 public:
  struct Setup {
    std::string endpoint;
    RouteSpec route;
    std::vector<int> versions;  // of the arms, in their order
    std::vector<std::shared_ptr<VersionStats>> stats;
    std::string key;  // what a standing of the book must match
    base::Clock* clock = nullptr;
    RewardBook* book = nullptr;
    std::uint64_t seed = 0;
  };
  static base::Result<std::shared_ptr<Experiment>> open(Setup setup);
  Experiment(Key, Setup setup) : setup_(std::move(setup)) {}

  const RouteSpec& route() const { return setup_.route; }
  // The arms of later versions: the same route, an alias that moved.
  void arms(std::vector<int> versions, std::vector<std::shared_ptr<VersionStats>> stats);

  // Rows whose reward was not known before count. True when the shares should be looked at again.
  base::Result<bool> reward(const std::vector<RewardRow>& rows, std::uint64_t& fresh);
  ShareTable shares() const;
  // The canary's next step, end or roll-back, durable when it returns; nothing for other routes.
  struct Move {
    bool changed = false;
    CanaryState state;
    double share = 0;  // of the canary, from now on
  };
  base::Result<Move> move();
  CanaryState canary() const;

  // Evidence for people: see docs/routing.md.
  base::Json report() const;

 private:
  struct Meter {  // what a canary's counters showed when the measuring began
    std::uint64_t stable_requests = 0, stable_errors = 0, requests = 0, errors = 0, step = 0;
    std::uint64_t timed = 0, slow = 0;
    std::size_t slow_bucket = 0;  // 0: not known yet
  };
  void start_meter();
  CanaryCounts counts();
  std::vector<Rewards> totals() const;                         // by arm
  std::vector<Rewards> rewards_in(std::size_t segment) const;  // by arm
  const Shares& shares_in(std::size_t segment) const;          // made anew when rewards have come
  double spread(const std::vector<Rewards>& arms) const;
  base::Json arms_json(const std::vector<Rewards>& arms) const;
  base::Json differences_json(const std::vector<Rewards>& arms) const;
  base::Json bandit_json() const;
  base::Json canary_json() const;

  Setup setup_;
  mutable std::mutex mutex_;
  std::int64_t from_us_ = 0;
  RewardSums sums_;
  std::uint64_t rewards_ = 0;  // all of them
  struct Known {
    std::uint64_t rewards = 0;  // of the segment when its shares were made
    std::size_t arms = 0;
    Shares shares;
  };
  mutable std::vector<Known> known_;     // by segment
  mutable std::uint64_t looked_at_ = 0;  // of them, when the shares were last made
  CanaryState canary_;
  Meter meter_;
};

}  // namespace maru::serve
