#include <algorithm>
#include <mutex>
#include <vector>

#include "house.h"

namespace maru::tracking {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("the keys of an experiment are those of its own runs, flushed or not") {
  TestHouse house;
  const std::string mine = house.experiment("mine"), other = house.experiment("other");
  const std::string run = house.run(mine, "a", {{"team", "x"}});
  REQUIRE(house.runs().log(run, {{{"lr", "1"}}, {}, {{"loss", 0.5, 0, 0}, {"auc", 1, 0, 0}}}));
  REQUIRE(house.runs().log(house.run(other, "b"), {{{"depth", "3"}}, {}, {{"rmse", 1, 0, 0}}}));
  for (int round = 0; round < 2; ++round) {
    const auto keys = house.runs().keys(mine);
    REQUIRE(keys.has_value());
    CHECK(keys->metrics == Strings{"auc", "loss"});
    CHECK(keys->params == Strings{"lr"});
    CHECK(std::find(keys->tags.begin(), keys->tags.end(), "team") != keys->tags.end());
    house.close();
    house.open();
  }
  CHECK(house.runs().keys("no such experiment")->metrics.empty());
}

TEST_CASE("the listener hears of every kind of change with the experiment and the run") {
  TestHouse house;
  std::mutex mutex;
  std::vector<std::pair<std::string, std::string>> heard;
  house.runs().on_change([&](const std::string& experiment, const std::string& run) {
    const std::lock_guard lock(mutex);
    heard.emplace_back(experiment, run);
  });
  const std::string e = house.experiment("e"), run = house.run(e, "a");
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    const bool good =
        !heard.empty() && std::all_of(heard.begin(), heard.end(), [&](const auto& one) {
          return one.first == e && one.second == run;
        });
    heard.clear();
    return good;
  };
  CHECK(told());
  REQUIRE(house.runs().log(run, {{}, {}, {{"loss", 1, 0, 0}}}));
  CHECK(told());
  REQUIRE(house.runs().log(run, {{{"lr", "1"}}, {}, {}}));
  CHECK(told());
  REQUIRE(house.runs().log(run, {{}, {{"team", "x"}}, {}}));
  CHECK(told());
  REQUIRE(house.runs().delete_tag(run, "team"));
  CHECK(told());
  REQUIRE(house.runs().finish_run(run, "FINISHED"));
  CHECK(told());
  REQUIRE(house.runs().delete_run(run));
  CHECK(told());
  REQUIRE(house.runs().restore_run(run));
  CHECK(told());
}

}  // namespace
}  // namespace maru::tracking
