#include "log_rule.h"

#include <doctest/doctest.h>

#include <cmath>

#include "fake_model.h"
#include "maru/base/id.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {
base::Result<LogRule> rule(const std::string& text) {
  return LogRule::parse(*base::parse_json(text));
}
}  // namespace

TEST_CASE(
    "what a log rule keeps: the first rule that fits, else the share; the same for the same id") {
  const auto all = rule("null");
  REQUIRE(all);
  CHECK(all->keeps_all());
  const auto some =
      rule(R"({"sample": 0.25, "rules": [{"version": 3}, {"principal": "audit", "sample": 1},
                             {"version": 2, "principal": "load", "sample": 0}, {"slower_than_ms": 5}]})");
  REQUIRE(some);
  CHECK_FALSE(some->keeps_all());
  int kept = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string id = base::new_id(base::system_clock());
    const bool keeps = some->keeps({id, "x", 1, 1000});
    CHECK(some->keeps({id, "x", 1, 1000}) == keeps);
    kept += keeps;
    CHECK(some->keeps({id, "x", 3, 1000}));
    CHECK(some->keeps({id, "audit", 1, 1000}));
    CHECK(some->keeps({id, "x", 1, 5'000'000}));
    CHECK_FALSE(some->keeps({id, "load", 2, 9'000'000}));
  }
  CHECK(std::abs(kept - 1000) < 4 * std::sqrt(4000 * 0.25 * 0.75));
}

TEST_CASE("log rules that make no sense are refused") {
  for (const char* text :
       {"3", "[]", R"({"sample": 1.5})", R"({"sample": "x"})", R"({"rate": 1})", R"({"rules": 3})",
        R"({"rules": [3]})", R"({"rules": [{"who": "x"}]})",
        R"({"rules": [{"slower_than_ms": -1}]})", R"({"rules": [{"sample": -1}]})"}) {
    CAPTURE(text);
    CHECK(rule(text).error().code == base::Code::kInvalidArgument);
  }
  Stand stand;
  EndpointConfig config;
  config.name = "e";
  config.model = "m";
  config.log = *base::parse_json(R"({"sample": 2})");
  CHECK(stand.server->put_endpoint(config).error().code == base::Code::kInvalidArgument);
  config.log = *base::parse_json(R"({"sample": 0.5})");
  const auto again = EndpointConfig::from_json(config.to_json());
  REQUIRE(again);
  CHECK(again->log.dump() == config.log.dump());
}

TEST_CASE(
    "what is not sampled is counted; what is logged has its trace, its CPU time and every stage") {
  Stand stand(true);
  EndpointConfig config;
  config.name = "e";
  config.model = "m";
  config.log = *base::parse_json(R"({"sample": 0, "rules": [{"principal": "audit"}]})");
  REQUIRE(stand.server->put_endpoint(config));
  for (int i = 0; i < 7; ++i) CHECK(stand.ask() == 1);
  CHECK(stand.sink.records.empty());
  CHECK(stand.server->status("e")->not_sampled == 7);
  CHECK(stand.server->metrics_text().find("maru_log_not_sampled_total{endpoint=\"e\"} 7\n") !=
        std::string::npos);
  base::StageTimes times;
  int written = 0;
  const WriteAnswer write = [&](const Answer& answer, const model::Predictions& numbers) {
    ++written;
    CHECK(answer.version == 1);
    CHECK(answer.bundle->signature().inputs.size() == 1);
    CHECK(numbers.rows == 1);
    stand.clock.advance_us(40);
  };
  CallOptions call;
  call.principal = "audit";
  call.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  call.times = &times;
  call.write = &write;
  CHECK(stand.ask(call) == 1);
  CHECK(written == 1);
  CHECK(times.post_ns == 40'000);
  CHECK(times.cpu_ns >= 0);
  CHECK(times.features_ns == -1);
  REQUIRE(stand.sink.records.size() == 1);
  const PredictionRecord& record = stand.sink.records.back();
  CHECK(record.trace_id == call.trace_id);
  CHECK(record.post_ns == 40'000);
  CHECK(record.cpu_ns >= 0);
  CHECK(record.total_ns == record.parse_ns + record.queue_ns + record.model_ns + 40'000);
  const auto status = stand.server->status("e");
  CHECK(status->cpu_calls >= 1);
  CHECK(status->stages.back().first == "post");
  CHECK(stand.server->totals().front().post_ns == 40'000);
}

TEST_CASE("one call in sixteen of a thread has its CPU time measured") {
  Stand stand(true);
  REQUIRE(stand.put());
  for (int i = 0; i < 160; ++i) CHECK(stand.ask() == 1);
  CHECK(stand.server->status("e")->cpu_calls == 10);
}
