#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "house.h"

namespace maru::tracking {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

base::Result<bool> unused(const std::string&) { return false; }

std::int64_t count(store::Database& db, const std::string& table) {
  return db.query("SELECT COUNT(*) FROM " + table)->at(0).integer(0);
}

// As if every blob had been written long ago.
void age_blobs(TestHouse& house) {
  const auto blobs = *house.blobs->list();
  for (const auto& blob : blobs) {
    const timespec old[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
    REQUIRE(::utimensat(AT_FDCWD, house.blobs->local_path(blob.sha256)->c_str(), old, 0) == 0);
  }
}

}  // namespace

TEST_CASE("what was deleted long enough ago goes with its values, points, files and blobs") {
  TestHouse house;
  const std::string e = house.experiment("e");
  const std::string kept = house.run(e, "kept"), gone = house.run(e, "gone", {{"a", "b"}});
  for (const auto& run : {kept, gone}) {
    REQUIRE(
        house.runs().log(run, {{{"p", "1"}}, {}, {{"m", 1, 1, 1}, {"m", 2, 2, 2}}}).has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(run, "shared.txt", "same bytes").has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(run, "own.txt", "of " + run).has_value());
  }
  REQUIRE(house.runs().delete_run(gone).has_value());
  age_blobs(house);
  auto& trash = house.tracking->trash();
  CHECK(trash.empty(house.clock.now_us() - kDayUs, unused)->runs == 0);  // deleted just now
  CHECK(house.runs().get_run(gone).has_value());
  house.clock.advance_us(2 * kDayUs);
  const auto report = *trash.empty(house.clock.now_us() - kDayUs, unused);
  CHECK(report.runs == 1);
  CHECK(report.blobs == 1);  // the shared one is still named
  CHECK(house.runs().get_run(gone).error().code == base::Code::kNotFound);
  CHECK(house.runs().get_run(kept)->latest.at("m").value == 2);
  CHECK(*house.tracking->artifacts().read_artifact(kept, "shared.txt") == "same bytes");
  CHECK(count(*house.db, "runs") == 1);
  CHECK(count(*house.db, "freed_blobs") == 0);
  CHECK(house.blobs->list()->size() == 2);
  RunQuery query;
  query.view = View::kAll;
  CHECK(house.runs().search_runs("default", query)->total == 1);
}

TEST_CASE("a blob that another room uses, or that is young, stays") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "r");
  REQUIRE(house.tracking->artifacts().put_artifact(run, "a", "one").has_value());
  REQUIRE(house.tracking->artifacts().put_artifact(run, "b", "two").has_value());
  REQUIRE(house.runs().delete_run(run).has_value());
  house.clock.advance_us(2 * kDayUs);
  auto& trash = house.tracking->trash();
  CHECK(trash.empty(house.clock.now_us(), unused)->blobs == 0);  // written a moment ago
  CHECK(count(*house.db, "freed_blobs") == 2);                   // and not forgotten
  age_blobs(house);
  const std::string one = house.blobs->put("one")->sha256;  // written again: young again
  const auto elsewhere = [](const std::string&) -> base::Result<bool> { return true; };
  age_blobs(house);
  CHECK(trash.empty(house.clock.now_us(), elsewhere)->blobs == 0);
  CHECK(house.blobs->list()->size() == 2);
  CHECK(count(*house.db, "freed_blobs") == 0);  // they are somebody else's now
  CHECK(house.blobs->stat(one).has_value());
}

TEST_CASE("a deleted experiment goes after its last run; a restored one stays") {
  TestHouse house;
  const std::string a = house.experiment("a"), b = house.experiment("b");
  house.run(a, "r");
  house.run(b, "r");
  REQUIRE(house.runs().delete_experiment(a).has_value());
  REQUIRE(house.runs().delete_experiment(b).has_value());
  REQUIRE(house.runs().restore_experiment(b).has_value());
  house.clock.advance_us(2 * kDayUs);
  const auto report = *house.tracking->trash().empty(house.clock.now_us(), unused);
  CHECK(report.runs == 1);
  CHECK(report.experiments == 1);
  CHECK(house.runs().get_experiment(a).error().code == base::Code::kNotFound);
  CHECK(house.runs().get_experiment(b)->state == "active");
  CHECK(house.experiment("a") != a);  // the name is free again
}

TEST_CASE("of a run, and of an experiment, nothing is left in any table") {
  TestHouse house;
  const std::string kept = house.experiment("kept"), doomed = house.experiment("doomed");
  const auto counts = [&] {
    std::map<std::string, std::int64_t> out;
    const auto tables = *house.db->query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    for (const auto& table : tables) out[table.text(0)] = count(*house.db, table.text(0));
    for (const char* history : {"audit_entries", "metric_tail"}) out.erase(history);
    return out;
  };
  auto& traces = house.tracking->traces();
  const auto fill = [&](const std::string& experiment) {
    const std::string run = house.run(experiment, "r", {{"a", "b"}});
    REQUIRE(house.runs()
                .log(run, {{{"p", "1"}}, {{"t", "2"}}, {{"m", 1, 1, 1}, {"m", 2, 2, 2}}})
                .has_value());
    NewLoggedModel model;
    model.experiment_id = experiment;
    model.name = "lm";
    model.params = {{"p", "1"}};
    model.tags = {{"t", "1"}};
    const std::string id = house.tracking->logged_models().create(model)->id;
    DatasetInput dataset;
    dataset.dataset.name = "d" + experiment;
    dataset.dataset.digest = "1";
    REQUIRE(house.runs().log_inputs(run, {dataset}, {id}).has_value());
    REQUIRE(house.runs().log_outputs(run, {{id, 0}}).has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(run, "a", "of " + run).has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(id, "b", "of " + id).has_value());
    Trace trace;
    trace.id = "tr-" + run;
    trace.experiment_id = experiment;
    trace.time_ms = 1;
    trace.metadata = {{"mlflow.sourceRun", run}};
    trace.assessments = {
        *base::parse_json(R"({"assessment_name": "good", "feedback": {"value": true}})")};
    REQUIRE(traces.put(trace).has_value());
    SpanBatch batch;
    Span span;
    span.trace_id = run;
    span.span_id = "00f067aa0ba902b7";
    batch.spans = {{span, write_span(span), 0}};
    batch.resources = {base::Json::object()};
    REQUIRE(traces.log_spans(experiment, batch, run).has_value());
    REQUIRE(traces.link_to_run({"tr-not-yet"}, run).has_value());
    REQUIRE(house.tracking->artifacts()
                .put_artifact(Artifacts::kFreeOwner,
                              experiment + "/traces/" + trace.id + "/artifacts/traces.json",
                              "{}" + run)
                .has_value());
    return run;
  };
  auto& trash = house.tracking->trash();
  SUBCASE("a run") {
    const auto before = counts();
    const std::string run = fill(kept);
    REQUIRE(house.runs().delete_run(run).has_value());
    REQUIRE(trash.list(10)->size() == 1);
    CHECK(trash.list(10)->at(0).id == run);
    house.clock.advance_us(2 * kDayUs);
    age_blobs(house);
    const auto report = *trash.empty(house.clock.now_us(), unused);
    CHECK(report.runs == 1);
    CHECK(report.traces == 1);
    CHECK(report.blobs == 2);  // its artifact and the trace's file
    auto after = counts();
    // The logged model belongs to the experiment, which stays; so does the description of the dataset.
    for (const char* table : {"logged_models", "logged_model_params", "logged_model_tags",
                              "logged_model_metrics", "datasets_logged", "artifacts"})
      after[table] = before.at(table);
    CHECK(after == before);
    CHECK(count(*house.db, "artifacts") == 1);
  }
  SUBCASE("an experiment") {
    fill(kept);
    const auto before = counts();
    fill(doomed);
    Trace loose;  // made outside of any run
    loose.id = "tr-loose";
    loose.experiment_id = doomed;
    REQUIRE(traces.put(loose).has_value());
    REQUIRE(house.runs().delete_experiment(doomed).has_value());
    house.clock.advance_us(2 * kDayUs);
    age_blobs(house);
    const auto report = *trash.empty(house.clock.now_us(), unused);
    CHECK(report.experiments == 1);
    CHECK(report.traces == 2);
    CHECK(report.models == 1);
    CHECK(report.blobs == 3);
    auto after = counts();
    after["experiments"] += 1;                                  // the doomed one was there before
    after["trace_runs_early"] = before.at("trace_runs_early");  // old ones go wherever they are
    // The kept run's points were folded meanwhile: one key, one chunk.
    for (const char* table : {"metric_chunks", "run_metrics"}) {
      CHECK(after.at(table) == 1);
      after[table] = before.at(table);
    }
    for (const auto& [table, rows] : before) {
      CAPTURE(table);
      CHECK(after[table] == rows);
    }
    CHECK(traces.get("tr-loose").error().code == base::Code::kNotFound);
  }
}

TEST_CASE("what holds the files of a registered version waits until that version is deleted") {
  TestHouse house;
  const std::string e = house.experiment("e"), run = house.run(e, "r");
  REQUIRE(house.tracking->artifacts().put_artifact(run, "model/MLmodel", "x").has_value());
  NewVersion wanted;
  wanted.source = house.runs().get_run(run)->artifact_uri + "/model";
  wanted.storage = wanted.source;
  auto& registry = house.tracking->registry();
  REQUIRE(registry.create_model("default", "m", "", {}).has_value());
  const auto version = registry.create_version("default", "m", wanted);
  REQUIRE(version.has_value());
  REQUIRE(house.runs().delete_experiment(e).has_value());
  house.clock.advance_us(2 * kDayUs);
  auto& trash = house.tracking->trash();
  CHECK(trash.empty(house.clock.now_us(), unused)->runs == 0);
  const auto waiting = *trash.list(10);
  CHECK(std::any_of(waiting.begin(), waiting.end(),
                    [](const TrashItem& item) { return item.kept_by == "m/1"; }));
  REQUIRE(registry.remove_version("default", "m", 1).has_value());
  CHECK(trash.empty(house.clock.now_us(), unused)->runs == 1);
  CHECK(trash.list(10)->empty());
}

}  // namespace maru::tracking
