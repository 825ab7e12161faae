#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "fake_model.h"
#include "maru/base/id.h"
#include "maru/base/rng.h"
#include "maru/store/database.h"
#include "prediction_id.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {

// A server with a database that outlives it.
struct Lab {
  std::unique_ptr<store::Database> db =
      *store::Database::open({.path = ":memory:", .readers = 1, .group_window_us = 0});
  std::vector<RouteDecision> decisions;
  FakeSource source;
  base::ManualClock clock;
  base::Pool loader{{"loader", 1, 1024}};
  std::unique_ptr<Server> server;

  Lab() {
    source.point("champion", 1);

    start();
  }
  void start() {
    server.reset();
    Server::Options options;
    options.source = &source;
    options.loader = &loader;
    options.clock = &clock;
    options.db = db.get();
    options.load = [this](const std::string& folder) { return source.load(folder); };
    options.on_decision = [this](const RouteDecision& decision) { decisions.push_back(decision); };
    server = std::make_unique<Server>(options);
  }
  base::Status put(const std::string& route) {
    EndpointConfig config;
    config.name = "e";
    config.model = "m";
    config.route = *base::parse_json(route);
    return server->put_endpoint(config);
  }
  Answer ask(const CallOptions& call = {}) {
    model::Predictions out;
    auto answer = server->predict("e", call, rows({7}), out);
    if (!answer) return {};
    return *answer;
  }
  std::map<int, int> ask_many(int calls) {
    std::map<int, int> out;
    for (int i = 0; i < calls; ++i) ++out[ask().version];
    return out;
  }
  base::Json experiment() { return server->status("e")->experiment; }
};

CallOptions with_header(const std::map<std::string, std::string>& headers) {
  CallOptions out;
  out.request = &headers;
  out.header = [](const void* request, std::string_view name) {
    const auto& all = *static_cast<const std::map<std::string, std::string>*>(request);
    const auto at = all.find(std::string(name));
    return at == all.end() ? std::string_view() : std::string_view(at->second);
  };
  return out;
}

constexpr const char* kBandit =
    R"({"kind":"bandit","arms":[{"version":1},{"version":2}],"minimum_share":0.02})";
constexpr const char* kCanary =
    R"({"kind":"canary","arms":[{"version":"champion"},{"version":2}],
        "steps":["10%","50%",1],"step_seconds":60,"step_requests":20})";

}  // namespace

TEST_CASE("an id carries its arm, and the choice can be told from it") {
  base::ManualClock clock;

  std::map<std::string, int> seen;
  for (int i = 0; i < 2000; ++i) {
    std::string id = base::new_id(clock);
    const double chance = chance_of(id);
    tag_id(id, 16385 + i % 3, 5);
    CHECK(base::is_id(id));
    CHECK(chance_of(id) == chance);
    const auto tag = read_tag(id);
    REQUIRE(tag);
    CHECK(tag->version_low == 1 + i % 3);
    CHECK(tag->segment == 5);
    ++seen[id];
  }
  CHECK(seen.size() == 2000);
  CHECK(read_tag(seen.begin()->first)->time_us / 1000 >= clock.now_ms());
  CHECK_FALSE(read_tag("x"));
}

TEST_CASE("a bandit learns from rewards which arm is better, and says why") {
  Lab lab;
  REQUIRE(lab.put(kBandit));
  base::Rng rng(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<RewardItem> items;
    for (int i = 0; i < 50; ++i) {
      const Answer answer = lab.ask();
      items.push_back({answer.id, rng.uniform() < (answer.version == 1 ? 0.10 : 0.25) ? 1.0 : 0.0});
    }
    const auto added = lab.server->reward("e", items);
    REQUIRE(added);
    CHECK(*added == items.size());
    lab.clock.advance_us(1'000'000);
    lab.server->tick();
  }
  const auto shares = lab.ask_many(2000);
  CHECK(shares.at(2) >= 1800);
  CHECK(shares.at(1) >= 10);  // the floor
  const base::Json told = lab.experiment();
  CHECK(told["bandit"]["segments"].at(0)["best_chance"].at(1).as_double() > 0.99);
  CHECK(told["arms"].at(1)["mean"].as_double() == doctest::Approx(0.25).epsilon(0.2));
  CHECK(told["differences"].at(0)["winner"].as_int() == 2);

  // What was learned survives a restart; so does what was in force when.
  const Answer before = lab.ask();
  const base::Json learned = lab.experiment()["bandit"];
  lab.start();
  REQUIRE(lab.put(kBandit));
  CHECK(lab.experiment()["bandit"].dump() == learned.dump());
  const auto told_again = lab.server->assignment("e", before.id);
  REQUIRE(told_again);
  CHECK(told_again->version == before.version);
  CHECK(told_again->version_without_key == before.version);
}

TEST_CASE("every assignment of a changing route can be told again from its id") {
  Lab lab;
  lab.clock.advance_us(86'400'000'000);  // ids never go back behind those of the tests before
  REQUIRE(lab.put(kBandit));
  std::map<std::string, int> given;
  base::Rng rng(4);
  for (int round = 0; round < 20; ++round) {
    std::vector<RewardItem> items;
    for (int i = 0; i < 30; ++i) {
      const Answer answer = lab.ask();
      given[answer.id] = answer.version;
      items.push_back({answer.id, rng.uniform() < (answer.version == 1 ? 0.2 : 0.6) ? 1.0 : 0.0});
    }
    lab.clock.advance_us(5'000);
    REQUIRE(lab.server->reward("e", items));
    lab.clock.advance_us(5'000);
  }
  for (const auto& [id, version] : given) {
    const auto told = lab.server->assignment("e", id);
    REQUIRE(told);
    CHECK(told->version == version);
    CHECK(told->version_without_key == version);
  }
}

TEST_CASE("a reward counts once, and only for an answer of the route") {
  Lab lab;
  REQUIRE(lab.put(kBandit));
  const std::string id = lab.ask().id;
  CHECK(*lab.server->reward("e", {{id, 1}}) == 1);
  CHECK(*lab.server->reward("e", {{id, 1}}) == 0);
  CHECK(*lab.server->reward("e", {{id, 0}, {id, 0}}) == 0);
  CHECK(lab.experiment()["arms"].at(0)["rewards"].as_int() +
            lab.experiment()["arms"].at(1)["rewards"].as_int() ==
        1);
  std::string other = lab.ask().id;
  tag_id(other, 77, 0);
  CHECK(lab.server->reward("e", {{other, 1}}).error().code == base::Code::kNotFound);
  CHECK(lab.server->reward("e", {{"nonsense", 1}}).error().code == base::Code::kNotFound);
  // All or nothing.
  CHECK(lab.server->reward("e", {{lab.ask().id, 1}, {lab.ask().id, 0.5}}).error().code ==
        base::Code::kInvalidArgument);
  CHECK(lab.experiment()["arms"].at(0)["rewards"].as_int() +
            lab.experiment()["arms"].at(1)["rewards"].as_int() ==
        1);
  REQUIRE(lab.put("null"));
  CHECK(lab.server->reward("e", {{id, 1}}).error().code == base::Code::kFailedPrecondition);
  CHECK(lab.server->reward("nobody", {{id, 1}}).error().code == base::Code::kNotFound);
}

TEST_CASE("segments learn apart") {
  Lab lab;
  REQUIRE(lab.put(
      R"({"kind":"bandit","arms":[{"version":1},{"version":2}],
          "segments":{"header":"X-Country","values":["KR","US"]}})"));
  base::Rng rng(5);
  const std::map<std::string, std::string> korea = {{"X-Country", "KR"}},
                                           states = {{"X-Country", "US"}};
  for (int i = 0; i < 1500; ++i) {
    for (const auto* headers : {&korea, &states}) {
      const Answer answer = lab.ask(with_header(*headers));
      const bool good = answer.version == (headers == &korea ? 1 : 2);
      REQUIRE(
          lab.server->reward("e", {{answer.id, rng.uniform() < (good ? 0.5 : 0.2) ? 1.0 : 0.0}}));
    }
  }
  int korea_first = 0, states_second = 0;
  for (int i = 0; i < 200; ++i) {
    korea_first += lab.ask(with_header(korea)).version == 1 ? 1 : 0;
    states_second += lab.ask(with_header(states)).version == 2 ? 1 : 0;
  }
  CHECK(korea_first >= 180);
  CHECK(states_second >= 180);
  const auto others = lab.ask_many(400);
  CHECK(others.at(1) > 120);
  CHECK(others.at(2) > 120);
}

TEST_CASE("a canary goes up by steps to the end, and asks for the alias to follow") {
  Lab lab;
  REQUIRE(lab.put(kCanary));
  CHECK(lab.ask_many(1000).at(2) == doctest::Approx(100).epsilon(0.4));
  lab.server->tick();
  CHECK(lab.decisions.empty());  // the time of the step is not over
  lab.clock.advance_us(61'000'000);
  lab.server->tick();
  REQUIRE(lab.decisions.size() == 1);
  CHECK(lab.decisions[0].kind == RouteDecision::Kind::kStep);
  CHECK(lab.decisions[0].share == 0.5);
  CHECK(lab.ask_many(1000).at(2) == doctest::Approx(500).epsilon(0.2));
  // A restart goes on where it was.
  lab.start();
  REQUIRE(lab.put(kCanary));
  CHECK(lab.ask_many(1000).at(2) == doctest::Approx(500).epsilon(0.2));
  lab.clock.advance_us(61'000'000);
  lab.server->tick();
  CHECK(lab.ask_many(100).at(2) == 100);
  lab.clock.advance_us(61'000'000);
  lab.server->tick();
  REQUIRE(lab.decisions.size() == 3);
  CHECK(lab.decisions[2].kind == RouteDecision::Kind::kPromote);
  CHECK(lab.decisions[2].move_alias);
  CHECK(lab.decisions[2].version == 2);
  lab.server->tick();
  CHECK(lab.decisions.size() == 3);
}

TEST_CASE(
    "a failing canary goes back by itself, stays back after a restart, and can be tried again") {
  Lab lab;
  REQUIRE(lab.put(kCanary));
  for (const auto& [version, bundle] : lab.source.made)
    if (version == 2)
      if (const auto alive = bundle.lock())
        static_cast<const FakeBundle*>(alive.get())->failing = true;
  // No caller notices: the stable version answers for it.
  CHECK(lab.ask_many(600).at(1) == 600);
  CHECK(lab.server->status("e")->arms[1].errors > 30);
  lab.server->tick();
  REQUIRE(lab.decisions.size() == 1);
  CHECK(lab.decisions[0].kind == RouteDecision::Kind::kRollBack);
  CHECK(lab.decisions[0].reason.find("requests failed") != std::string::npos);
  CHECK(lab.ask_many(300).at(1) == 300);
  CHECK(lab.server->status("e")->reason.find("rolled back") != std::string::npos);
  lab.start();
  REQUIRE(lab.put(kCanary));
  CHECK(lab.ask_many(300).at(1) == 300);
  REQUIRE(lab.server->forget_experiment("e"));
  REQUIRE(lab.put(kCanary));
  CHECK(lab.ask_many(300).count(2) == 1);
}

TEST_CASE("rules by header, the sticky header and the kill switch") {
  Lab lab;
  REQUIRE(lab.put(
      R"({"arms":[{"version":1,"weight":1},{"version":2,"weight":1},{"version":3,"weight":0}],
      "sticky":{"header":"X-User"},"rules":[{"header":"X-Team","value":"beta","version":3}]})"));
  const std::map<std::string, std::string> beta = {{"X-Team", "beta"}, {"X-User", "u"}};
  for (int i = 0; i < 50; ++i) CHECK(lab.ask(with_header(beta)).version == 3);
  std::map<int, int> users;
  for (int user = 0; user < 100; ++user) {
    const std::map<std::string, std::string> headers = {{"X-User", std::to_string(user)}};
    const int first = lab.ask(with_header(headers)).version;
    ++users[first];
    for (int i = 0; i < 5; ++i) CHECK(lab.ask(with_header(headers)).version == first);
  }
  CHECK(users.size() == 2);
  CHECK(users.count(3) == 0);
  REQUIRE(lab.put(
      R"({"arms":[{"version":1},{"version":2}],"stopped":true,"rules":[{"header":"X-Team","value":"beta","version":2}]})"));
  CHECK(lab.ask(with_header(beta)).version == 1);
  CHECK(lab.ask_many(100).at(1) == 100);
}
