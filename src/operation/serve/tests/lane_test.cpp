#include "lane.h"

#include <doctest/doctest.h>

#include <cstring>
#include <future>
#include <thread>

#include "tensor_rows.h"

using namespace maru;
using serve::Execution;
using serve::Lane;
using serve::LaneCall;
using serve::LaneCallPtr;

namespace {

model::TensorValue numbers(std::vector<double> values) {
  model::TensorValue out;
  out.name = "x";
  out.type = model::Datatype::kFp64;
  out.shape = {static_cast<std::int64_t>(values.size())};
  out.bytes.resize(values.size() * sizeof(double));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

std::vector<double> values_of(const model::TensorValue& tensor) {
  std::vector<double> out(tensor.bytes.size() / sizeof(double));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

// Answers twice its input. Each run waits at the gate while that is shut, and takes `run_us` of the clock.
class Doubling final : public model::TensorModel {
 public:
  explicit Doubling(base::ManualClock& clock) : clock_(clock) {}
  const std::vector<model::TensorSpec>& inputs() const override { return specs_; }
  const std::vector<model::TensorSpec>& outputs() const override { return specs_; }
  std::size_t at_once() const override { return 1; }
  base::Status run(const std::vector<model::TensorValue>& tensors, const std::vector<std::string>&,
                   std::vector<model::TensorValue>& out) const override {
    std::unique_lock lock(mutex);
    ++entered;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    std::vector<double> all = values_of(tensors[0]);
    batches.push_back(all.size());
    for (const double value : all)
      if (value < 0) return base::fail(base::Code::kInvalidArgument, "negative");
    order.insert(order.end(), all.begin(), all.end());
    for (double& value : all) value *= 2;
    if (constant_rows) all.resize(1);
    out = {numbers(all)};
    clock_.advance_us(run_us);
    return {};
  }
  void set_open(bool is_open) {
    const std::lock_guard lock(mutex);
    open = is_open;
    changed.notify_all();
  }
  void wait_entered(std::size_t times) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered >= times; });
  }

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  mutable std::size_t entered = 0;
  mutable std::vector<std::size_t> batches;
  mutable std::vector<double> order;
  bool open = true, constant_rows = false;
  std::int64_t run_us = 1000;

 private:
  base::ManualClock& clock_;
  std::vector<model::TensorSpec> specs_{{"x", model::Datatype::kFp64, {-1}}};
};

struct Line {
  base::ManualClock clock;
  Doubling model{clock};
  base::Pool pool{{"lane", 2, 64}};
  std::shared_ptr<serve::LaneTotals> totals = std::make_shared<serve::LaneTotals>();
  std::shared_ptr<Lane> lane;

  explicit Line(const Execution& execution = {})
      : lane(std::make_shared<Lane>(model, &pool, 2, clock, execution, totals)) {}
  ~Line() {
    model.set_open(true);
    pool.drain();
  }

  struct Asked {
    base::Status taken;
    LaneCallPtr call = std::make_shared<LaneCall>();
    std::future<LaneCall::Result> result;
    base::Code code() { return result.get().status.error().code; }
  };
  Asked ask(std::vector<double> values, int priority = 0, std::int64_t timeout_us = 0) {
    Asked out;
    out.call->tensors = {numbers(std::move(values))};
    out.call->priority = priority;
    if (timeout_us > 0) out.call->deadline_ns = clock.monotonic_ns() + timeout_us * 1000;
    const auto promise = std::make_shared<std::promise<LaneCall::Result>>();
    out.result = promise->get_future();
    out.call->done = [promise](LaneCall::Result&& result) {
      promise->set_value(std::move(result));
    };
    out.taken = lane->push(out.call);
    return out;
  }
  // One call under way at the gate, which stays shut.
  Asked block() {
    model.set_open(false);
    Asked first = ask({0});
    model.wait_entered(1);
    return first;
  }
};

}  // namespace

TEST_CASE("lane: a call is answered, and its times are told") {
  Line line;
  auto asked = line.ask({1, 2});
  const auto result = asked.result.get();
  REQUIRE(result.status);
  CHECK(values_of(result.outputs[0]) == std::vector<double>{2, 4});
  CHECK(result.model_ns == 1'000'000);
  CHECK(result.ran);
  CHECK(line.totals->calls == 1);
}

TEST_CASE("lane: bounded by calls, by bytes and by caller; each refusal has its reason") {
  Execution execution;
  execution.queue_calls = 3;
  execution.queue_bytes = 4096;
  execution.caller_calls = 2;
  Line line(execution);
  auto running = line.block();
  auto first = line.ask({1}), second = line.ask({2});
  REQUIRE(first.taken);
  REQUIRE(second.taken);
  auto third = line.ask({3});
  REQUIRE_FALSE(third.taken);
  CHECK(third.taken.error().code == base::Code::kResourceExhausted);
  Line::Asked other;
  other.call->principal = "other";
  other.call->tensors = {numbers(std::vector<double>(600))};
  other.call->done = [](LaneCall::Result&&) {};
  other.taken = line.lane->push(other.call);
  REQUIRE_FALSE(other.taken);
  CHECK(other.taken.error().message.find("full") != std::string::npos);
  other.call->tensors = {numbers({4})};
  CHECK(line.lane->push(other.call));
  auto last = line.ask({5});
  REQUIRE_FALSE(last.taken);
  CHECK(last.taken.error().code == base::Code::kUnavailable);
  CHECK(line.totals->full == 2);
  CHECK(line.totals->quota == 1);
  CHECK(line.lane->counts().waiting == 3);
  line.model.set_open(true);
  CHECK(running.result.get().status);
  CHECK(first.result.get().status);
  CHECK(second.result.get().status);
}

TEST_CASE("lane: the urgent first") {
  Line line;
  auto running = line.block();
  auto low = line.ask({3}, 3), normal = line.ask({2}), high = line.ask({1}, 1);
  line.model.set_open(true);
  CHECK(low.result.get().status);
  CHECK(line.model.order == std::vector<double>{0, 1, 2, 3});
}

TEST_CASE("lane: a deadline that passes while a call waits, or runs") {
  Line line;
  line.model.set_open(false);
  auto running = line.ask({0}, 0, 5'000);
  line.model.wait_entered(1);
  auto waiting = line.ask({1}, 0, 5'000);
  auto patient = line.ask({2}, 0, 50'000);
  line.lane->sweep();
  CHECK(line.totals->late == 0);
  line.clock.advance_us(6'000);
  line.lane->sweep();
  CHECK(waiting.code() == base::Code::kDeadlineExceeded);
  CHECK(running.code() == base::Code::kDeadlineExceeded);
  CHECK(line.totals->late == 2);
  line.model.set_open(true);
  CHECK(patient.result.get().status);
  CHECK(line.model.order == std::vector<double>{0, 2});
}

TEST_CASE("lane: an answer that comes after its deadline is late, and kept for who asks again") {
  Execution execution;
  execution.cache_bytes = 10'000;
  execution.cache_ms = 1'000;
  Line line(execution);
  line.model.run_us = 3'000;
  CHECK(line.ask({1}, 0, 2'000).code() == base::Code::kDeadlineExceeded);
  CHECK(line.totals->late == 1);
  CHECK(line.ask({1}, 0, 2'000).result.get().status);
  CHECK(line.model.entered == 1);
}

TEST_CASE("lane: what cannot be answered in time is refused when it comes") {
  Execution execution;
  execution.wait_ms = 3;
  Line line(execution);
  REQUIRE(line.ask({9}).result.get().status);  // a call takes 1 ms
  auto running = line.block();
  line.model.wait_entered(2);
  auto first = line.ask({1}), second = line.ask({2});
  auto hasty = line.ask({3}, 0, 2'000);
  REQUIRE_FALSE(hasty.taken);
  CHECK(hasty.taken.error().code == base::Code::kDeadlineExceeded);
  auto urgent = line.ask({4}, 1, 2'500);
  CHECK(urgent.taken);
  auto more = line.ask({5});
  REQUIRE_FALSE(more.taken);
  CHECK(more.taken.error().code == base::Code::kUnavailable);
  CHECK(more.taken.error().message.find("about 4 ms") != std::string::npos);
}

TEST_CASE("lane: a caller that has gone costs no run") {
  Line line;
  auto running = line.block();
  auto gone = line.ask({1}), stays = line.ask({2});
  gone.call->cancel.cancel();
  line.model.set_open(true);
  CHECK(gone.code() == base::Code::kCancelled);
  CHECK(stays.result.get().status);
  CHECK(line.model.order == std::vector<double>{0, 2});
  CHECK(line.totals->cancelled == 1);
}

TEST_CASE("lane: what waits runs together, within the rows that a batch may have") {
  Execution execution;
  execution.batch_rows = 4;
  Line line(execution);
  auto running = line.block();
  std::vector<Line::Asked> calls;
  for (double i = 1; i <= 3; ++i) calls.push_back(line.ask({i, i + 10}));
  auto wide = line.ask({7, 7, 7, 7, 7});
  line.model.set_open(true);
  for (double i = 1; i <= 3; ++i) {
    const auto result = calls[static_cast<std::size_t>(i) - 1].result.get();
    REQUIRE(result.status);
    CHECK(values_of(result.outputs[0]) == std::vector<double>{2 * i, 2 * i + 20});
    CHECK(result.outputs[0].shape == std::vector<std::int64_t>{2});
  }
  CHECK(wide.result.get().status);
  CHECK(line.model.batches == std::vector<std::size_t>{1, 4, 2, 5});
  line.pool.drain();
  CHECK(line.totals->batches == 4);
  CHECK(line.totals->calls == 5);
}

TEST_CASE("lane: one bad row of a batch fails alone") {
  Execution execution;
  execution.batch_rows = 8;
  Line line(execution);
  auto running = line.block();
  auto good = line.ask({1}), bad = line.ask({-1}), fine = line.ask({3});
  line.model.set_open(true);
  CHECK(good.result.get().status);
  CHECK(bad.code() == base::Code::kInvalidArgument);
  CHECK(values_of(fine.result.get().outputs[0]) == std::vector<double>{6});
}

TEST_CASE("lane: a model whose outputs are not by row is not asked together again") {
  Execution execution;
  execution.batch_rows = 8;
  Line line(execution);
  line.model.constant_rows = true;
  auto running = line.block();
  auto first = line.ask({1}), second = line.ask({2});
  line.model.set_open(true);
  CHECK(values_of(second.result.get().outputs[0]) == std::vector<double>{4});
  line.pool.drain();
  line.model.batches.clear();
  line.model.entered = 0;
  auto again = line.block();
  auto third = line.ask({1}), fourth = line.ask({2});
  line.model.set_open(true);
  CHECK(fourth.result.get().status);
  line.pool.drain();
  CHECK(line.model.batches == std::vector<std::size_t>{1, 1, 1});
}

TEST_CASE("lane: the cache answers what was asked before, for as long as it keeps it") {
  Execution execution;
  execution.cache_bytes = 10'000;
  execution.cache_ms = 10;
  Line line(execution);
  const auto ask = [&](double value) {
    auto asked = line.ask({value});
    const auto result = asked.result.get();
    REQUIRE(result.status);
    return values_of(result.outputs[0])[0];
  };
  CHECK(ask(1) == 2);
  CHECK(ask(1) == 2);
  CHECK(line.model.entered == 1);
  CHECK(ask(2) == 4);
  CHECK(line.model.entered == 2);
  line.clock.advance_us(20'000);
  CHECK(ask(1) == 2);
  CHECK(line.model.entered == 3);
  CHECK(line.totals->cache_hits == 1);
  CHECK(line.totals->cache_misses == 3);
  CHECK(line.ask({-1}).code() == base::Code::kInvalidArgument);
  CHECK(line.ask({-1}).code() == base::Code::kInvalidArgument);  // failures are not kept
  CHECK(line.model.entered == 5);
}

TEST_CASE("lane: those who wait help, also when every thread of the pool waits") {
  Line line;
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&, i] {
      const auto call = std::make_shared<LaneCall>();
      call->tensors = {numbers({static_cast<double>(i)})};
      call->done = [&, i](LaneCall::Result&& result) {
        right += result.status && values_of(result.outputs[0])[0] == 2 * i;
      };
      CHECK(line.lane->push_and_wait(call));
      CHECK(call->finished);
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(right == 6);
  std::atomic<int> inside{0};
  for (int i = 0; i < 8; ++i) {
    CHECK(line.pool.submit([&] {
      const auto call = std::make_shared<LaneCall>();
      call->tensors = {numbers({1})};
      call->done = [&](LaneCall::Result&& result) { inside += result.status.has_value(); };
      CHECK(line.lane->push_and_wait(call));
    }));
  }
  line.pool.drain();
  CHECK(inside == 8);
}

TEST_CASE("lane: without a pool the caller's thread runs it") {
  base::ManualClock clock;
  Doubling model(clock);
  const auto lane = std::make_shared<Lane>(model, nullptr, 1, clock, Execution(),
                                           std::make_shared<serve::LaneTotals>());
  const auto call = std::make_shared<LaneCall>();
  call->tensors = {numbers({4})};
  double got = 0;
  call->done = [&](LaneCall::Result&& result) { got = values_of(result.outputs[0])[0]; };
  CHECK(lane->push(call));
  CHECK(got == 8);
}

TEST_CASE("execution: settings by name, refused by name") {
  const auto parse = [](const char* text) {
    return serve::parse_execution(*base::parse_json(text));
  };
  CHECK(parse("null")->queue_calls == 1024);
  CHECK(parse(R"({"queue_calls": 5, "batch_rows": 32, "cache_bytes": 1000})")->batch_rows == 32);
  CHECK(parse(R"({"queue_call": 5})").error().hint.find("queue_calls") != std::string::npos);
  CHECK(parse(R"({"queue_calls": 0})").error().message.find("from 1 to") != std::string::npos);
  CHECK_FALSE(parse(R"({"wait_ms": "10"})"));
  CHECK_FALSE(parse("[]"));
}

TEST_CASE("tensor rows: joined and shared out again, texts too") {
  model::TensorValue text;
  text.name = "t";
  text.type = model::Datatype::kBytes;
  text.shape = {2, 2};
  text.texts = {"a", "b", "c", "d"};
  const std::vector<model::TensorValue> one{numbers({1, 2}), text};
  CHECK(serve::rows_of(one) == 2);
  CHECK(serve::same_but_rows(one, one));
  const auto joined = serve::join_rows({&one, &one});
  CHECK(joined[1].shape == std::vector<std::int64_t>{4, 2});
  const auto shares = serve::split_rows(joined, {1, 3});
  CHECK(shares[0][1].texts == std::vector<std::string>{"a", "b"});
  CHECK(values_of(shares[1][0]) == std::vector<double>{2, 1, 2});
  CHECK(serve::split_rows(joined, {1, 2}).empty());
}
