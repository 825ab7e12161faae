#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "fake_model.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {

model::TensorValue number(double value) {
  model::TensorValue out;
  out.name = "x";
  out.shape = {1};
  out.bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}

// Answers version * 1000 + x; NaN is its own failure, a negative number the input's.
class FakeTensors final : public model::TensorModel {
 public:
  // Each call takes `run_us` of the clock.
  FakeTensors(int version, base::ManualClock* clock, std::int64_t run_us)
      : version_(version), clock_(clock), run_us_(run_us) {}
  const std::vector<model::TensorSpec>& inputs() const override { return specs_; }
  const std::vector<model::TensorSpec>& outputs() const override { return specs_; }
  base::Status run(const std::vector<model::TensorValue>& tensors, const std::vector<std::string>&,
                   std::vector<model::TensorValue>& out) const override {
    const double x = model::element_as_double(tensors.at(0), 0);
    if (x != x && version_ != 1) return base::fail(base::Code::kInternal, "planted");
    if (x < 0) return base::fail(base::Code::kInvalidArgument, "negative");
    if (clock_ != nullptr) clock_->advance_us(run_us_);
    out = {number((version_ == 3 && x == 5) ? 1 : 1000 + x)};
    return {};
  }

 private:
  const int version_;
  base::ManualClock* const clock_;
  const std::int64_t run_us_;
  std::vector<model::TensorSpec> specs_{{"x", model::Datatype::kFp64, {-1}}};
};

class TensorFake final : public BareBundle {
 public:
  explicit TensorFake(int version, base::ManualClock* clock = nullptr, std::int64_t run_us = 0)
      : tensors_(version, clock, run_us) {}
  const model::TensorModel* tensors() const override { return &tensors_; }
  base::Status predict(const model::InputBatch&, model::Predictions&) const override {
    return base::fail(base::Code::kFailedPrecondition, "takes tensors");
  }

 private:
  FakeTensors tensors_;
};

struct TensorStand {
  base::Pool compute{{"compute", 2, 64}};  // ends after the server
  Stand stand;
  std::vector<model::TensorValue> out;
  TensorStand()
      : stand(true, [this](Server::Options& options) {
          options.compute = &compute;
          options.cores = 2;
          options.load =
              [](const std::string& folder) -> base::Result<std::shared_ptr<const model::Bundle>> {
            return std::make_shared<const TensorFake>(
                std::stoi(folder.substr(folder.find('/') + 1)));
          };
        }) {}
  base::Status put(const std::string& route = "null") { return stand.put(route); }
  base::Result<Answer> call(double value, const CallOptions& options = {}) {
    return stand.server->infer("e", options, {number(value)}, {}, out);
  }
};

}  // namespace

TEST_CASE("tensors: answered, counted, logged with what went in and out") {
  TensorStand house;
  Stand& stand = house.stand;
  REQUIRE(stand.put());
  const auto answer = house.call(7);
  REQUIRE(answer);
  CHECK(model::element_as_double(house.out[0], 0) == 1007);
  CHECK(answer->id.size() == 32);
  CHECK(house.call(-1).error().code == base::Code::kInvalidArgument);
  const auto totals = stand.server->totals();
  CHECK(totals[0].answered == 1);
  CHECK(totals[0].failed == 1);
  CHECK(stand.server->status("e")->queue["calls"].as_int() == 2);
  CHECK(stand.server->pace("e", 0) == Pace::kComputes);
  CHECK(stand.server->pace("nobody", 0) == Pace::kLoads);
}

TEST_CASE("tensors: where an arm's model fails the stable one answers") {
  TensorStand house;
  Stand& stand = house.stand;
  REQUIRE(stand.put(R"({"arms":[{"version":1,"weight":1},{"version":2,"weight":99}]})"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int i = 0; i < 20; ++i) {
    const auto answer = house.call(nan);
    REQUIRE(answer);
    CHECK(answer->version == 1);
  }
  CHECK(stand.server->status("e")->arms[1].errors > 0);
}

TEST_CASE("tensors: a shadow sees what the route answers, and its differences are counted") {
  TensorStand house;
  Stand& stand = house.stand;
  REQUIRE(stand.put(R"({"arms":[{"version":1}],"shadow":3})"));
  for (const double value : {4.0, 5.0, 6.0}) REQUIRE(house.call(value));
  stand.loader.drain();
  const auto status = stand.server->status("e");
  CHECK(status->shadow_requests == 3);
  CHECK(status->shadow_differences == 1);
}

TEST_CASE("tensors: answered later, from many threads at once") {
  TensorStand house;
  Stand& stand = house.stand;
  stand.execution = *base::parse_json(R"({"batch_rows": 16})");
  REQUIRE(stand.put());
  constexpr int kCalls = 400;
  std::atomic<int> right{0}, given{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kCalls / 4; ++i) {
        const double value = t * 1000 + i;
        stand.server->infer_later(
            "e", {}, {number(value)}, {},
            [&, value](base::Result<Answer> answer, std::vector<model::TensorValue>&& outputs) {
              right += answer && model::element_as_double(outputs[0], 0) == 1000 + value;
              ++given;
            });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  stand.server.reset();  // waits for what is under way
  CHECK(given == kCalls);
  CHECK(right == kCalls);
}

TEST_CASE("tensors: a version without sample rows is measured on logged calls, else on zeros") {
  FakeRehearsal rehearsal;
  base::ManualClock* clock = nullptr;
  Stand stand(false, [&](Server::Options& options) {
    options.rehearsal = &rehearsal;
    options.load = [&](const std::string&) -> base::Result<std::shared_ptr<const model::Bundle>> {
      return std::make_shared<const TensorFake>(1, clock, 700);
    };
  });
  clock = &stand.clock;
  stand.bounds = *base::parse_json(R"({"p99_us": 500})");
  const auto refused = stand.put();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("p99 is 700 us a call, above the declared 500") !=
        std::string::npos);
  stand.bounds = *base::parse_json(R"({"p99_us": 800})");
  REQUIRE(stand.put());
  rehearsal.times_ns = {50'000'000, 900'000, 100'000};  // the first pays for all
  stand.source.point("champion", 2);
  CHECK_FALSE(stand.server->refresh("m"));
  CHECK(stand.server->status("e")->reason.find("p99 is 900 us a call") != std::string::npos);
}
