#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "fake_model.h"
#include "maru/base/text.h"
#include "telemetry.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

TEST_CASE("buckets cover 128 ns to minutes, none wider than an eighth") {
  for (const std::int64_t ns :
       {0ll, 1ll, 127ll, 128ll, 1000ll, 8192ll, 999'999ll, 1'000'000'000ll, 60'000'000'000ll}) {
    const std::size_t bucket = bucket_of(ns);
    CHECK(bucket_low_ns(bucket) <= static_cast<double>(ns));
    CHECK(static_cast<double>(ns) < bucket_low_ns(bucket + 1));
    if (bucket > 0) CHECK(bucket_low_ns(bucket + 1) / bucket_low_ns(bucket) <= 1.1251);
  }
  CHECK(bucket_of(INT64_MAX) == kBuckets - 1);
  CHECK(bucket_of(-5) == 0);
}

TEST_CASE("quantiles of known numbers") {
  Counts counts{};
  CHECK(quantile_us(counts, 0.5) == 0);
  for (int i = 1; i <= 1000; ++i) ++counts[bucket_of(i * 1000)];
  CHECK(quantile_us(counts, 0.5) == doctest::Approx(500).epsilon(0.07));
  CHECK(quantile_us(counts, 0.99) == doctest::Approx(990).epsilon(0.07));
}

TEST_CASE("seconds, rates and the five minutes of latency") {
  EndpointStats stats;
  auto one = stats.version("m", 1), two = stats.version("m", 2);
  const std::int64_t t0 = 1'700'000'000'000'000;
  const auto record = [&](VersionStats& version, std::int64_t second, std::int64_t ns,
                          bool failed = false) {
    Timing timing;
    timing.time_us = t0 + second * 1'000'000 + 10;
    timing.total_ns = timing.model_ns = ns;
    timing.rows = 1;
    if (failed) timing.outcome = Timing::Outcome::kModelError;
    stats.record(version, timing, 0);
  };
  for (int i = 0; i < 30; ++i) record(*one, 0, 100'000);
  for (int i = 0; i < 20; ++i) record(*two, 1, 200'000, i == 0);
  for (int i = 0; i < 10; ++i) record(*one, 1, 100'000);
  EndpointStatus status;
  stats.report(t0 + 2'000'000, status);
  REQUIRE(status.traffic.size() == 2);
  CHECK(status.traffic[0].time_us == t0);
  CHECK(status.traffic[0].by_version == std::map<int, std::uint64_t>{{1, 30}});
  CHECK(status.traffic[1].by_version == std::map<int, std::uint64_t>{{1, 10}, {2, 20}});
  CHECK(status.traffic[1].errors == 1);
  CHECK(status.traffic[0].p50_us == doctest::Approx(100).epsilon(0.13));
  CHECK(status.latency.count == 60);
  CHECK(status.latency.errors == 1);
  CHECK(status.latency.per_second == doctest::Approx(6));
  CHECK(status.latency.mean_us == doctest::Approx((40 * 100 + 20 * 200) / 60.0));
  REQUIRE(status.stages.size() == 3);
  CHECK(status.stages[2].first == "model");
  CHECK(status.stages[2].second.count == 59);  // of answered calls

  // After five minutes the latency is forgotten, the traffic is not; after fifteen both are.
  status = EndpointStatus();
  stats.report(t0 + 400'000'000, status);
  CHECK(status.latency.count == 0);
  REQUIRE(status.traffic.size() == 2);
  CHECK(status.traffic[0].p50_us == doctest::Approx(100).epsilon(0.13));
  status = EndpointStatus();
  stats.report(t0 + 1000'000'000, status);
  CHECK(status.traffic.empty());
  // A clock that goes back loses nothing.
  record(*one, 1000, 100'000);
  record(*one, 990, 100'000);
  status = EndpointStatus();
  stats.report(t0 + 1001'000'000, status);
  std::uint64_t seen = 0;
  for (const auto& point : status.traffic) seen += point.by_version.at(1);
  CHECK(seen == 2);
}

TEST_CASE("Prometheus text has cumulative histograms that agree with the counters") {
  Stand stand;
  REQUIRE(stand.put());
  for (int i = 0; i < 5; ++i) CHECK(stand.ask() == 1);
  const std::string text = stand.server->metrics_text();
  CHECK(text.find("maru_requests_total{endpoint=\"e\",model=\"m\",version=\"1\"} 5\n") !=
        std::string::npos);
  CHECK(text.find("maru_request_duration_seconds_bucket{endpoint=\"e\",model=\"m\",version=\"1\","
                  "le=\"+Inf\"} 5\n") != std::string::npos);
  CHECK(text.find(
            "maru_request_duration_seconds_count{endpoint=\"e\",model=\"m\",version=\"1\"} 5\n") !=
        std::string::npos);
  CHECK(text.find("# TYPE maru_request_duration_seconds histogram\n") != std::string::npos);
  CHECK(text.find("maru_request_stage_seconds_count{endpoint=\"e\",model=\"m\",version=\"1\","
                  "stage=\"model\"} 5\n") != std::string::npos);
}

TEST_CASE("Triton's names beside our own, with the name that callers use") {
  Stand stand;
  REQUIRE(stand.put());
  for (int i = 0; i < 5; ++i) CHECK(stand.ask() == 1);
  model::Predictions out;
  CHECK_FALSE(
      stand.server->predict("e", {}, rows({std::numeric_limits<double>::quiet_NaN()}), out));
  const std::string text = stand.server->metrics_text();
  const auto has = [&](const std::string& line) {
    return text.find("\n" + line) != std::string::npos;
  };
  const std::string labels = "{model=\"e\",version=\"1\"";
  CHECK(has("nv_inference_request_success" + labels + "} 5\n"));
  CHECK(has("nv_inference_request_failure" + labels + ",reason=\"BACKEND\"} 1\n"));
  CHECK(has("nv_inference_request_failure" + labels + ",reason=\"OTHER\"} 0\n"));
  CHECK(has("nv_inference_count" + labels + "} 6\n"));
  for (const char* name :
       {"nv_inference_exec_count", "nv_inference_request_duration_us",
        "nv_inference_queue_duration_us", "nv_inference_compute_input_duration_us",
        "nv_inference_compute_infer_duration_us", "nv_inference_compute_output_duration_us"})
    CHECK(has(name + labels + "} "));
  CHECK(has("maru_request_cpu_seconds_count{endpoint=\"e\",model=\"m\",version=\"1\"} "));
  // No name is announced twice, and each line belongs to the family announced last.
  std::set<std::string> families;
  std::string family;
  for (const std::string& line : base::split(text, '\n')) {
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(families.insert(family).second);
    } else if (!line.empty() && line[0] != '#') {
      CHECK(line.starts_with(family));
    }
  }
}
