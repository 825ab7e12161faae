#include "lookup.h"

#include <doctest/doctest.h>

#include <cmath>

#include "fake_model.h"
#include "maru/base/rng.h"

using namespace maru;
using namespace maru::serve;
using namespace maru::serve::test;

namespace {

base::Json json(const std::string& text) {
  auto out = base::parse_json(text);
  REQUIRE(out);
  return *out;
}

// "people": id (text or number), x, note.
class FakeFeatures final : public FeatureSource {
 public:
  base::Result<State> current(const std::string&, const std::string& dataset) override {
    if (dataset != "people")
      return base::fail(base::Code::kNotFound, "no dataset has the name: " + dataset);
    return State{snapshot, updated_us, table.rows()};
  }
  base::Result<data::Table> read(const std::string&,
                                 const std::vector<std::string>& columns) override {
    ++reads;
    return table.select(columns);
  }
  void set(std::vector<std::string> keys, std::vector<double> values) {
    data::Column id, x;
    id.name = "id";
    id.type = data::ColumnType::kText;
    for (auto& key : keys) {
      id.codes.push_back(static_cast<std::int32_t>(id.dictionary.size()));
      id.dictionary.push_back(std::move(key));
    }
    x.name = "x";
    x.reals = std::move(values);
    table.columns = {std::move(id), std::move(x)};
    snapshot += "'";
  }
  std::string snapshot = "s";
  std::int64_t updated_us = 0;
  data::Table table;
  int reads = 0;
};

struct Place {
  FakeFeatures features;
  Stand stand{true, [this](Server::Options& options) { options.features = &features; }};
  Server& server = *stand.server;

  Place() {
    features.set({"ann", "bob"}, {3, 4});
    features.updated_us = stand.clock.now_us();
  }
  base::Status put(const std::string& declared) {
    EndpointConfig config;
    config.name = "e";
    config.model = "m";
    config.features = json(declared);
    return server.put_endpoint(config);
  }
  // 1000 + x of each row, or the error.
  base::Result<std::vector<double>> ask(const std::string& body) {
    model::Predictions out;
    const auto answer = server.predict(
        "e", {},
        [&](const model::Signature& signature, model::InputBatch& batch) {
          return model::fill_from_text(signature, body, "instances", batch);
        },
        out);
    if (!answer) return tl::unexpected<base::Error>(answer.error());
    return out.scores;
  }
};

constexpr const char* kPlain =
    R"({"dataset": "people", "key": "id", "columns": ["x"], "defaults": {"x": 9}})";

}  // namespace

TEST_CASE("a call gives the key, and the missing inputs are looked up") {
  Place place;
  REQUIRE(place.put(kPlain));
  const auto got = place.ask(
      R"({"instances": [{"id": "bob"}, {"id": "ann"}, {"id": "eve"}, {}, {"id": "bob", "x": 50}]})");
  REQUIRE_MESSAGE(got, (got ? "" : got.error().text()));
  CHECK(*got == std::vector<double>{1004, 1003, 1009, 1009, 1050});
  const base::Json features = place.server.status("e")->features;
  CHECK(features["found"].as_int() == 3);
  CHECK(features["missing"].as_int() == 2);
  CHECK(features["rows"].as_int() == 2);
  CHECK(features["bytes"].as_int() > 0);
  // What is logged and mirrored is what the model got.
  const auto& record = place.stand.sink.records.back();
  CHECK(record.rows.columns.size() == 1);
  CHECK(record.rows.columns[0].numbers == std::vector<double>{4, 3, 9, 9, 50});
  CHECK(record.features_ns >= 0);
  CHECK(place.server.metrics_text().find(
            "maru_feature_lookups_total{endpoint=\"e\",result=\"found\"} 3") != std::string::npos);
  const auto unknown = place.ask(R"({"instances": [{"idd": "bob"}]})");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == base::Code::kInvalidArgument);
}

TEST_CASE("a key that is not there, or a table that is too old, may be refused") {
  Place place;
  REQUIRE(
      place.put(R"({"dataset": "people", "key": "id", "columns": ["x"], "missing": "refuse"})"));
  CHECK(place.ask(R"({"instances": [{"id": "bob"}]})"));
  const auto missing = place.ask(R"({"instances": [{"id": "eve"}]})");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == base::Code::kFailedPrecondition);

  REQUIRE(place.put(
      R"({"dataset": "people", "key": "id", "columns": ["x"], "max_age": "1d", "stale": "refuse"})"));
  place.stand.clock.advance_us(86'400'000'000);
  CHECK(place.ask(R"({"instances": [{"id": "bob"}]})"));
  place.stand.clock.advance_us(1);
  const auto stale = place.ask(R"({"instances": [{"id": "bob"}]})");
  REQUIRE_FALSE(stale);
  CHECK(stale.error().code == base::Code::kUnavailable);
  CHECK(place.server.status("e")->features["is_stale"].as_bool());

  REQUIRE(place.put(
      R"({"dataset": "people", "key": "id", "columns": ["x"], "max_age": "1d", "defaults": {"x": 7}})"));
  const auto defaulted = place.ask(R"({"instances": [{"id": "bob"}]})");
  REQUIRE(defaulted);
  CHECK(*defaulted == std::vector<double>{1007});
  CHECK(place.server.status("e")->features["stale"].as_int() == 1);
}

TEST_CASE("a new snapshot takes the old one's place by itself; a wrong one does not") {
  Place place;
  REQUIRE(place.put(kPlain));
  place.features.set({"ann", "bob", "eve"}, {30, 40, 50});
  place.stand.clock.advance_us(kLookupCheckUs);
  place.server.tick();
  place.stand.loader.drain();
  CHECK(*place.ask(R"({"instances": [{"id": "eve"}]})") == std::vector<double>{1050});
  CHECK(place.features.reads == 2);
  place.stand.clock.advance_us(kLookupCheckUs);
  place.server.tick();
  place.stand.loader.drain();
  CHECK(place.features.reads == 2);  // the same snapshot is not read again

  data::Table good = place.features.table;
  place.features.table.columns[1].name = "y";
  place.features.snapshot += "'";
  place.stand.clock.advance_us(kLookupCheckUs);
  place.server.tick();
  place.stand.loader.drain();
  CHECK(*place.ask(R"({"instances": [{"id": "eve"}]})") == std::vector<double>{1050});
  CHECK_FALSE(place.server.status("e")->features["reason"].as_string().empty());
}

TEST_CASE("lookups that cannot be are refused, and the route that serves stays") {
  Place place;
  for (const char* text :
       {R"({})", R"({"dataset": "people"})", R"({"dataset": "people", "key": []})",
        R"({"dataset": "people", "key": "id", "columns": ["id"]})",
        R"({"dataset": "people", "key": "id", "colums": ["x"]})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "missing": "guess"})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "max_age": "soon"})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "max_bytes": 0})",
        R"({"dataset": "nobody", "key": "id", "columns": ["x"]})",
        R"({"dataset": "people", "key": "id", "columns": ["y"]})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "defaults": {"z": 1}})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "defaults": {"x": "many"}})",
        R"({"dataset": "people", "key": "id", "columns": ["x"], "max_bytes": 100})"})
    CHECK_MESSAGE(!place.put(text), text);
  REQUIRE(place.put(kPlain));
  CHECK_FALSE(place.put(R"({"dataset": "nobody", "key": "id", "columns": ["x"]})"));
  CHECK(place.ask(R"({"instances": [{"id": "bob"}]})"));
}

TEST_CASE("a point read of a million rows takes far less than 50 us") {
  FakeFeatures source;
  constexpr std::size_t kRows = 1'000'000;
  std::vector<std::string> keys;
  std::vector<double> values;
  for (std::size_t i = 0; i < kRows; ++i) {
    keys.push_back("customer-" + std::to_string(i));
    values.push_back(static_cast<double>(i));
  }
  source.set(std::move(keys), std::move(values));
  auto spec = LookupSpec::parse(json(R"({"dataset": "people", "key": "id", "columns": ["x"]})"));
  REQUIRE(spec);
  auto lookup = std::make_shared<Lookup>(*spec, "default", &source);
  REQUIRE(lookup->refresh());
  const auto view = LookupView::make(lookup, one_number());
  REQUIRE(view);
  constexpr int kReads = 100'000;
  std::vector<std::string> asked;
  base::Rng rng(3);
  for (int i = 0; i < kReads; ++i) asked.push_back("customer-" + std::to_string(rng.below(kRows)));
  model::InputBatch batch;
  double sum = 0;
  const std::int64_t begin_ns = base::system_clock().monotonic_ns();
  for (const std::string& key : asked) {
    batch.reset((*view)->signature(), 1);
    batch.columns[1].texts[0] = key;
    REQUIRE((*view)->complete(batch, 0, 0));
    sum += batch.columns[0].numbers[0];
  }
  const double ns = static_cast<double>(base::system_clock().monotonic_ns() - begin_ns) / kReads;
  MESSAGE("point read of 1,000,000 rows: "
          << ns << " ns; " << lookup->report(0)["bytes"].as_int() / 1'000'000 << " MB");
  CHECK(sum > 0);
  CHECK(ns < 50'000);
}
