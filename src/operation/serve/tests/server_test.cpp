#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "fake_model.h"
#include "maru/base/id.h"
#include "route.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

TEST_CASE(
    "a thousand swaps under load: nothing fails, nothing wrong after refresh, old versions are "
    "freed") {
  Stand stand;
  stand.source.set_newest(1001);
  REQUIRE(stand.put());
  std::atomic<bool> stop{false};
  std::atomic<int> current{
      1};  // raised before each swap starts: no answer may come from a later one
  std::atomic<int> settled{1};  // what refresh() has promised
  std::atomic<std::uint64_t> answered{0}, failed{0}, stale{0}, early{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      while (!stop.load()) {
        const int at_least = settled.load();
        const int version = stand.ask();
        if (version <= 0)
          ++failed;
        else if (version < at_least)
          ++stale;
        else if (version > current.load())
          ++early;
        ++answered;
      }
    });
  }
  for (int version = 2; version <= 1001; ++version) {
    current = version;
    stand.source.point("champion", version);
    const auto refreshed = stand.server->refresh("m");
    CHECK(refreshed);
    settled = version;
    if (stand.ask() != version) ++stale;
  }
  stop = true;
  for (auto& caller : callers) caller.join();
  MESSAGE("answered " << answered.load());
  CHECK(answered > 1000);
  CHECK(failed == 0);
  CHECK(stale == 0);
  CHECK(early == 0);
  // The one that serves and the one kept warm; callers' threads have ended, so nothing is held by a cache.
  CHECK(stand.source.alive() == std::vector<int>{1000, 1001});
  CHECK(stand.server->versions().size() == 2);
}

TEST_CASE("a request holds its version; the last one to leave frees it") {
  Stand stand;
  REQUIRE(stand.put());
  auto held = stand.server->choose("e", {});
  REQUIRE(held);
  for (int version : {2, 3}) {
    stand.source.point("champion", version);
    REQUIRE(stand.server->refresh("m"));
  }
  CHECK(stand.source.alive() == std::vector<int>{1, 2, 3});
  bool unloading = false;
  for (const auto& version : stand.server->versions())
    unloading |= version.version == 1 && version.state == VersionState::kUnloading;
  CHECK(unloading);
  held->bundle.reset();
  CHECK(stand.source.alive() == std::vector<int>{2, 3});
  REQUIRE(stand.server->remove_endpoint("e"));
  CHECK(stand.source.alive().empty());
}

TEST_CASE("roll-back takes the version kept warm") {
  Stand stand;
  REQUIRE(stand.put());
  stand.source.point("champion", 2);
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask() == 2);
  stand.source.point("champion", 1);
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask() == 1);
  CHECK(stand.source.loads[1] == 1);  // never loaded again
}

TEST_CASE("a load that fails leaves the old version serving and says why") {
  Stand stand;
  REQUIRE(stand.put());
  for (const int bad : {2, 3}) {
    if (bad == 2)
      stand.source.corrupt.insert(2);
    else
      stand.source.broken.insert(3);  // loads, and fails on its own sample rows
    stand.source.point("champion", bad);
    const auto refreshed = stand.server->refresh("m");
    REQUIRE_FALSE(refreshed);
    CHECK(stand.ask() == 1);
    const auto status = *stand.server->status("e");
    CHECK(status.state == "ready");
    CHECK(status.reason.find("m/" + std::to_string(bad)) != std::string::npos);
    bool failed = false;
    for (const auto& version : stand.server->versions())
      failed |= version.version == bad && version.state == VersionState::kFailed &&
                !version.reason.empty();
    CHECK(failed);
  }
  stand.source.corrupt.clear();
  stand.source.point("champion", 2);
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask() == 2);
  CHECK(stand.server->status("e")->reason.empty());
  // A route that cannot load replaces nothing.
  REQUIRE_FALSE(stand.put(R"({"arms":[{"version":2},{"version":99}]})"));
  CHECK(stand.server->status("e")->arms.size() == 1);
  CHECK(stand.ask() == 2);
}

TEST_CASE("a new endpoint that cannot load is there, failed, and serves once it can") {
  Stand stand;
  stand.source.corrupt.insert(1);
  REQUIRE_FALSE(stand.put());
  CHECK(stand.server->status("e")->state == "failed");
  model::Predictions out;
  CHECK(stand.server->predict("e", {}, rows({1}), out).error().code == base::Code::kUnavailable);
  stand.source.corrupt.clear();
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask() == 1);
}

TEST_CASE("a model without versions is empty, not failed") {
  Stand stand;
  REQUIRE(stand.put("null", "h", "hollow"));
  CHECK(stand.server->status("h")->state == "empty");
  model::Predictions out;
  CHECK(stand.server->predict("h", {}, rows({1}), out).error().code == base::Code::kUnavailable);
  REQUIRE_FALSE(stand.put(R"({"arms":[{"version":"gone"}]})", "g"));
}

TEST_CASE("names: an endpoint first, then a model, then near names") {
  Stand stand;
  CHECK(stand.ask({}, "m") == 1);  // the model itself, its champion
  CHECK(stand.server->list().empty());
  stand.source.point("champion", 2);
  REQUIRE(stand.server->refresh("m"));
  CHECK(stand.ask({}, "m") == 2);
  CallOptions third;
  third.version = 3;
  CHECK(stand.ask(third, "m") == 3);  // loaded because it was asked for
  CHECK(stand.ask({}, "m") == 2);
  third.version = 99;
  model::Predictions out;
  CHECK(stand.server->predict("m", third, rows({1}), out).error().code == base::Code::kNotFound);
  const int tries = stand.source.loads[99];
  CHECK(stand.server->predict("m", third, rows({1}), out).error().code == base::Code::kNotFound);
  CHECK(stand.source.loads[99] == tries);  // not tried again at once
  REQUIRE(stand.put("null", "flights"));
  const auto missing = stand.server->choose("flihgts", {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == base::Code::kNotFound);
  CHECK(missing.error().hint.find("flights") != std::string::npos);
  CHECK(stand.server->status("flihgts").error().hint.find("flights") != std::string::npos);
}

TEST_CASE("versions that callers name are kept in a bounded number") {
  Stand stand;
  stand.source.set_newest(9);
  REQUIRE(stand.put());
  CallOptions call;
  for (call.version = 2; call.version <= 9; ++call.version) CHECK(stand.ask(call) == call.version);
  CHECK(stand.source.alive() == std::vector<int>{1, 8, 9});
}

TEST_CASE("the shadow is asked, compared and never answers") {
  Stand stand(true);
  REQUIRE(stand.put(R"({"arms":[{"version":1}],"shadow":2})"));
  for (int i = 0; i < 50; ++i) CHECK(stand.ask() == 1);
  stand.loader.drain();
  const auto status = *stand.server->status("e");
  CHECK(status.shadow_version == 2);
  CHECK(status.shadow_requests == 50);
  CHECK(status.shadow_differences == 50);
  CHECK(status.arms[0].requests == 50);
  int shadows = 0, answers = 0;
  for (const auto& record : stand.sink.records) {
    (record.shadow ? shadows : answers)++;
    CHECK(record.version == (record.shadow ? 2 : 1));
    CHECK(record.answers.scores[0] == record.version * 1000 + 7);
  }
  CHECK(shadows == 50);
  CHECK(answers == 50);
  // The same version as shadow never differs, a broken one never harms.
  REQUIRE(stand.put(R"({"arms":[{"version":1}],"shadow":3})", "f"));
  CHECK(stand.ask({}, "f") == 1);
}

TEST_CASE("mirrored requests are bounded: what does not fit is shed and counted") {
  Stand stand;
  REQUIRE(stand.put(R"({"arms":[{"version":1}],"shadow":2})"));
  std::atomic<bool> open{false};
  std::atomic<bool> blocked{false};
  REQUIRE(stand.loader.submit([&] {
    blocked = true;
    open.wait(false);
  }));
  const std::size_t sent = kShadowQueueLimit + 10;
  for (std::size_t i = 0; i < sent; ++i)
    CHECK(stand.ask() == 1);  // answers do not wait for the shadow
  open = true;
  open.notify_all();
  stand.loader.drain();
  const auto status = *stand.server->status("e");
  CHECK(status.shadow_requests == kShadowQueueLimit);
  CHECK(status.shadow_shed == 10);
}

TEST_CASE("a canary that fails too often leaves the route") {
  Stand stand;
  REQUIRE(stand.put(
      R"({"kind":"canary","max_error_rate":0.2,"arms":[{"version":1,"weight":1},{"version":2,"weight":1}]})"));
  model::Predictions out;
  int failed = 0;
  for (int i = 0; i < 2000; ++i) {
    CallOptions call;
    const auto chosen = stand.server->choose("e", call);
    failed += chosen && chosen->version == 2;
    (void)stand.server->predict("e", call, rows({std::numeric_limits<double>::quiet_NaN()}), out);
  }
  CHECK(failed < 200);
  CHECK(stand.server->status("e")->reason.find("canary") != std::string::npos);
  for (int i = 0; i < 50; ++i) CHECK(stand.ask() == 1);
}

// ThreadSanitizer sees a write to what the requests read.
TEST_CASE("a canary's route is put again while its requests fail") {
  Stand stand;
  const char* route =
      R"({"kind":"canary","max_error_rate":1,"arms":[{"version":1,"weight":1},{"version":2,"weight":1}]})";
  REQUIRE(stand.put(route));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> asked{0};
  std::thread caller([&] {
    model::Predictions out;
    while (!stop) {
      (void)stand.server->predict("e", {}, rows({std::numeric_limits<double>::quiet_NaN()}), out);
      ++asked;
    }
  });
  while (asked < 4 * kCanaryMinRequests) std::this_thread::yield();
  bool put = true;
  for (int i = 0; i < 50; ++i) put = put && stand.put(route);
  stop = true;
  caller.join();
  CHECK(put);
  CHECK(stand.server->status("e")->arms[1].errors > 0);
}

TEST_CASE("what the log gets") {
  Stand stand(true);
  REQUIRE(stand.put());
  CallOptions call;
  call.principal = "mina";
  call.parse_ns = 5000;
  model::Predictions out;
  for (int i = 0; i < 3; ++i) {
    const auto answer = stand.server->predict("e", call, rows({1.0 * i, 5}), out);
    REQUIRE(answer);
    CHECK(base::is_id(answer->id));
    const FakeSink::Kept& record = stand.sink.records.back();
    CHECK(record.id == answer->id);
    CHECK(record.rows.rows == 2);
    CHECK(record.rows.columns[0].numbers == std::vector<double>{1.0 * i, 5});
    CHECK(record.answers.scores == out.scores);
    CHECK(record.principal == "mina");
    CHECK(record.parse_ns >= 5000);
    CHECK(record.bundle == answer->bundle);
  }
  call.log = false;
  REQUIRE(stand.server->predict("e", call, rows({1}), out));
  CHECK(stand.sink.records.size() == 3);
  // A failed one is recorded with its reason and without rows.
  call.log = true;
  const auto refused = stand.server->predict(
      "e", call,
      [](const model::Signature&, model::InputBatch&) {
        return base::Status(base::fail(base::Code::kInvalidArgument, "row 0: no"));
      },
      out);
  CHECK(refused.error().code == base::Code::kInvalidArgument);
  CHECK(stand.sink.records.back().error == "row 0: no");
  CHECK(stand.sink.records.back().outputs == nullptr);
  // No rows is an answer without rows, and no business of the log's.
  REQUIRE(stand.server->predict("e", call, rows({}), out));
  CHECK(out.rows == 0);
  CHECK(stand.sink.records.size() == 4);
}

namespace {

model::TensorValue number_tensor(const char* name, double value) {
  model::TensorValue out;
  out.name = name;
  out.shape = {1, 1};
  out.bytes.assign(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}

}  // namespace

TEST_CASE("an endpoint answers tensors as it answers rows") {
  Stand stand;
  REQUIRE(stand.put());
  std::vector<model::TensorValue> out;
  const auto answer = stand.server->infer("e", {}, {number_tensor("x", 7)}, {}, out);
  REQUIRE(answer);
  CHECK(answer->version == 1);
  REQUIRE(out.size() == 1);
  CHECK(out[0].name == "scores");
  CHECK(model::element_as_double(out[0], 0) == 1007);
  CHECK(stand.server->infer("e", {}, {number_tensor("x", 7)}, {"scores"}, out));
  const auto unknown = stand.server->infer("e", {}, {number_tensor("x", 7)}, {"score"}, out);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().hint.find("scores") != std::string::npos);
  CHECK(stand.server->infer("e", {}, {number_tensor("y", 7)}, {}, out).error().code ==
        base::Code::kInvalidArgument);
  const auto totals = stand.server->totals();
  REQUIRE(totals.size() == 1);
  CHECK(totals[0].name == "e");
  CHECK(totals[0].answered == 3);
  CHECK(totals[0].failed == 1);
  CHECK(totals[0].rows == 3);
}

TEST_CASE("a model that callers named is freed by unload and stays away until load") {
  Stand stand;
  CHECK(stand.ask({}, "m") == 1);
  REQUIRE(stand.server->unload("m"));
  CHECK(stand.source.alive().empty());
  model::Predictions out;
  CHECK(stand.server->predict("m", {}, rows({1}), out).error().code == base::Code::kUnavailable);
  CHECK(stand.server->unload("m"));  // nothing left to free
  REQUIRE(stand.server->load("m"));
  CHECK(stand.ask({}, "m") == 1);
  CHECK(stand.server->unload("nope").error().code == base::Code::kNotFound);
  CHECK(stand.server->load("nope").error().code == base::Code::kNotFound);
  REQUIRE(stand.put());
  CHECK(stand.server->unload("e").error().code == base::Code::kFailedPrecondition);
  CHECK(stand.ask() == 1);
}
