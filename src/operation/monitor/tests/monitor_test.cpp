#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "realised.h"
#include "stand.h"

using namespace maru;
using namespace maru::monitor;
using namespace maru::monitor::test;

namespace {

data::Table table_of(const std::vector<LoggedRow>& rows) {
  data::Column distance, carrier;
  distance.name = "distance";
  carrier.name = "carrier";
  carrier.type = data::ColumnType::kText;
  carrier.dictionary = {"AA", "UA"};
  for (const auto& row : rows) {
    distance.reals.push_back(row.numbers[0]);
    carrier.codes.push_back(row.texts[0] == "AA" ? 0 : 1);
  }
  data::Table out;
  out.columns = {distance, carrier};
  return out;
}

stats::Profile score_profile(const std::vector<LoggedRow>& rows) {
  data::Column score;
  score.name = "prediction";
  for (const auto& row : rows) score.reals.push_back(row.score);
  data::Table out;
  out.columns = {score};
  return stats::profile_table(out);
}

MonitorConfig config_of(std::uint64_t window_rows = 1000) {
  MonitorConfig out;
  out.endpoint = "e";
  out.model = "flights";
  out.task = "binary";
  out.classes = {"on time", "late"};
  out.window_rows = window_rows;
  out.min_rows = 500;
  out.reference_metric = 0.9;
  out.drift_columns = {"distance", "carrier"};
  return out;
}

void watch(Stand& stand, const MonitorConfig& config, int seed = 1) {
  base::ManualClock other(1'000'000'000'000'000);
  const auto rows = make_rows(other, 3000, seed);
  const auto done =
      stand.monitor->watch(config, stats::profile_table(table_of(rows)), score_profile(rows));
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
}

std::vector<std::string> send(Stand& stand, std::size_t count, int seed, double shift = 0) {
  auto rows = make_rows(stand.clock, count, seed, shift);
  std::vector<std::string> ids;
  for (const auto& row : rows) ids.push_back(row.id);
  append_rows(*stand.log, "e", schema(), std::move(rows));
  return ids;
}

void evaluate(Stand& stand) {
  const auto done = stand.monitor->evaluate("e");
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
}

}  // namespace

TEST_CASE("windows close by rows; the same data does not drift") {
  Stand stand;
  watch(stand, config_of());
  send(stand, 2500, 7);
  evaluate(stand);
  const auto windows = stand.monitor->windows("e", 10);
  REQUIRE(windows);
  REQUIRE(windows->size() == 3);
  CHECK_FALSE((*windows)[0].closed);
  CHECK((*windows)[0].rows == 500);
  for (const std::size_t i : {1, 2}) {
    const Window& window = (*windows)[i];
    CHECK(window.closed);
    CHECK(window.rows == 1000);
    CHECK(window.versions == std::vector<int>{1});
    CHECK(window.report.columns.size() == 3);
    for (const auto& column : window.report.columns)
      CHECK_MESSAGE(!column.drift, column.name << ": " << column.reason);
    CHECK(window.estimated_mean == doctest::Approx(0.495));
    CHECK(std::isnan(window.realised));
  }
  CHECK((*windows)[1].from_us == (*windows)[2].to_us);
  CHECK(stand.alerts.empty());
  send(stand, 500, 8);
  evaluate(stand);
  evaluate(stand);
  CHECK(stand.monitor->windows("e", 10)->size() == 3);
  CHECK(stand.monitor->windows("e", 1)->size() == 1);
}

TEST_CASE(
    "drift is found, named, told once, and asks for one retraining a cooldown; restarts neither "
    "repeat nor forget") {
  Stand stand;
  watch(stand, config_of());
  stand.accept = false;
  send(stand, 1000, 7, 300);
  evaluate(stand);
  evaluate(stand);
  REQUIRE(stand.alerts.size() == 1);
  CHECK(stand.alerts[0].kind == "drift");
  CHECK(stand.alerts[0].columns == std::vector<std::string>{"distance"});
  CHECK(stand.asked.size() == 2);  // refused, so asked again
  stand.reopen();
  stand.accept = true;
  evaluate(stand);
  CHECK(stand.asked.size() == 3);  // not forgotten
  evaluate(stand);
  CHECK(stand.asked.size() == 3);  // accepted
  send(stand, 1000, 9, 300);
  evaluate(stand);
  CHECK(stand.alerts.size() == 2);
  CHECK(stand.asked.size() == 3);  // cooling down
  stand.reopen();
  evaluate(stand);
  CHECK(stand.asked.size() == 3);
  stand.clock.advance_us(config_of().cooldown_us);
  evaluate(stand);
  CHECK(stand.asked.size() == 4);
  const auto alerts = stand.monitor->alerts("default", 10);
  REQUIRE(alerts->size() == 2);
  CHECK_FALSE((*alerts)[0].acknowledged);
  REQUIRE(stand.monitor->acknowledge((*alerts)[0].id));
  CHECK((*stand.monitor->alerts("default", 10))[0].acknowledged);
  CHECK(stand.monitor->acknowledge("none").error().code == base::Code::kNotFound);
  // A new model: what was wanted before is not wanted any more.
  stand.accept = false;
  send(stand, 1000, 10, 300);
  stand.clock.advance_us(config_of().cooldown_us);
  evaluate(stand);
  const std::size_t asked = stand.asked.size();
  watch(stand, config_of(), 2);
  evaluate(stand);
  CHECK(stand.asked.size() == asked);
}

TEST_CASE("realised quality when labels arrive late; a fall raises an alert") {
  Stand stand;
  MonitorConfig config = config_of();
  config.retrain_on_drift = false;
  watch(stand, config);
  const auto ids = send(stand, 1000, 7);
  evaluate(stand);
  CHECK(stand.alerts.empty());
  // Scores count 0.00 ... 0.99; labels that follow them well, then hardly.
  std::vector<Feedback> good;
  for (std::size_t i = 0; i < 400; ++i)
    good.push_back({ids[i], i % 100 >= 50 ? "late" : "on time"});
  CHECK(*stand.monitor->feedback("e", good) == 400);
  evaluate(stand);
  auto window = stand.monitor->windows("e", 1)->front();
  CHECK(window.labelled == 400);
  CHECK(window.realised == doctest::Approx(1.0));
  CHECK(stand.alerts.empty());
  std::vector<Feedback> poor;
  base::Rng rng(5);
  for (std::size_t i = 0; i < 1000; ++i) poor.push_back({ids[i], rng.uniform() < 0.5 ? "1" : "0"});
  CHECK(*stand.monitor->feedback("e", poor) == 1000);
  evaluate(stand);
  window = stand.monitor->windows("e", 1)->front();
  CHECK(window.labelled == 1000);
  CHECK(window.realised == doctest::Approx(0.5).epsilon(0.1));
  CHECK(window.low < window.realised);
  CHECK(window.high > window.realised);
  REQUIRE(stand.alerts.size() == 1);
  CHECK(stand.alerts[0].kind == "performance");
  CHECK(stand.asked.size() == 1);
  evaluate(stand);
  CHECK(stand.alerts.size() == 1);
}

TEST_CASE("feedback is idempotent, may come first, and comes back with its rows") {
  Stand stand;
  watch(stand, config_of());
  auto rows = make_rows(stand.clock, 10, 1);
  CHECK(*stand.monitor->feedback(
            "e", {{rows[2].id, "late"}, {rows[2].id, "late"}, {"own-id", "late"}}) == 2);
  CHECK(*stand.monitor->feedback("e", {{rows[2].id, "late"}}) == 1);
  const std::int64_t t = rows[2].time_us;
  rows[5].id = "own-id";
  append_rows(*stand.log, "e", schema(), std::move(rows));
  const auto labelled = stand.monitor->labelled_rows("e", 0, INT64_MAX);
  REQUIRE(labelled);
  REQUIRE(labelled->rows() == 2);
  CHECK(labelled->find("label")->text(1) == "late");
  CHECK(labelled->find("time")->integers[1] == t);
  CHECK(labelled->find("distance") != nullptr);
  CHECK(stand.monitor->feedback("e", {{"", "1"}}).error().code == base::Code::kInvalidArgument);
  CHECK(stand.monitor->feedback("e", {{"a", ""}}).error().code == base::Code::kInvalidArgument);
  CHECK(stand.monitor->feedback("e", {{"a", std::string(kMaxLabelBytes, 'x')}}));
  CHECK(stand.monitor->feedback("e", {{"a", std::string(kMaxLabelBytes + 1, 'x')}}).error().code ==
        base::Code::kTooLarge);
}

TEST_CASE("windows by time are aligned, empty ones leave no trace") {
  Stand stand;
  MonitorConfig config = config_of(0);
  config.window_us = 60'000'000;
  config.min_rows = 100;
  watch(stand, config);
  const std::int64_t minute = 60'000'000;
  stand.clock.advance_us(minute - stand.clock.now_us() % minute);
  const std::int64_t t0 = stand.clock.now_us();
  send(stand, 200, 1);
  stand.clock.advance_us(10 * minute);
  send(stand, 300, 2);
  evaluate(stand);
  auto windows = *stand.monitor->windows("e", 10);
  REQUIRE(windows.size() == 2);
  CHECK_FALSE(windows[0].closed);
  CHECK(windows[0].rows == 300);
  CHECK(windows[1].closed);
  CHECK(windows[1].rows == 200);
  CHECK(windows[1].to_us == t0 + minute);
  stand.reopen();
  stand.clock.advance_us(2 * minute);
  evaluate(stand);
  windows = *stand.monitor->windows("e", 10);
  REQUIRE(windows.size() == 2);
  CHECK(windows[0].closed);
  CHECK(windows[0].from_us == t0 + 10 * minute);
  CHECK(windows[0].rows == 300);
}

TEST_CASE("what is watched survives a restart and ends on demand") {
  Stand stand;
  watch(stand, config_of());
  stand.reopen();
  const auto watched = stand.monitor->watched("default");
  REQUIRE(watched->size() == 1);
  CHECK((*watched)[0].to_json() == config_of().to_json());
  CHECK(stand.monitor->watched("other")->empty());
  REQUIRE(stand.monitor->unwatch("e"));
  CHECK(stand.monitor->watched("default")->empty());
  CHECK(stand.monitor->evaluate("e").error().code == base::Code::kNotFound);
  MonitorConfig bad = config_of();
  bad.task = "clustering";
  CHECK(stand.monitor->watch(bad, {}, {}).error().code == base::Code::kInvalidArgument);
}

TEST_CASE("watched and unwatched at the same time: what is kept is what is evaluated") {
  Stand stand;
  std::size_t kept = 0;
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    REQUIRE(stand.monitor->watch(config_of(), {}, {}));
    {
      std::jthread off([&] { CHECK(stand.monitor->unwatch("e")); });
      std::jthread on([&] { CHECK(stand.monitor->watch(config_of(), {}, {})); });
    }
    const bool listed = !stand.monitor->watched("default")->empty();
    CHECK(stand.monitor->evaluate("e").has_value() == listed);
    kept += listed ? 1 : 0;
  }
  MESSAGE("kept ", kept, " times");
}

TEST_CASE("the ROC area with DeLong's interval") {
  // By hand: of the six pairs, the positive is above in 4 and equal in 1.
  const auto small = roc_auc({0.1, 0.4, 0.35, 0.8, 0.4}, {0, 0, 1, 1, 0});
  CHECK(small.value == doctest::Approx((1 + 0 + 0 + 1 + 1 + 1) / 6.0));
  const auto tied = roc_auc({0.5, 0.5, 0.5, 0.5}, {0, 1, 0, 1});
  CHECK(tied.value == doctest::Approx(0.5));
  CHECK(std::isnan(roc_auc({0.5, 0.6}, {1, 1}).value));
  // The interval covers the truth in about 95 of 100 draws.
  base::Rng rng(3);
  int covered = 0;
  const double truth = 0.7602499389;  // Phi(1 / sqrt 2)
  for (int draw = 0; draw < 400; ++draw) {
    std::vector<double> scores;
    std::vector<int> labels;
    for (int i = 0; i < 200; ++i) {
      labels.push_back(rng.uniform() < 0.4);
      scores.push_back(rng.normal() + labels.back());
    }
    const auto area = roc_auc(scores, labels);
    covered += area.low <= truth && truth <= area.high;
  }
  CHECK(covered > 366);
  CHECK(covered < 394);
}

TEST_CASE("accuracy, losses and labels that say nothing") {
  MonitorConfig config = config_of();
  data::Table rows;
  data::Column id, score, prediction;
  id.name = "id";
  id.type = prediction.type = data::ColumnType::kText;
  score.name = "score";
  prediction.name = "prediction";
  prediction.dictionary = {"on time", "late"};
  std::unordered_map<std::string, std::string> labels;
  for (int i = 0; i < 100; ++i) {
    id.dictionary.push_back("r" + std::to_string(i));
    id.codes.push_back(i);
    score.reals.push_back(i < 60 ? 0.8 : 0.4);
    prediction.codes.push_back(i < 60 ? 1 : 0);
    labels[id.dictionary.back()] = i < 50 ? "late" : "0";
  }
  rows.columns = {id, score, prediction};
  labels["r0"] = "cancelled";
  config.metric = "accuracy";
  auto out = realised(config, rows, labels);
  CHECK(out.labelled == 99);
  CHECK(out.value == doctest::Approx(89.0 / 99));
  CHECK(out.low < out.value);
  config.metric = "brier";
  CHECK(realised(config, rows, labels).value ==
        doctest::Approx((49 * 0.04 + 10 * 0.64 + 40 * 0.16) / 99));
  config.metric = "log_loss";
  CHECK(realised(config, rows, labels).value ==
        doctest::Approx(-(49 * std::log(0.8) + 10 * std::log(0.2) + 40 * std::log(0.6)) / 99));
  config.task = "regression";
  config.metric = "rmse";
  for (auto& [key, label] : labels) label = "0.3";
  CHECK(realised(config, rows, labels).value ==
        doctest::Approx(std::sqrt((60 * 0.25 + 40 * 0.01) / 100)));
  config.metric = "mae";
  CHECK(realised(config, rows, labels).value == doctest::Approx((60 * 0.5 + 40 * 0.1) / 100));
  labels.clear();
  CHECK(std::isnan(realised(config, rows, labels).value));
}
