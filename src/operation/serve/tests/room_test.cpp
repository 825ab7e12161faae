#include <doctest/doctest.h>

#include "fake_model.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {

// Every fake version holds 20 bytes.
Stand with_cap(std::uint64_t bytes) {
  return Stand(false, [bytes](Server::Options& options) { options.memory_bytes = bytes; });
}

CallOptions of_version(int version) {
  CallOptions out;
  out.version = version;
  return out;
}

}  // namespace

TEST_CASE("under the cap, what callers only named goes first: the longest unused") {
  Stand stand = with_cap(60);
  REQUIRE(stand.put());
  CHECK(stand.ask(of_version(2)) == 2);
  stand.clock.advance_us(1000);
  CHECK(stand.ask(of_version(3)) == 3);
  stand.clock.advance_us(1000);
  CHECK(stand.ask(of_version(2)) == 2);
  stand.source.set_newest(4);
  stand.clock.advance_us(1000);
  CHECK(stand.ask(of_version(4)) == 4);
  CHECK(stand.source.alive() == std::vector<int>{1, 2, 4});
  CHECK(stand.source.loads[2] == 1);
  CHECK(stand.ask(of_version(3)) == 3);  // comes again when it is asked for
  CHECK(stand.source.loads[3] == 2);
  CHECK(stand.ask() == 1);
}

TEST_CASE("under the cap, a model on its own goes whole, one that was loaded on purpose stays") {
  Stand stand = with_cap(40);
  CHECK(stand.ask({}, "m") == 1);
  REQUIRE(stand.put(R"({"arms":[{"version":2}]})", "e"));
  REQUIRE(stand.put(R"({"arms":[{"version":3}]})", "f"));
  CHECK(stand.source.alive() == std::vector<int>{2, 3});
  const auto full = stand.server->load("m");
  REQUIRE_FALSE(full);
  CHECK(full.error().text().find("serve.memory") != std::string::npos);
  CHECK(stand.ask() == 2);
  REQUIRE(stand.server->remove_endpoint("f"));
  REQUIRE(stand.server->load("m"));
  const auto refused = stand.put(R"({"arms":[{"version":3}]})", "f");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::kUnavailable);
  CHECK(stand.ask({}, "m") == 1);
  CHECK(stand.source.alive() == std::vector<int>{2, 1});
}

TEST_CASE("under the cap, what waits for a roll-back goes before a new version is refused") {
  Stand stand = with_cap(40);
  REQUIRE(stand.put());
  for (const int version : {2, 3, 1, 2}) {
    stand.source.point("champion", version);
    REQUIRE(stand.server->refresh("m"));
    CHECK(stand.ask() == version);
    CHECK(stand.source.alive().size() == 2);
  }
}

TEST_CASE("a version above the endpoint's bounds does not come into the route") {
  Stand stand;
  stand.bounds = *base::parse_json(R"({"memory_bytes": 25, "p99_us": 1000})");
  REQUIRE(stand.put());
  CHECK(stand.ask() == 1);
  stand.bounds = *base::parse_json(R"({"memory_bytes": 15})");
  const auto refused = stand.put(R"({"arms":[{"version":2}]})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::kRefused);
  CHECK(refused.error().message.find("20 bytes of memory, above the declared 15") !=
        std::string::npos);
  CHECK(stand.ask() == 1);
  CHECK(stand.server->status("e")->reason.find("not safe to serve") != std::string::npos);
  stand.bounds = *base::parse_json(R"({"memory_byte": 15})");
  CHECK(stand.put().error().hint.find("memory_bytes") != std::string::npos);
}

TEST_CASE("the p99 of the sample rows is measured before a version serves") {
  Stand stand;
  stand.source.row_us = 700;
  stand.source.clock = &stand.clock;
  stand.bounds = *base::parse_json(R"({"p99_us": 500})");
  const auto refused = stand.put();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("p99 is 700 us a call, above the declared 500") !=
        std::string::npos);
  stand.bounds = *base::parse_json(R"({"p99_us": 700})");
  CHECK(stand.put());
  CHECK(stand.ask() == 1);
}

TEST_CASE("a version is tried on what the endpoint was asked before it takes over") {
  FakeRehearsal rehearsal;
  Stand stand(false, [&](Server::Options& options) { options.rehearsal = &rehearsal; });
  REQUIRE(stand.put());
  CHECK(rehearsal.asked.empty());  // nobody was asked yet
  stand.source.point("champion", 2);
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask() == 2);
  CHECK(rehearsal.asked == std::vector<std::string>{"e"});
}
