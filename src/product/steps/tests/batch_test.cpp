#include <doctest/doctest.h>

#include "maru/base/clock.h"
#include "maru/base/id.h"
#include "maru/steps/batch.h"

using namespace maru;

TEST_CASE("an output's name is filled in from the run's id, and stays what it is for the run") {
  // A UUIDv7 of 2026-01-31T06:05:09.123Z.
  const std::string run = "019c12db0ec37000800000000000002a";
  CHECK(steps::expand_output("/out/plain.csv", run) == "/out/plain.csv");
  const std::string time = steps::expand_output("{time}", run);
  CHECK(time.size() == 16);
  CHECK(time.back() == 'Z');
  CHECK(steps::expand_output("/out/{date}/{run}-{date}.csv", run) ==
        "/out/" + time.substr(0, 4) + "-" + time.substr(4, 2) + "-" + time.substr(6, 2) + "/" +
            run + "-" + time.substr(0, 4) + "-" + time.substr(4, 2) + "-" + time.substr(6, 2) +
            ".csv");
  const std::string fresh = base::new_id(base::system_clock());
  CHECK(steps::expand_output("{date}", fresh) ==
        base::format_time_us(base::system_clock().now_us()).substr(0, 10));
}

TEST_CASE("a batch that cannot work is refused before anything is looked up") {
  const steps::Services services;
  const auto code = [&](const char* body, bool repeats) {
    const auto spec = steps::batch_pipeline(services, *base::parse_json(body), "p", repeats);
    return spec ? base::Code::kInternal : spec.error().code;
  };
  using base::Code;
  CHECK(code(R"({"model": "m", "output": "/tmp/a.csv"})", false) == Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"]})", false) == Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "a.csv"})", false) ==
        Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv", "b.csv"], "output": "/tmp/a.csv"})", false) ==
        Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "/tmp/a.xls"})", false) ==
        Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "/no/such/a.csv"})", false) ==
        Code::kNotFound);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "/tmp/a.csv"})", true) ==
        Code::kInvalidArgument);  // every run the same file
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "/tmp/{run}.csv", "threads": 0})",
             true) == Code::kInvalidArgument);
  CHECK(code(R"({"model": "m", "input": ["/a.csv"], "output": "/tmp/{run}.csv", "color": 1})",
             true) == Code::kInvalidArgument);
  CHECK(
      code(R"({"model": "m", "input": ["/a.csv"], "output": "/tmp/b.csv", "errors": "/tmp/b.csv"})",
           false) == Code::kInvalidArgument);
}
