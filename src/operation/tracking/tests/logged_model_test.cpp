#include <cmath>
#include <limits>

#include "house.h"

namespace maru::tracking {
namespace {

using base::Code;
using Names = std::vector<std::string>;

Names found(LoggedModels& models, LoggedModelQuery query) {
  const auto page = models.search(query);
  REQUIRE(page.has_value());
  Names out;
  for (const auto& model : page->models) out.push_back(model.name);
  return out;
}

void measure(Runs& runs, const std::string& run, const std::string& model, const std::string& key,
             double value, std::int64_t step, const std::string& dataset = "") {
  RunBatch batch;
  batch.scoped.push_back({{key, value, step, 1000 + step}, model, dataset, dataset});
  REQUIRE(runs.log(run, batch).has_value());
}

}  // namespace

TEST_CASE("a logged model is pending, then ready, and keeps what it is told") {
  TestHouse house;
  auto& models = house.tracking->logged_models();
  const std::string experiment = house.experiment("e"), run = house.run(experiment, "r");
  const auto made = models.create({experiment, "모델", "agent", run, {{"lr", ""}}, {{"k", "v"}}});
  REQUIRE(made.has_value());
  CHECK(made->id.size() == 34);
  CHECK(made->id.rfind("m-", 0) == 0);
  CHECK(made->status == "pending");
  CHECK(made->artifact_uri ==
        "mlflow-artifacts:/" + experiment + "/models/" + made->id + "/artifacts");
  CHECK(made->params.at("lr").empty());
  CHECK(models.set_status(made->id, "ready")->status == "ready");
  CHECK(models.set_status(made->id, "done").error().code == Code::kInvalidArgument);
  CHECK(models.log_params(made->id, {{"lr", ""}, {"n", "1"}}).has_value());
  CHECK(models.log_params(made->id, {{"n", "2"}}).error().code == Code::kInvalidArgument);
  CHECK(models.set_tags(made->id, {{"k", "w"}}).has_value());
  CHECK(models.remove_tag(made->id, "none").error().code == Code::kNotFound);
  const auto now = models.get(made->id);
  CHECK(now->tags.at("k") == "w");
  CHECK(now->params.at("n") == "1");
  REQUIRE(models.remove(made->id).has_value());
  CHECK(models.get(made->id).error().code == Code::kNotFound);
  CHECK(models.set_tags(made->id, {{"k", "w"}}).error().code == Code::kNotFound);
  CHECK_FALSE(models.create({experiment, "", "", "", {}, {}})->name.empty());
  for (const char* bad : {"a/b", "a:b", "a.b", "a%b", "a\"b", "a'b"})
    CHECK(models.create({experiment, bad, "", "", {}, {}}).error().code == Code::kInvalidArgument);
  CHECK(models.create({"999", "m", "", "", {}, {}}).error().code == Code::kNotFound);
}

TEST_CASE("points that a run logs for a model are the model's too, however often they are sent") {
  TestHouse house;
  auto& models = house.tracking->logged_models();
  const std::string experiment = house.experiment("e"), run = house.run(experiment, "r");
  const std::string id = models.create({experiment, "m", "", run, {}, {}})->id;
  for (int again = 0; again < 2; ++again) {
    measure(house.runs(), run, id, "acc", 0.5, 1, "train");
    measure(house.runs(), run, id, "acc", std::numeric_limits<double>::quiet_NaN(), 2);
  }
  const auto metrics = models.get(id)->metrics;
  REQUIRE(metrics.size() == 2);
  CHECK(metrics[0].point.value == 0.5);
  CHECK(metrics[0].dataset_name == "train");
  CHECK(metrics[0].run_id == run);
  CHECK(std::isnan(metrics[1].point.value));
  RunBatch batch;
  batch.metrics.push_back({"own", 1, 0, 0});
  batch.scoped.push_back({{"acc", 1, 0, 0}, "m-unknown", "", ""});
  CHECK(house.runs().log(run, batch).error().code == Code::kNotFound);
  CHECK(house.runs().metric_history(run, "own")->empty());  // the batch is one
}

TEST_CASE("logged models are found by attributes, parameters, tags and metrics on datasets") {
  TestHouse house;
  auto& models = house.tracking->logged_models();
  const std::string experiment = house.experiment("e"), run = house.run(experiment, "r");
  Names ids;
  for (int i = 0; i < 4; ++i) {
    house.clock.advance_us(2000);
    ids.push_back(models
                      .create({experiment,
                               "m" + std::to_string(i),
                               i < 2 ? "a" : "b",
                               run,
                               {{"depth", std::to_string(i)}},
                               {}})
                      ->id);
  }
  measure(house.runs(), run, ids[0], "acc", 0.9, 1, "train");
  measure(house.runs(), run, ids[0], "acc", 0.1, 2, "test");
  measure(house.runs(), run, ids[1], "acc", 0.5, 1, "test");
  const LoggedModelQuery all{{experiment}, "", {}, {}, 50, 0};
  const auto with = [&](const std::string& filter) {
    auto query = all;
    query.filter = filter;
    return found(models, query);
  };
  CHECK(found(models, all) == Names{"m3", "m2", "m1", "m0"});
  CHECK(with("name = 'm1'") == Names{"m1"});
  CHECK(with("model_type = 'a'") == Names{"m1", "m0"});
  CHECK(with("params.depth IN ('0', '3')") == Names{"m3", "m0"});
  CHECK(with("metrics.acc > 0.3") == Names{"m1", "m0"});
  CHECK(with("metrics.none > 0").empty());
  CHECK(with("source_run_id = '" + run + "' AND name LIKE 'm%'").size() == 4);
  auto query = all;
  query.filter = "metrics.acc > 0.3";
  query.datasets = {{"test", ""}};
  CHECK(found(models, query) == Names{"m1"});
  query.filter = "";
  CHECK(found(models, query) == Names{"m1", "m0"});
  query = all;
  query.order_by = {{"metrics.acc", true, {}}};
  CHECK(found(models, query) == Names{"m0", "m1", "m3", "m2"});  // 0.1, 0.5, missing
  query.order_by = {{"metrics.acc", false, {"train", ""}}};
  CHECK(found(models, query) == Names{"m0", "m3", "m2", "m1"});
  query.order_by = {{"name", true, {}}};
  query.limit = 3;
  CHECK(models.search(query)->more);
  for (const char* bad : {"params.depth", "nothing"}) {
    query.order_by = {{bad, true, {}}};
    CHECK(models.search(query).error().code == Code::kInvalidArgument);
  }
}

}  // namespace maru::tracking
