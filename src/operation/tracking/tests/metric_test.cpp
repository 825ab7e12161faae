#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "house.h"
#include "maru/base/rng.h"
#include "metric_codec.h"
#include "metric_store.h"

namespace maru::tracking {
namespace {

std::vector<Point> random_points(base::Rng& rng, std::size_t count) {
  std::vector<Point> out;
  for (std::size_t i = 0; i < count; ++i) {
    Point point{static_cast<double>(rng.next()) / 1e9, static_cast<std::int64_t>(rng.next()),
                static_cast<std::int64_t>(rng.next())};
    if (i % 7 == 0) point.value = std::numeric_limits<double>::quiet_NaN();
    if (i % 11 == 0) point.value = -std::numeric_limits<double>::infinity();
    if (i % 3 == 0) point.step = static_cast<std::int64_t>(i);
    out.push_back(point);
  }
  return out;
}

// The points piece by piece; none when the pieces overlap.
std::optional<std::vector<Point>> visited(MetricStore& store, std::int64_t run,
                                          const std::string& key) {
  std::vector<Point> out;
  std::size_t told = 0;
  const auto ordered = store.visit_history(
      run, key, [&](std::size_t count) { told = count; },
      [&](std::span<const Point> points) { out.insert(out.end(), points.begin(), points.end()); });
  REQUIRE(ordered.has_value());
  if (!*ordered) return std::nullopt;
  CHECK(told == out.size());
  return out;
}

std::size_t rows(store::Database& db, const std::string& table) {
  return static_cast<std::size_t>(db.query("SELECT COUNT(*) FROM " + table)->at(0).integer(0));
}

}  // namespace

TEST_CASE("points of any size come back from their compact form bit by bit") {
  base::Rng rng(7);
  for (const std::size_t count : {0u, 1u, 2u, 100u, 5000u}) {
    auto points = random_points(rng, count);
    if (count > 2) {
      points[0].step = INT64_MIN;
      points[1].step = INT64_MAX;
      points[2].time_ms = INT64_MIN;
    }
    std::string bytes;
    encode_points(points, bytes);
    std::vector<Point> back;
    REQUIRE(decode_points(bytes, back).has_value());
    CHECK(back == points);
  }
}

TEST_CASE("a regular series takes few bytes a point") {
  std::vector<Point> points;
  for (int i = 0; i < 4096; ++i) points.push_back({1.0 / (i + 1), i, 1'700'000'000'000 + i * 100});
  std::string bytes;
  encode_points(points, bytes);
  CHECK(bytes.size() < points.size() * 11);
  for (auto& point : points) point.value = 0.5;
  bytes.clear();
  encode_points(points, bytes);
  CHECK(bytes.size() < points.size() * 4);
}

TEST_CASE("damaged points are named, never believed, whatever the bytes") {
  base::Rng rng(11);
  const auto points = random_points(rng, 50);
  TailEntry entry{42, {{"loss", points}, {"정확도", {points[0]}}}};
  const std::string good = encode_entry(entry);
  const auto back = decode_entry(good);
  REQUIRE(back.has_value());
  CHECK(back->run == 42);
  CHECK(back->series[1].key == "정확도");
  CHECK(back->series[0].points == points);
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK(decode_entry(good.substr(0, size)).error().code == base::Code::kDataLoss);
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    bad[rng.next() % bad.size()] = static_cast<char>(rng.next());
    static_cast<void>(decode_entry(bad));  // any answer, no harm
  }
}

TEST_CASE("a history is the same before and after folding, and after a restart") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "r");
  std::vector<MetricPoint> sent;
  for (int i = 0; i < 10'000; ++i) sent.push_back({"loss", 1.0 / (i + 1), i, 1000 + i});
  for (std::size_t begin = 0; begin < sent.size(); begin += 1000) {
    const RunBatch batch{{},
                         {},
                         {sent.begin() + static_cast<std::ptrdiff_t>(begin),
                          sent.begin() + static_cast<std::ptrdiff_t>(begin) + 1000}};
    REQUIRE(house.runs().log(run, batch).has_value());
    if (begin == 3000) REQUIRE(house.runs().log(run, batch).has_value());  // sent again
  }
  const auto check = [&] {
    const auto history = *house.runs().metric_history(run, "loss");
    REQUIRE(history.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(history[i].step == sent[i].step);
      CHECK(history[i].value == sent[i].value);
    }
    CHECK(house.runs().get_run(run)->latest.at("loss").step == 9999);
  };
  check();
  house.close();
  house.open();
  check();
  MetricStore store(*house.db);
  REQUIRE(store.start().has_value());
  REQUIRE(store.fold().has_value());
  CHECK(rows(*house.db, "metric_tail") == 0);
  CHECK(rows(*house.db, "metric_chunks") <= 4);
  check();
  const auto number = house.db->query("SELECT number FROM runs")->at(0).integer(0);
  CHECK(visited(store, number, "loss") == store.history(number, "loss").value());
}

TEST_CASE("points that come late, early and twice fold into one history") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "r");
  store::Database& db = *house.db;
  const auto number = db.query("SELECT number FROM runs")->at(0).integer(0);
  MetricStore store(db);
  REQUIRE(store.start().has_value());
  base::Rng rng(3);
  std::vector<Point> all;
  for (int round = 0; round < 20; ++round) {
    TailEntry entry{number, {{"m", {}}}};
    for (int i = 0; i < 700; ++i) {
      const Point point{static_cast<double>(rng.next() % 5),
                        static_cast<std::int64_t>(rng.next() % 3000),
                        static_cast<std::int64_t>(rng.next() % 3)};
      entry.series[0].points.push_back(point);
      all.push_back(point);
    }
    std::int64_t at = 0;
    REQUIRE(db.write([&](store::Writer& writer) -> base::Status {
                TRY_ASSIGN(at, store.append(writer, entry));
                return {};
              }).has_value());
    store.applied(entry, at);
    if (round % 3 == 0) REQUIRE(store.fold().has_value());
    const auto pieces = visited(store, number, "m");
    CHECK((!pieces || *pieces == *store.history(number, "m")));
  }
  CHECK_FALSE(visited(store, number, "m").has_value());  // chunks lie over one another
  std::sort(all.begin(), all.end(), earlier);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  CHECK(*store.history(number, "m") == all);
  REQUIRE(store.fold().has_value());
  CHECK(*store.history(number, "m") == all);
}

TEST_CASE("a sample keeps the ends and the extremes of every run") {
  TestHouse house;
  const std::string e = house.experiment("e");
  const std::string a = house.run(e, "a"), b = house.run(e, "b");
  RunBatch batch;
  for (int i = 0; i < 50'000; ++i)
    batch.metrics.push_back({"loss", i == 777 ? 99.0 : i == 31'234 ? -99.0 : 1.0, i, i});
  REQUIRE(house.runs().log(a, batch).has_value());
  REQUIRE(house.runs().log(b, {{}, {}, {{"loss", 3, 60'000, 1}}}).has_value());
  const auto sampled =
      *house.runs().sample_metric({.run_ids = {a, b}, .key = "loss", .limit = 320});
  CHECK(sampled.size() <= 330);
  const auto has = [&](const std::string& run, std::int64_t step) {
    return std::any_of(sampled.begin(), sampled.end(), [&](const SampledPoint& point) {
      return point.run_id == run && point.step == step;
    });
  };
  for (const std::int64_t step : {0, 777, 31'234, 49'999}) CHECK(has(a, step));
  CHECK(has(b, 60'000));
  const auto part = *house.runs().sample_metric(
      {.run_ids = {a}, .key = "loss", .start_step = 10, .end_step = 19, .limit = 320});
  CHECK(part.size() == 10);
}

TEST_CASE("a sample is the same whether its points lie in the tail or in chunks") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "a");
  base::Rng rng(5);
  for (int b = 0; b < 12; ++b) {
    RunBatch batch;
    for (int i = 0; i < 1000; ++i)
      batch.metrics.push_back({"m", static_cast<double>(rng.next() % 1000), b * 1000 + i, i});
    REQUIRE(house.runs().log(run, batch).has_value());
  }
  const auto sampled = [&](std::size_t limit) {
    std::vector<Point> out;
    const auto points = *house.runs().sample_metric({.run_ids = {run}, .key = "m", .limit = limit});
    for (const auto& p : points) out.push_back({p.value, p.step, p.time_ms});
    return out;
  };
  const std::vector<Point> before[] = {sampled(7), sampled(1000), sampled(20'000)};
  MetricStore store(*house.db);
  REQUIRE(store.start().has_value());
  REQUIRE(store.fold().has_value());
  house.close();
  house.open();
  CHECK(sampled(7) == before[0]);
  CHECK(sampled(1000) == before[1]);
  CHECK(sampled(20'000) == before[2]);
  CHECK(before[2].size() == 12'000);
}

TEST_CASE("a sample takes the first of each equal part of the points, and the last point") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "a");
  RunBatch batch;
  for (int i = 0; i < 20; ++i) batch.metrics.push_back({"m", 10, i / 2, i % 2});
  REQUIRE(house.runs().log(run, batch).has_value());
  using Points = std::vector<std::pair<std::int64_t, std::int64_t>>;  // steps and times
  const auto sampled = [&](const std::string& key, std::size_t limit) {
    const auto points = *house.runs().sample_metric({.run_ids = {run}, .key = key, .limit = limit});
    Points out;
    for (const auto& point : points) out.emplace_back(point.step, point.time_ms);
    return out;
  };
  CHECK(sampled("m", 5) == Points{{0, 0}, {2, 0}, {4, 0}, {6, 0}, {9, 1}});
  RunBatch nan;
  for (int i = 0; i < 20; ++i)
    nan.metrics.push_back({"n", i == 0 ? NAN : i == 7 ? -1.0 : i == 11 ? 5.0 : 0.0, i, 0});
  REQUIRE(house.runs().log(run, nan).has_value());
  CHECK(sampled("n", 2) == Points{{0, 0}, {7, 0}, {11, 0}, {19, 0}});  // NaN is no extreme
}

}  // namespace maru::tracking
