#include <doctest/doctest.h>

#include <set>

#include "maru/base/rng.h"
#include "maru/tune/tune.h"

namespace {

using namespace maru;

data::Table with_time(const std::vector<std::int64_t>& times) {
  data::Table out;
  out.columns.resize(1);
  out.columns[0].name = "when";
  out.columns[0].type = data::ColumnType::kTimestamp;
  out.columns[0].integers = times;
  return out;
}

std::size_t total(const tune::Split& s) {
  std::set<std::uint32_t> all(s.train.begin(), s.train.end());
  all.insert(s.valid.begin(), s.valid.end());
  all.insert(s.test.begin(), s.test.end());
  CHECK(all.size() == s.train.size() + s.valid.size() + s.test.size());
  return all.size();
}

}  // namespace

TEST_CASE("by time: train before valid before test, equal times together") {
  base::Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int64_t> times;
    const std::uint64_t kinds = 3 + rng.below(40);
    for (int i = 0; i < 200; ++i) times.push_back(static_cast<std::int64_t>(rng.below(kinds)));
    tune::SplitSpec spec;
    spec.time_column = "when";
    const auto split =
        tune::split_rows(with_time(times), std::vector<double>(200, 0.0), true, spec);
    if (!split) {
      CHECK(split.error().code == base::Code::kFailedPrecondition);
      CHECK(kinds < 6);
      continue;
    }
    CHECK(total(*split) == 200);
    const auto range = [&times](const std::vector<std::uint32_t>& rows) {
      std::pair<std::int64_t, std::int64_t> out{INT64_MAX, INT64_MIN};
      for (std::uint32_t r : rows)
        out = {std::min(out.first, times[r]), std::max(out.second, times[r])};
      return out;
    };
    CHECK(range(split->train).second < range(split->valid).first);
    CHECK(range(split->valid).second < range(split->test).first);
  }
}

TEST_CASE("by time: shares are met when times are distinct, missing times are learned from only") {
  std::vector<std::int64_t> times;
  for (int i = 0; i < 1000; ++i) times.push_back((i * 617) % 1000);
  data::Table table = with_time(times);
  table.columns[0].valid.assign(1000, 1);
  table.columns[0].valid[7] = 0;
  tune::SplitSpec spec;
  spec.time_column = "when";
  const auto split = tune::split_rows(table, std::vector<double>(1000, 0.0), true, spec);
  REQUIRE(split.has_value());
  CHECK(split->test.size() == 200);
  CHECK(split->valid.size() == 160);
  CHECK(split->train.size() == 640);
  CHECK(split->train.front() == 7);
}

TEST_CASE("at random: stratified, seeded, disjoint, complete") {
  std::vector<double> labels;
  for (int i = 0; i < 1000; ++i) labels.push_back(i % 10 == 0 ? 1 : 0);
  const data::Table table = with_time(std::vector<std::int64_t>(1000, 5));
  tune::SplitSpec spec;
  const auto split = tune::split_rows(table, labels, true, spec);
  REQUIRE(split.has_value());
  CHECK(total(*split) == 1000);
  const auto positives = [&labels](const std::vector<std::uint32_t>& rows) {
    double sum = 0;
    for (std::uint32_t r : rows) sum += labels[r];
    return sum;
  };
  CHECK(positives(split->test) == 20);
  CHECK(positives(split->valid) == 16);
  CHECK(positives(split->train) == 64);
  CHECK(tune::split_rows(table, labels, true, spec)->test == split->test);
  spec.seed = 2;
  CHECK(tune::split_rows(table, labels, true, spec)->test != split->test);
}

TEST_CASE("a class of two rows stays learnable; too little is refused") {
  std::vector<double> labels(20, 0.0);
  labels[3] = labels[4] = 1;
  const data::Table table = with_time(std::vector<std::int64_t>(20, 5));
  const auto split = tune::split_rows(table, labels, true, {});
  REQUIRE(split.has_value());
  double in_train = 0;
  for (std::uint32_t r : split->train) in_train += labels[r];
  CHECK(in_train >= 1);
  CHECK_FALSE(tune::split_rows(with_time({1, 2, 3}), {0, 1, 0}, true, {}).has_value());
  tune::SplitSpec bad;
  bad.test_share = 1.5;
  CHECK_FALSE(tune::split_rows(table, labels, true, bad).has_value());
  bad.test_share = 0.2;
  bad.time_column = "wen";
  CHECK(tune::split_rows(table, labels, true, bad).error().hint.find("when") != std::string::npos);
  bad.time_column = "when";
  CHECK(
      tune::split_rows(table, labels, true, bad).error().message.find("too few different times") !=
      std::string::npos);
}

TEST_CASE(
    "folds by time: each window is judged after learning from what is older, never from test "
    "rows") {
  std::vector<std::int64_t> times;
  for (int i = 0; i < 4000; ++i) times.push_back((i * 617) % 4000 / 10);
  const data::Table table = with_time(times);
  const std::vector<double> labels(4000, 0.0);
  tune::SplitSpec spec;
  spec.time_column = "when";
  spec.valid_share = 0.1;
  const auto split = tune::split_rows(table, labels, true, spec);
  REQUIRE(split.has_value());
  std::vector<std::uint32_t> rows = split->train;
  rows.insert(rows.end(), split->valid.begin(), split->valid.end());
  const auto folds = tune::make_folds(table, labels, true, spec, *split);
  REQUIRE(folds.size() == 3);
  CHECK(folds[0].train.size() == split->train.size());
  CHECK(folds[0].valid.size() == split->valid.size());
  for (std::size_t k = 0; k < folds.size(); ++k) {
    std::int64_t newest = INT64_MIN, oldest = INT64_MAX;
    for (const std::uint32_t p : folds[k].train) newest = std::max(newest, times[rows.at(p)]);
    for (const std::uint32_t p : folds[k].valid) oldest = std::min(oldest, times[rows.at(p)]);
    CHECK(newest < oldest);
    if (k > 0) CHECK(folds[k].train.size() + folds[k].valid.size() == folds[k - 1].train.size());
  }
}

TEST_CASE("folds at random: disjoint, stratified, and only where rows are few") {
  for (const std::size_t count : {1000u, 9000u, 30000u}) {
    std::vector<double> labels(count, 0.0);
    for (std::size_t r = 0; r < count; r += 10) labels[r] = 1;
    const data::Table table = with_time(std::vector<std::int64_t>(count, 5));
    const auto split = tune::split_rows(table, labels, true, {});
    REQUIRE(split.has_value());
    std::vector<std::uint32_t> rows = split->train;
    rows.insert(rows.end(), split->valid.begin(), split->valid.end());
    const auto folds = tune::make_folds(table, labels, true, {}, *split);
    CHECK(folds.size() == (count < 5000 ? 5 : count < 15000 ? 3 : 1));
    std::set<std::uint32_t> held;
    std::size_t all = 0;
    for (const tune::Fold& fold : folds) {
      CHECK(fold.train.size() + fold.valid.size() == rows.size());
      double positives = 0;
      for (const std::uint32_t p : fold.valid) positives += labels[rows.at(p)];
      CHECK(positives / static_cast<double>(fold.valid.size()) ==
            doctest::Approx(0.1).epsilon(0.05));
      held.insert(fold.valid.begin(), fold.valid.end());
      all += fold.valid.size();
    }
    CHECK(held.size() == all);
  }
}
