#include <cmath>

#include "house.h"
#include "metric_store.h"
#include "run_index.h"

namespace maru::tracking {
namespace {

using base::Code;

struct Runs20 : TestHouse {
  std::string e = experiment("e");
  std::vector<std::string> ids;
  Runs20() {
    for (int i = 0; i < 20; ++i) {
      ids.push_back(run(e, "run-" + std::to_string(i), {{"team", "t" + std::to_string(i % 3)}}));
      RunBatch batch{{{"depth", std::to_string(i)}, {"model", i % 2 == 0 ? "tree" : "Linear"}},
                     {},
                     {{"auc", i == 5 ? std::nan("") : i / 20.0, 0, 0}}};
      if (i % 4 == 0) batch.metrics.push_back({"rare", 1.0 * i, 0, 0});
      REQUIRE(runs().log(ids.back(), batch).has_value());
    }
  }
  std::string found(const std::string& filter, std::vector<std::string> order = {}) {
    RunQuery query;
    query.experiment_ids = {e};
    query.filter = filter;
    query.order_by = std::move(order);
    const auto page = runs().search_runs("default", query);
    if (!page) return page.error().text();
    std::string out;
    for (const auto& run : page->runs) out += run.name.substr(4) + " ";
    return out;
  }
};

}  // namespace

TEST_CASE("filters over metrics, parameters, tags and attributes") {
  Runs20 house;
  CHECK(house.found("metrics.auc > 0.9") == "19 ");
  CHECK(house.found("metrics.auc >= 0.9 AND params.model = 'tree'") == "18 ");
  CHECK(house.found("params.model LIKE 'lin%'").empty());
  CHECK(house.found("params.model ILIKE 'lin%' AND tags.team = 't1'") == "19 13 7 1 ");
  CHECK(house.found("metrics.rare != 4") == "16 12 8 0 ");  // a missing metric never matches
  CHECK(house.found("metrics.rare IS NULL AND params.depth IN ('1', '4')") == "1 ");
  CHECK(house.found("run_name = 'run-3' OR (tags.team = 't2' AND metrics.auc > 0.8)") == "17 3 ");
  CHECK(house.found("attributes.status = 'RUNNING' AND NOT metrics.auc < 0.95") == "19 5 ");
  CHECK(house.found("tags.team = 't9'").empty());
  RunQuery bad;
  bad.filter = "metrics.auc >> 1";
  CHECK(house.runs().search_runs("default", bad).error().code == Code::kInvalidArgument);
}

TEST_CASE("numbers, then NaN, then what is missing, in both directions") {
  Runs20 house;
  const std::string up = house.found("params.depth IN ('4', '5', '6')", {"metrics.auc"});
  CHECK(up == "4 6 5 ");
  CHECK(house.found("params.depth IN ('4', '5', '6')", {"metrics.auc DESC"}) == "6 4 5 ");
  CHECK(house.found("params.depth IN ('3', '4', '8')", {"metrics.rare DESC"}) == "8 4 3 ");
  CHECK(house.found("params.depth IN ('3', '4', '8')", {"metrics.rare"}) == "4 8 3 ");
}

TEST_CASE("a search that was made before sees every later write") {
  Runs20 house;
  CHECK(house.found("metrics.auc > 0.96").empty());
  REQUIRE(house.runs().log(house.ids[0], {{}, {}, {{"auc", 0.99, 1, 1}}}).has_value());
  CHECK(house.found("metrics.auc > 0.96") == "0 ");
  REQUIRE(
      house.runs().log(house.ids[0], {{}, {}, {{"auc", 0.1, 0, 9}}}).has_value());  // older step
  CHECK(house.found("metrics.auc > 0.96") == "0 ");
  REQUIRE(house.runs().log(house.ids[1], {{}, {{"team", "new"}}, {}}).has_value());
  CHECK(house.found("tags.team = 'new'") == "1 ");
  REQUIRE(house.runs().delete_tag(house.ids[1], "team").has_value());
  CHECK(house.found("tags.team = 'new'").empty());
  CHECK(house.runs().delete_tag(house.ids[1], "team").error().code == Code::kNotFound);
  REQUIRE(house.runs().delete_run(house.ids[0]).has_value());
  CHECK(house.found("metrics.auc > 0.96").empty());
  CHECK(house.runs().log(house.ids[0], {{}, {}, {{"auc", 1, 2, 2}}}).error().message ==
        "The run " + house.ids[0] + " must be in the 'active' state. Current state is deleted.");
  REQUIRE(house.runs().restore_run(house.ids[0]).has_value());
  CHECK(house.found("metrics.auc > 0.96") == "0 ");
  const std::string fresh = house.run(house.e, "run-20");
  CHECK(house.found("run_name = 'run-20'") == "20 ");
  REQUIRE(house.runs().update_run(fresh, {.name = "run-21"}).has_value());
  CHECK(house.found("tags.`mlflow.runName` = 'run-21' AND run_name = 'run-21'") == "21 ");
  REQUIRE(house.runs().log(fresh, {{}, {{"mlflow.runName", "run-22"}}, {}}).has_value());
  CHECK(house.runs().get_run(fresh)->name == "run-22");
  CHECK(house.found("run_name = 'run-22'") == "22 ");
}

TEST_CASE("pages follow one another, also when runs are added between them") {
  Runs20 house;
  RunQuery query;
  query.experiment_ids = {house.e};
  query.order_by = {"params.model"};
  query.limit = 3;
  std::vector<std::string> seen;
  for (int pages = 0; pages < 20; ++pages) {
    const auto page = house.runs().search_runs("default", query);
    REQUIRE(page.has_value());
    for (const auto& run : page->runs) seen.push_back(run.id);
    if (page->next_after.empty()) break;
    query.after = page->next_after;
    if (pages == 2) house.run(house.e, "late");  // newest, no parameter: at the end
  }
  CHECK(seen.size() == 21);
  std::sort(seen.begin(), seen.end());
  CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
  query.after = "nothing";
  CHECK(house.runs().search_runs("default", query).error().code == Code::kInvalidArgument);
}

TEST_CASE("experiments: numbered, renamed, deleted with their runs, restored, found") {
  TestHouse house;
  CHECK(house.runs().get_experiment("0")->name == "Default");
  house.clock.advance_us(1000);
  const auto made = house.runs().create_experiment("default", "vision/detector", "", {{"k", "v"}});
  REQUIRE(made.has_value());
  CHECK(made->id == "1");
  CHECK(made->artifact_location == "mlflow-artifacts:/1");
  CHECK(house.runs().create_experiment("default", "vision/detector", "", {}).error().code ==
        Code::kAlreadyExists);
  const std::string run = house.run("1", "r");
  CHECK(house.runs().get_run(run)->artifact_uri == "mlflow-artifacts:/1/" + run + "/artifacts");
  REQUIRE(house.runs().delete_experiment("1").has_value());
  CHECK(house.runs().get_run(run)->state == "deleted");
  CHECK(house.runs().create_run({.experiment_id = "1"}).error().code == Code::kInvalidArgument);
  CHECK(house.runs().rename_experiment("1", "x").error().code == Code::kRefused);
  REQUIRE(house.runs().restore_experiment("1").has_value());
  CHECK(house.runs().get_run(run)->state == "active");
  REQUIRE(house.runs().rename_experiment("1", "vision/other").has_value());
  CHECK(house.runs().find_experiment("default", "vision/other")->tags.at("k") == "v");
  ExperimentQuery query;
  query.filter = "name LIKE 'vision/%' AND tags.k = 'v'";
  CHECK(house.runs().search_experiments("default", query)->experiments.size() == 1);
  query.filter = "";
  query.limit = 1;
  const auto first = house.runs().search_experiments("default", query);
  CHECK(first->experiments.at(0).id == "1");
  query.after = first->next_after;
  CHECK(house.runs().search_experiments("default", query)->experiments.at(0).id == "0");
}

TEST_CASE("datasets and models of a run, and searching by dataset") {
  TestHouse house;
  const std::string e = house.experiment("e"), run = house.run(e, "r");
  house.run(e, "other");
  const Dataset data{"flights", "abc", "local", "{\"uri\":\"x\"}", "[]", ""};
  REQUIRE(house.runs()
              .log_inputs(run, {{data, {{"mlflow.data.context", "training"}}}}, {"m-1"})
              .has_value());
  REQUIRE(house.runs()
              .log_inputs(run, {{data, {{"mlflow.data.context", "training"}}}}, {})
              .has_value());
  REQUIRE(house.runs().log_outputs(run, {{"m-2", 7}}).has_value());
  const auto got = *house.runs().get_run(run);
  REQUIRE(got.datasets.size() == 1);
  CHECK(got.datasets[0].dataset.digest == "abc");
  CHECK(got.input_models == std::vector<std::string>{"m-1"});
  CHECK(got.output_models.at(0).step == 7);
  RunQuery query;
  query.filter = "dataset.name = 'flights' AND dataset.context = 'training'";
  CHECK(house.runs().search_runs("default", query)->total == 1);
  CHECK(house.runs().dataset_summaries({e})->at(0).context == "training");
}

TEST_CASE(
    "columns that nobody searched for a minute are dropped, and read again when somebody does") {
  TestHouse house;
  const std::string e = house.experiment("e"), run = house.run(e, "a");
  REQUIRE(house.runs().log(run, {{}, {}, {{"loss", 1, 0, 0}}}));
  MetricStore metrics(*house.db);
  REQUIRE(metrics.start());
  RunIndex index(*house.db, metrics, house.clock);
  const auto found = [&] {
    std::size_t rows = 0;
    REQUIRE(index.with({e}, {{"loss"}, {}, {}}, [&](const auto& columns) -> base::Status {
      rows = columns.at(0)->metrics.at("loss").points.size();
      return {};
    }));
    return rows;
  };
  CHECK(found() == 1);
  house.clock.advance_us(RunIndex::kIdleMs * 1000);
  CHECK(index.drop_idle() == 0);
  house.clock.advance_us(1'000'000);
  CHECK(index.drop_idle() == 1);
  CHECK(index.drop_idle() == 0);
  house.run(e, "b");
  CHECK(found() == 2);
}

}  // namespace maru::tracking
