#include "house.h"

// MLflow's side of the registry; Maru's own is in tracking_test.cpp.
namespace maru::tracking {
namespace {

using base::Code;

constexpr const char* kProject = "default";

NewVersion from(const std::string& source) {
  NewVersion out;
  out.source = source;
  return out;
}

std::vector<std::string> found(Registry& registry, const std::string& filter,
                               const std::vector<std::string>& order = {}) {
  const auto page = registry.search_models(kProject, {filter, order, 100, 0});
  REQUIRE(page.has_value());
  std::vector<std::string> out;
  for (const auto& model : page->models) out.push_back(model.name);
  return out;
}

std::vector<std::string> versions(Registry& registry, const std::string& filter,
                                  const std::vector<std::string>& order = {}) {
  const auto page = registry.search_versions(kProject, {filter, order, 100, 0});
  REQUIRE(page.has_value());
  std::vector<std::string> out;
  for (const auto& version : page->versions)
    out.push_back(version.model + "/" + std::to_string(version.version));
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a registered model is made once, described, tagged, renamed and removed") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  CHECK(registry.create_model(kProject, "비행 지연", "d", {{"team", "a"}})->tags.at("team") == "a");
  CHECK(registry.create_model(kProject, "비행 지연", "", {}).error().code == Code::kAlreadyExists);
  for (const std::string& bad : {std::string(), std::string("  "), std::string("a/b"),
                                 std::string("a:b"), std::string(".."), std::string(257, 'x')}) {
    CHECK_MESSAGE(
        registry.create_model(kProject, bad, "", {}).error().code == Code::kInvalidArgument, bad);
  }
  CHECK(registry.create_model(kProject, std::string(256, 'x'), "", {}).has_value());
  CHECK(registry.describe_model(kProject, "비행 지연", "new").has_value());
  CHECK(registry.set_model_tag(kProject, "비행 지연", "team", "").has_value());
  CHECK(registry.create_version(kProject, "비행 지연", from("s3://b/m")).has_value());
  CHECK(registry.set_alias(kProject, "비행 지연", "best", 1, "", "me").has_value());
  REQUIRE(registry.rename_model(kProject, "비행 지연", "flights").has_value());
  CHECK(registry.get_head(kProject, "비행 지연").error().code == Code::kNotFound);
  const auto head = registry.get_head(kProject, "flights");
  CHECK(head->description == "new");
  CHECK(head->tags.at("team").empty());
  CHECK(head->aliases.at("best") == 1);
  CHECK(head->versions.at(0).source == "s3://b/m");
  CHECK(registry.rename_model(kProject, "flights", std::string(256, 'x')).error().code ==
        Code::kAlreadyExists);
  CHECK(registry.remove_model_tag(kProject, "flights", "none").has_value());
  REQUIRE(registry.remove_model(kProject, "flights").has_value());
  CHECK(registry.remove_model(kProject, "flights").error().code == Code::kNotFound);
  CHECK(registry.get_version(kProject, "flights", 1).error().code == Code::kNotFound);
}

TEST_CASE("a deleted version is hidden, forgets what it was, and keeps its number") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  REQUIRE(registry.create_model(kProject, "m", "", {}).has_value());
  for (int i = 1; i <= 3; ++i)
    CHECK(registry.create_version(kProject, "m", from("s3://b/m"))->version == i);
  REQUIRE(registry.set_alias(kProject, "m", "best", 3, "", "me").has_value());
  REQUIRE(registry.remove_version(kProject, "m", 3).has_value());
  CHECK(registry.get_version(kProject, "m", 3).error().code == Code::kNotFound);
  CHECK(registry.remove_version(kProject, "m", 3).error().code == Code::kNotFound);
  CHECK(registry.set_version_tag(kProject, "m", 3, "k", "v").error().code == Code::kNotFound);
  CHECK(registry.set_alias(kProject, "m", "best", 3, "", "me").error().code == Code::kNotFound);
  CHECK(registry.resolve(kProject, "m", "3").error().code == Code::kNotFound);
  CHECK(registry.get_head(kProject, "m")->aliases.empty());
  CHECK(registry.get_model(kProject, "m")->versions.size() == 2);
  CHECK(registry.version_of_alias(kProject, "m", "Latest")->version == 2);
  CHECK(registry.create_version(kProject, "m", from("s3://b/m"))->version == 4);
}

TEST_CASE("stages: any case, one newest version each, others archived on demand") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  REQUIRE(registry.create_model(kProject, "m", "", {}).has_value());
  for (int i = 1; i <= 4; ++i) REQUIRE(registry.create_version(kProject, "m", from("s3://x")));
  REQUIRE(registry.set_stage(kProject, "m", 1, "production", false).has_value());
  REQUIRE(registry.set_stage(kProject, "m", 2, "PRODUCTION", false).has_value());
  CHECK(registry.get_version(kProject, "m", 1)->stage == "Production");
  REQUIRE(registry.set_stage(kProject, "m", 3, "Production", true).has_value());
  CHECK(registry.get_version(kProject, "m", 1)->stage == "Archived");
  CHECK(registry.get_version(kProject, "m", 2)->stage == "Archived");
  CHECK(registry.set_stage(kProject, "m", 3, "Archived", true).error().code ==
        Code::kInvalidArgument);
  CHECK(registry.set_stage(kProject, "m", 3, "gone", false).error().code == Code::kInvalidArgument);
  CHECK(registry.set_stage(kProject, "m", 9, "None", false).error().code == Code::kNotFound);
  const auto head = registry.get_head(kProject, "m");
  REQUIRE(head->versions.size() == 3);  // None: 4, Production: 3, Archived: 2
  CHECK(head->versions[0].version == 4);
  CHECK(head->versions[1].version == 3);
  CHECK(head->versions[2].version == 2);
}

TEST_CASE(
    "a version is ready when it is an MLflow model, else foreign; only then Maru promotes it") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  auto& artifacts = house.tracking->artifacts();
  const std::string run = house.run(house.experiment("e"), "r");
  REQUIRE(artifacts.put_artifact(run, "model/model.onnx", "x").has_value());
  REQUIRE(registry.create_model(kProject, "m", "", {}).has_value());
  NewVersion version = from("runs:/" + run + "/model");
  version.files = {{"model.onnx", artifacts.open(run, "model/model.onnx")->artifact.sha256, 1}};
  CHECK(registry.create_version(kProject, "m", version)->state == "foreign");
  REQUIRE(artifacts.put_artifact(run, "model/MLmodel", "flavors: {}").has_value());
  version.files.push_back({"MLmodel", artifacts.open(run, "model/MLmodel")->artifact.sha256, 11});
  const auto ready = registry.create_version(kProject, "m", version);
  CHECK(ready->state == "ready");
  CHECK(*registry.resolve(kProject, "m", "") == 2);
  CHECK(registry.set_alias(kProject, "m", "any", 1, "", "me").has_value());
  // The registry's own copy can be read through the proxy, and outlives the run's files.
  REQUIRE(artifacts.remove(run, "").has_value());
  const auto place = artifacts.place("model-versions/m/2/MLmodel");
  CHECK(*artifacts.read_artifact(place->owner, place->path) == "flavors: {}");
  CHECK(artifacts.list(place->owner, "")->size() == 2);
  CHECK(artifacts.put_artifact(place->owner, "MLmodel", "y").error().code == Code::kNotFound);
}

TEST_CASE("aliases that may be set, and the one that is computed") {
  for (const char* good : {"champion", "a-b_c", "V", "v1a", "한글"}) CHECK(check_new_alias(good));
  for (const char* bad : {"", "latest", "LATEST", "v1", "V23", "a b", "a.b", "a/b"})
    CHECK_MESSAGE(!check_new_alias(bad), bad);
  CHECK(check_new_alias(std::string(255, 'a')));
  CHECK(!check_new_alias(std::string(256, 'a')));
  TestHouse house;
  auto& registry = house.tracking->registry();
  REQUIRE(registry.create_model(kProject, "m", "", {}).has_value());
  CHECK(registry.version_of_alias(kProject, "m", "latest").error().code == Code::kNotFound);
  CHECK(registry.version_of_alias(kProject, "m", "none").error().code == Code::kInvalidArgument);
  CHECK(registry.version_of_alias(kProject, "x", "none").error().code == Code::kNotFound);
}

TEST_CASE("models are found by name and tags, prompts only when they are asked for") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  REQUIRE(registry.create_model(kProject, "b-model", "", {{"team", "Red"}}));
  house.clock.advance_us(5000);
  REQUIRE(registry.create_model(kProject, "a-model", "", {{"team", "blue"}}));
  REQUIRE(registry.create_model(kProject, "text", "", {{"mlflow.prompt.is_prompt", "true"}}));
  CHECK(found(registry, "") == Names{"a-model", "b-model"});
  CHECK(found(registry, "tag.`mlflow.prompt.is_prompt` != 'true'") == Names{"a-model", "b-model"});
  CHECK(found(registry, "tag.`mlflow.prompt.is_prompt` = 'false'") == Names{"a-model", "b-model"});
  CHECK(found(registry, "tags.`mlflow.prompt.is_prompt` = 'true'") == Names{"text"});
  CHECK(found(registry, "name LIKE 'a%'") == Names{"a-model"});
  CHECK(found(registry, "name = 'b-model'") == Names{"b-model"});
  CHECK(found(registry, "name = 'b-model' OR name = 'a-model'").size() == 2);
  CHECK(found(registry, "tags.team ILIKE 'RED'") == Names{"b-model"});
  CHECK(found(registry, "", {"name DESC"}) == Names{"b-model", "a-model"});
  CHECK(found(registry, "", {"last_updated_timestamp DESC"}) == Names{"a-model", "b-model"});
  CHECK_FALSE(registry.search_models(kProject, {"run_id = 'x'", {}, 10, 0}).has_value());
  CHECK_FALSE(registry.search_models(kProject, {"", {"name", "name"}, 10, 0}).has_value());
  const auto page = registry.search_models(kProject, {"", {}, 1, 1});
  CHECK(page->models.at(0).name == "b-model");
  CHECK_FALSE(page->more);
  CHECK(registry.list_models(kProject)->size() == 2);
  CHECK(registry.create_model(kProject, "text", "", {}).error().message.find("prompt") !=
        std::string::npos);
}

TEST_CASE("versions are found by name, run, source, number and tags") {
  TestHouse house;
  auto& registry = house.tracking->registry();
  for (const char* name : {"m", "n"}) REQUIRE(registry.create_model(kProject, name, "", {}));
  for (int i = 1; i <= 12; ++i) {
    house.clock.advance_us(2000);
    NewVersion version = from("s3://b/" + std::to_string(i));
    version.run_id = i % 2 == 0 ? "even" : "odd";
    if (i == 5) version.tags["k"] = "v";
    REQUIRE(registry.create_version(kProject, i <= 10 ? "m" : "n", version).has_value());
  }
  CHECK(versions(registry, "name = 'n'") == Names{"n/2", "n/1"});
  CHECK(versions(registry, "").front() == "n/2");
  CHECK(versions(registry, "name='m'").size() == 10);
  CHECK(versions(registry, "run_id = 'even' AND version_number > 6") == Names{"m/10", "m/8"});
  CHECK(versions(registry, "run_id IN ('even', 'odd')").size() == 12);
  CHECK(versions(registry, "source_path LIKE '%/3'") == Names{"m/3"});
  CHECK(versions(registry, "tags.k = 'v'") == Names{"m/5"});
  CHECK(versions(registry, "tags.k != 'v'").empty());
  CHECK(versions(registry, "name = 'm'", {"version_number ASC"}).front() == "m/1");
  REQUIRE(registry.set_stage(kProject, "m", 1, "Staging", false));
  house.clock.advance_us(2000);
  REQUIRE(registry.set_stage(kProject, "m", 2, "Staging", false));
  CHECK(versions(registry, "").front() == "m/2");  // changed last
  CHECK(registry.search_versions(kProject, {"", {}, 5, 0})->more);
}

}  // namespace maru::tracking
