#include "maru/steps/project_file.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace maru;

namespace {

constexpr const char* kWhole = R"(project: flights
data:
  flights: {source: "flights_*.parquet", time: time_hour}
  weather: {source: [/abs/weather.parquet, more.csv], header: false}
  training: {sql: select * from flights, time: time_hour}
predict: {label: arr_delay > 15, at: departure, task: binary, exclude: [dep_time], allow: tail}
split: {test: 25%, valid: 0.1}
train: {model: late, seed: 7, learners: [linear], automl: {budget: 90s, metric: roc_auc, max_trials: 5}}
evaluate: {slices: [origin], gates: {roc_auc: {min: 0.7}, latency_p99: 5ms}}
serve: {endpoint: late}
monitor: {window: 2h, window_rows: 500, label_delay: 1d, drift: {columns: [origin]}, retrain: {when: [drift], cooldown: 3h}}
schedule: "0 3 * * *"
)";

base::Result<steps::ProjectFile> parse(const std::string& yaml) {
  return steps::parse_project(yaml, "/home/me");
}

// A small file with `more` under it.
base::Result<steps::ProjectFile> with(const std::string& more) {
  return parse("project: p\ndata: a.csv\npredict: {label: y}\n" + more);
}

std::string error_of(const base::Result<steps::ProjectFile>& result) {
  REQUIRE(!result);
  return result.error().text();
}

bool says(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

const pipeline::TaskSpec& task(const pipeline::PipelineSpec& spec, const std::string& name) {
  const auto at = std::find_if(spec.tasks.begin(), spec.tasks.end(),
                               [&](const auto& each) { return each.name == name; });
  REQUIRE(at != spec.tasks.end());
  return *at;
}

}  // namespace

TEST_CASE("a project file with every key") {
  const auto file = parse(kWhole);
  REQUIRE(file);
  CHECK(file->project == "flights");
  CHECK(file->model == "late");
  REQUIRE(file->data.size() == 3);
  CHECK(file->data[0].sources == std::vector<std::string>{"/home/me/flights_*.parquet"});
  CHECK(file->data[1].sources ==
        std::vector<std::string>{"/abs/weather.parquet", "/home/me/more.csv"});
  CHECK_FALSE(file->data[1].header);
  CHECK_FALSE(file->data[1].detect_header);
  CHECK(file->training().sql == "select * from flights");
  CHECK(file->allow == std::vector<std::string>{"tail"});
  CHECK(file->split_by == "time_hour");
  CHECK(file->test_share == 0.25);
  CHECK(file->valid_share == 0.1);
  CHECK(file->seed == 7);
  CHECK(file->budget_seconds == 90);
  CHECK(file->max_trials == 5);
  CHECK(file->gates["roc_auc"]["min"].as_double() == 0.7);
  CHECK(file->gates["latency_p99"].as_string() == "5ms");
  CHECK(file->window_us == 7'200'000'000);
  CHECK(file->window_rows == 500);
  CHECK(file->label_delay_us == 86'400'000'000);
  CHECK(file->retrain_on_drift);
  CHECK_FALSE(file->retrain_on_performance);
  CHECK(file->cooldown_us == 10'800'000'000);
}

TEST_CASE("the defaults of a project file") {
  const auto file = with("");
  REQUIRE(file);
  CHECK(file->model == "p");
  CHECK(file->data.front().name == "p");
  CHECK(file->split_by.empty());
  CHECK(file->budget_seconds == 60);
  CHECK(file->endpoint.empty());
  CHECK(file->drift_columns.empty());
}

TEST_CASE("a wrong project file is refused with the place and a proposal") {
  CHECK(says(error_of(with("trian: {}\n")), "line 4, column 1"));
  CHECK(says(error_of(with("trian: {}\n")), "train"));
  CHECK(says(error_of(with("train: {automl: {bugdet: 5s}}\n")), "did you mean `budget`"));
  CHECK(says(error_of(with("train: {automl: {budget: soon}}\n")), "`train.automl.budget`"));
  CHECK(says(error_of(with("train: {automl: {budget: 10ms}}\n")), "at least 1s"));
  CHECK(says(error_of(with("train: {learners: [lightbgm]}\n")), "did you mean `lightgbm`"));
  CHECK(says(error_of(with("train: {seed: -1}\n")), "not a whole number: -1"));
  CHECK(says(error_of(with("split: {test: 95%}\n")), "`split.test`"));
  CHECK(says(error_of(with("monitor: {retrain: {when: [drfit]}}\n")), "did you mean `drift`"));
  CHECK(says(error_of(with("schedule: every day\n")), "every day"));
  CHECK(says(error_of(with("evaluate: {gates: [roc_auc]}\n")), "`evaluate.gates` must be a map"));
  CHECK(says(error_of(parse("project: p\ndata: {a: {source: a.csv, header: perhaps}}\n"
                            "predict: {label: y}\n")),
             "`header` must be true or false"));
  CHECK(says(error_of(parse("data: a.csv\n")), "`project` is missing"));
  CHECK(says(error_of(parse("project: p\n")), "`data` is missing"));
  CHECK(says(error_of(parse("project: p\ndata: a.csv\n")), "`predict.label` is missing"));
  CHECK(says(error_of(parse("project: p\ndata: {a: a.csv, b: b.csv}\npredict: {label: y}\n")),
             "none is called `training`"));
  CHECK(says(error_of(parse("project: p\ndata: {a: {time: t}}\npredict: {label: y}\n")),
             "either `source` or `sql`"));
  CHECK(says(error_of(parse("- a\n- b\n")), "not a map"));
  CHECK(says(error_of(parse("project: [unclosed\n")), "line "));
  CHECK(says(error_of(parse("")), "not a map"));
}

TEST_CASE("shares and seconds") {
  CHECK(*steps::parse_share("20%") == doctest::Approx(0.2));
  CHECK(*steps::parse_share(" 0.25 ") == 0.25);
  CHECK_FALSE(steps::parse_share("many"));
  CHECK_FALSE(steps::parse_share(""));
  CHECK(*steps::parse_seconds("90s") == 90);
  CHECK(*steps::parse_seconds("2m") == 120);
  CHECK_FALSE(steps::parse_seconds("-5s"));
}

TEST_CASE("a project file becomes a pipeline") {
  const auto file = parse(kWhole);
  REQUIRE(file);
  const auto spec = steps::compile_project(*file);
  REQUIRE(spec);
  std::vector<std::string> names;
  for (const auto& each : spec->tasks) names.push_back(each.name);
  CHECK(names == std::vector<std::string>{"ingest-flights", "ingest-weather", "join", "profile",
                                          "validate", "train", "register", "evaluate", "promote",
                                          "deploy", "watch"});
  CHECK(task(*spec, "join").after == std::vector<std::string>{"ingest-flights", "ingest-weather"});
  // Files behind a path change; what follows from the same snapshot does not.
  CHECK_FALSE(task(*spec, "ingest-flights").cache);
  CHECK(task(*spec, "train").cache);
  // The learner and the evaluation read the same rows.
  for (const char* key : {"label", "task", "time", "test_share", "valid_share", "seed", "exclude"})
    CHECK(task(*spec, "train").params[key] == task(*spec, "evaluate").params[key]);
}

TEST_CASE("what is not asked for is not in the pipeline") {
  const auto spec = steps::compile_project(*with(""));
  REQUIRE(spec);
  for (const auto& each : spec->tasks) {
    CHECK(each.name != "join");
    CHECK(each.name != "deploy");
    CHECK(each.name != "watch");
  }
  const auto two = parse(
      "project: p\ndata: {a: a.csv, b: {sql: select 1}, training: {sql: select * from a}}\n"
      "predict: {label: y}\n");
  REQUIRE(two);
  CHECK(says(steps::compile_project(*two).error().text(), "only `training` may use `sql`"));
}
