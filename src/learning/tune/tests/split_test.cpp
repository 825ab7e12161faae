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
