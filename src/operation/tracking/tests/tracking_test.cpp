#include "maru/tracking/tracking.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "maru/base/fault.h"
#include "maru/base/file.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;

struct House {
  std::string folder = "/tmp/maru-tracking-XXXXXX";
  base::ManualClock clock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<Tracking> tracking;
  House() {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    store::DatabaseOptions options;
    options.path = ":memory:";
    db = std::move(*store::Database::open(options));
    blobs = std::move(*blob::BlobStore::open_local(folder + "/blobs"));
    tracking = std::move(*Tracking::open(*db, *blobs, clock));
  }
  ~House() {
    tracking.reset();
    blobs.reset();
    db.reset();
    static_cast<void>(base::remove_tree(folder));
  }
  std::string run(const std::string& name = "r") {
    const auto experiment = tracking->runs().ensure_experiment("p", "e");
    REQUIRE(experiment.has_value());
    clock.advance_us(1000);
    return tracking->runs()
        .create_run({.experiment_id = experiment->id, .name = name, .source = "test"})
        ->id;
  }
  std::string bundle(const std::string& content) {
    const std::string at = folder + "/bundle";
    REQUIRE(base::make_folders(at + "/data").has_value());
    REQUIRE(base::write_file_atomic(at + "/MLmodel", content).has_value());
    REQUIRE(base::write_file_atomic(at + "/data/한글.txt", "x").has_value());
    return at;
  }
};

}  // namespace

TEST_CASE("an experiment is made once, however many ask at the same time") {
  House house;
  std::vector<std::string> ids(8);
  {
    std::vector<std::jthread> threads;
    for (auto& id : ids)
      threads.emplace_back([&] { id = house.tracking->runs().ensure_experiment("p", "비행")->id; });
  }
  for (const auto& id : ids) CHECK(id == ids[0]);
  CHECK(house.tracking->runs().list_experiments("p")->size() == 1);
  CHECK(house.tracking->runs().list_experiments("other")->empty());
  for (const std::string& bad :
       {std::string(), std::string(501, 'x'), std::string("\x01"), std::string("\xff")}) {
    CHECK(house.tracking->runs().ensure_experiment("p", bad).error().code ==
          Code::kInvalidArgument);
  }
  CHECK(house.tracking->runs().ensure_experiment("p", std::string(500, 'x')).has_value());
}

TEST_CASE("a batch is atomic, re-sending is harmless, a parameter never changes") {
  House house;
  const std::string id = house.run();
  const RunBatch batch{{{"rate", "0.1"}},
                       {{"who", "me"}},
                       {{"auc", 0.5, 1, 10}, {"auc", 0.7, 2, 20}, {"system/cpu", 1, 0, 5}}};
  REQUIRE(house.tracking->runs().log(id, batch).has_value());
  REQUIRE(house.tracking->runs().log(id, batch).has_value());
  CHECK(house.tracking->runs().metric_history(id, "auc")->size() == 2);
  const auto refused =
      house.tracking->runs().log(id, {{{"rate", "0.2"}}, {{"who", "you"}}, {{"auc", 0.9, 3, 30}}});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kInvalidArgument);
  const auto run = house.tracking->runs().get_run(id);
  CHECK(run->params.at("rate") == "0.1");
  CHECK(run->tags.at("who") == "me");
  CHECK(run->latest.at("auc").value == 0.7);
  CHECK(*house.tracking->runs().metric_keys(id) == std::vector<std::string>{"auc", "system/cpu"});
  CHECK(house.tracking->runs().log("00000000000000000000000000000000", batch).error().code ==
        Code::kNotFound);
  CHECK(house.tracking->runs().log(id, {{}, {}, {{"", 1, 0, 0}}}).error().code ==
        Code::kInvalidArgument);
  CHECK(
      house.tracking->runs().log(id, {{{"big", std::string(64 << 10, 'x')}}, {}, {}}).has_value());
  CHECK(house.tracking->runs()
            .log(id, {{{"bigger", std::string((64 << 10) + 1, 'x')}}, {}, {}})
            .error()
            .code == Code::kTooLarge);
}

TEST_CASE("the latest point is the last by step, time, value, in whatever order points come") {
  House house;
  const std::string id = house.run();
  const std::vector<MetricPoint> points = {
      {"m", 1, 5, 10}, {"m", 9, 4, 99}, {"m", 2, 5, 11}, {"m", 3, 5, 11}, {"m", 0, 5, 9}};
  for (const auto& point : points)
    REQUIRE(house.tracking->runs().log(id, {{}, {}, {point}}).has_value());
  const auto one_by_one = house.tracking->runs().get_run(id)->latest.at("m");
  CHECK(one_by_one.value == 3);
  CHECK(one_by_one.step == 5);
  CHECK(one_by_one.time_ms == 11);
  const std::string other = house.run();
  REQUIRE(house.tracking->runs().log(other, {{}, {}, points}).has_value());
  CHECK(house.tracking->runs().get_run(other)->latest.at("m").value == 3);
  const auto history = *house.tracking->runs().metric_history(id, "m");
  REQUIRE(history.size() == 5);
  CHECK(history.front().step == 4);
  CHECK(history.back().value == 3);
}

TEST_CASE("NaN, infinities and the smallest and largest numbers come back as they were") {
  House house;
  const std::string id = house.run();
  constexpr double kInf = std::numeric_limits<double>::infinity(),
                   kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {0.0,       -kInf, kInf, 5e-324, 1.7976931348623157e308,
                                      0.1 + 0.2, kNan};
  std::vector<MetricPoint> points;
  for (std::size_t i = 0; i < values.size(); ++i)
    points.push_back({"m", values[i], static_cast<std::int64_t>(i), 0});
  points.push_back({"both", 0, 0, 0});
  points.push_back({"both", kNan, 0, 0});  // neither hides the other
  REQUIRE(house.tracking->runs().log(id, {{}, {}, points}).has_value());
  REQUIRE(house.tracking->runs().log(id, {{}, {}, points}).has_value());
  const auto history = *house.tracking->runs().metric_history(id, "m");
  REQUIRE(history.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(
        (history[i].value == values[i] || (std::isnan(history[i].value) && std::isnan(values[i]))));
  CHECK(house.tracking->runs().metric_history(id, "both")->size() == 2);
  CHECK(std::isnan(house.tracking->runs().get_run(id)->latest.at("m").value));
}

TEST_CASE(
    "a search orders by metric with the missing and NaN last, pages, and filters by name and "
    "experiment") {
  House house;
  const std::vector<double> scores = {0.3, 0.9, std::nan(""), 0.5};
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const std::string id = house.run("run-" + std::to_string(i));
    REQUIRE(house.tracking->runs()
                .log(id, {{{"depth", std::to_string(i)}}, {}, {{"auc", scores[i], 0, 0}}})
                .has_value());
  }
  house.run("bare_100%");
  const auto names = [&](RunQuery query) {
    std::string out;
    const auto page = house.tracking->runs().search_runs("p", query);
    REQUIRE(page.has_value());
    for (const auto& run : page->runs) out += run.name.back();
    return out;
  };
  RunQuery query;
  CHECK(names(query) == "%3210");
  query.order_by = {"metrics.auc DESC"};
  CHECK(names(query) == "1302%");
  query.order_by = {"metrics.auc"};
  CHECK(names(query) == "0312%");
  query.offset = 1;
  query.limit = 2;
  CHECK(names(query) == "31");
  CHECK(house.tracking->runs().search_runs("p", query)->total == 5);
  query = {};
  query.name_contains = "00%";
  CHECK(names(query) == "%");
  query.name_contains = "RUN-";
  CHECK(names(query) == "3210");
  query = {};
  query.experiment_ids = {"nothing"};
  CHECK(names(query).empty());
  query = {};
  query.order_by = {"start_us; DROP TABLE runs"};
  CHECK(house.tracking->runs().search_runs("p", query).error().code == Code::kInvalidArgument);
  CHECK(house.tracking->runs().search_runs("other", {})->total == 0);
}

TEST_CASE("a run ends with one of five words") {
  House house;
  const std::string id = house.run();
  CHECK(house.tracking->runs().finish_run(id, "DONE").error().code == Code::kInvalidArgument);
  CHECK(house.tracking->runs().finish_run(id, "FINISHED").has_value());
  CHECK(house.tracking->runs().get_run(id)->end_us == house.clock.now_us());
  CHECK(house.tracking->runs().finish_run("x", "FAILED").error().code == Code::kNotFound);
}

TEST_CASE("artifacts live under safe relative paths only") {
  House house;
  const std::string id = house.run();
  REQUIRE(house.tracking->artifacts().put_artifact(id, "model/MLmodel", "one").has_value());
  REQUIRE(house.tracking->artifacts().put_artifact(id, "model/MLmodel", "two").has_value());
  CHECK(*house.tracking->artifacts().read_artifact(id, "model/MLmodel") == "two");
  CHECK(house.tracking->artifacts().list_artifacts(id)->size() == 1);
  for (const std::string& bad :
       {std::string(), std::string("/etc/passwd"), std::string("../x"), std::string("a/../../x"),
        std::string("a//b"), std::string("a/."), std::string("a\\..\\b"), std::string("a\0b", 3),
        std::string("a/"), std::string("\xc0\xae"), std::string(1001, 'a')}) {
    CAPTURE(bad);
    CHECK(house.tracking->artifacts().put_artifact(id, bad, "x").error().code ==
          Code::kInvalidArgument);
    CHECK_FALSE(house.tracking->artifacts().read_artifact(id, bad).has_value());
  }
  CHECK(house.tracking->artifacts().list_artifacts(id)->size() == 1);
}

TEST_CASE(
    "versions are numbered, exported as they were, and refused when the folder holds a link") {
  House house;
  ModelVersion facts;
  facts.metrics = Json::object({{"auc", Json::object({{"value", 0.7}})}});
  const auto first =
      house.tracking->registry().register_version("p", "m", "binary", house.bundle("one"), facts);
  REQUIRE(first.has_value());
  CHECK(first->version == 1);
  CHECK(first->state == "ready");
  CHECK(house.tracking->registry()
            .register_version("p", "m", "binary", house.bundle("two"), {})
            ->version == 2);
  REQUIRE(
      house.tracking->registry().export_version("p", "m", 1, house.folder + "/out").has_value());
  CHECK(*base::read_file(house.folder + "/out/MLmodel") == "one");
  CHECK(*base::read_file(house.folder + "/out/data/한글.txt") == "x");
  CHECK(house.tracking->registry()
            .get_model("p", "m")
            ->versions[1]
            .metrics["auc"]["value"]
            .as_double() == 0.7);
  REQUIRE(::symlink("/etc/passwd", (house.folder + "/bundle/data/link").c_str()) == 0);
  CHECK(house.tracking->registry()
            .register_version("p", "m", "binary", house.folder + "/bundle", {})
            .error()
            .code == Code::kInvalidArgument);
  CHECK(house.tracking->registry().get_model("p", "m")->versions.size() == 2);
  const auto files = *house.tracking->registry().version_files("p", "m", 1);
  REQUIRE(house.blobs->remove(files[0].sha256).has_value());
  CHECK_FALSE(
      house.tracking->registry().export_version("p", "m", 1, house.folder + "/out2").has_value());
}

TEST_CASE("a version that fails to commit is not there, and the next one takes its number") {
  House house;
  REQUIRE(house.tracking->registry()
              .register_version("p", "m", "binary", house.bundle("one"), {})
              .has_value());
  base::set_faults("store.commit:1:enospc");
  const auto failed =
      house.tracking->registry().register_version("p", "m", "binary", house.bundle("two"), {});
  base::set_faults("");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Code::kNoSpace);
  CHECK(house.tracking->registry().get_model("p", "m")->versions.size() == 1);
  CHECK(house.tracking->registry()
            .register_version("p", "m", "binary", house.bundle("two"), {})
            ->version == 2);
}

TEST_CASE(
    "a selector is empty, a number or an alias; aliases move with a history and an audit entry") {
  House house;
  for (const char* text : {"one", "two", "three"})
    REQUIRE(house.tracking->registry()
                .register_version("p", "m", "binary", house.bundle(text), {})
                .has_value());
  auto& t = *house.tracking;
  CHECK(*t.registry().resolve("p", "m", "") == 3);
  REQUIRE(t.registry().set_alias("p", "m", "champion", 2, "better", "ann").has_value());
  CHECK(*t.registry().resolve("p", "m", "") == 2);
  CHECK(*t.registry().resolve("p", "m", "champion") == 2);
  CHECK(*t.registry().resolve("p", "m", "1") == 1);
  CHECK(t.registry().resolve("p", "m", "7").error().code == Code::kNotFound);
  const auto near = t.registry().resolve("p", "m", "champoin");
  CHECK(near.error().code == Code::kNotFound);
  CHECK(near.error().hint.find("champion") != std::string::npos);
  REQUIRE(t.registry().set_alias("p", "m", "champion", 3, "newer", "bob").has_value());
  REQUIRE(t.registry()
              .set_alias("p", "m", "champion", 3, "again", "bob")
              .has_value());  // no change, no entry
  REQUIRE(t.registry().set_alias("p", "m", "champion", 0, "gone", "bob").has_value());
  const auto history = *t.registry().alias_history("p", "m", 10);
  REQUIRE(history.size() == 3);
  CHECK(history[0].from == 3);
  CHECK(history[0].to == 0);
  CHECK(history[2].reason == "better");
  CHECK(t.audit_log(10)->size() == 3);
  CHECK(t.registry().set_alias("p", "m", "champion", 9, "", "x").error().code == Code::kNotFound);
  CHECK(t.registry().set_alias("p", "m", "12", 1, "", "x").error().code == Code::kInvalidArgument);
  REQUIRE(
      t.registry().update_version("p", "m", 1, Json::object({{"state", "failed"}})).has_value());
  CHECK(t.registry().set_alias("p", "m", "champion", 1, "", "x").error().code ==
        Code::kFailedPrecondition);
  CHECK(t.audit_log(10)->size() == 3);
  CHECK(t.registry().update_version("p", "m", 1, Json::object({{"state", "odd"}})).error().code ==
        Code::kInvalidArgument);
  CHECK(t.registry()
            .update_version("p", "m", 1, Json::object({{"reson", "x"}}))
            .error()
            .hint.find("reason") != std::string::npos);
  const auto wrong = t.registry().get_model("p", "n");
  CHECK(wrong.error().code == Code::kNotFound);
}

TEST_CASE("an alias and its audit entry stand or fall together") {
  House house;
  REQUIRE(house.tracking->registry()
              .register_version("p", "m", "binary", house.bundle("one"), {})
              .has_value());
  base::set_faults("store.commit:1:enospc");
  const auto failed = house.tracking->registry().set_alias("p", "m", "champion", 1, "", "ann");
  base::set_faults("");
  REQUIRE_FALSE(failed.has_value());
  CHECK(house.tracking->registry().get_model("p", "m")->aliases.empty());
  CHECK(house.tracking->audit_log(10)->empty());
  CHECK(house.tracking->registry().alias_history("p", "m", 10)->empty());
}

TEST_CASE("a changed, missing or inserted audit entry is found where it is") {
  for (const char* tamper : {"UPDATE audit_entries SET detail = 'y' WHERE number = 3",
                             "UPDATE audit_entries SET time_us = time_us + 1 WHERE number = 3",
                             "DELETE FROM audit_entries WHERE number = 3"}) {
    CAPTURE(tamper);
    House house;
    for (int i = 0; i < 5; ++i)
      REQUIRE(house.tracking->audit({i, "ann", "do", "it", "x"}).has_value());
    CHECK(*house.tracking->verify_audit() == 5);
    REQUIRE(house.db
                ->write([&](store::Writer& writer) -> base::Status {
                  TRY(writer.execute(tamper));
                  return {};
                })
                .has_value());
    const auto found = house.tracking->verify_audit();
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::kDataLoss);
    CHECK(found.error().message.find("entry 3") != std::string::npos);
  }
}

TEST_CASE("documents are kept by project, kind and name") {
  House house;
  auto& t = *house.tracking;
  REQUIRE(t.put_document("p", "endpoint", "b", Json::object({{"v", 1}})).has_value());
  REQUIRE(t.put_document("p", "endpoint", "b", Json::object({{"v", 2}})).has_value());
  REQUIRE(t.put_document("p", "endpoint", "a", Json::object({})).has_value());
  REQUIRE(t.put_document("q", "endpoint", "b", Json::object({})).has_value());
  CHECK(t.get_document("p", "endpoint", "b")->find("v")->as_int() == 2);
  CHECK(t.list_documents("p", "endpoint")->size() == 2);
  REQUIRE(t.remove_document("p", "endpoint", "b").has_value());
  CHECK(t.get_document("p", "endpoint", "b").error().code == Code::kNotFound);
  CHECK(t.get_document("q", "endpoint", "b").has_value());
}

}  // namespace maru::tracking
