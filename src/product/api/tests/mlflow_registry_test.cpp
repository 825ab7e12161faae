#include "mlflow_house.h"

// The registry and logged models on the wire: shapes and errors; what they do is tested in tracking.
namespace maru::api {
namespace {

const std::string kRegistry = "/api/2.0/mlflow/registered-models/";
const std::string kVersions = "/api/2.0/mlflow/model-versions/";

Json named(const std::string& name) { return Json::object({{"name", name}}); }

}  // namespace

TEST_CASE("registered models and versions have MLflow's shapes") {
  MlflowHouse house;
  house.call(Method::kPost, "registered-models/create",
             *base::parse_json(R"({"name":"m","tags":[{"key":"k","value":""}],"unknown":1})"));
  const Json made = house.call(Method::kPost, "model-versions/create",
                               *base::parse_json(R"({"name":"m","source":"s3://b/x"})"));
  const Json& version = made["model_version"];
  CHECK(version["version"].as_string() == "1");
  CHECK(version["creation_timestamp"].is_int());
  CHECK(version["current_stage"].as_string() == "None");
  CHECK(version["status"].as_string() == "READY");
  CHECK_FALSE(version.has("run_id"));
  CHECK_FALSE(version.has("aliases"));
  house.call(Method::kPost, "registered-models/alias",
             *base::parse_json(R"({"name":"m","alias":"best","version":1})"));
  const Json model = house.call(Method::kGet, "registered-models/get?name=m")["registered_model"];
  CHECK(model["tags"].dump() == R"([{"key":"k","value":""}])");
  CHECK(model["aliases"].dump() == R"([{"alias":"best","version":"1"}])");
  CHECK(model["latest_versions"].size() == 1);
  CHECK_FALSE(model.has("description"));
  CHECK(house.call(Method::kGet, "model-versions/get-download-uri?name=m&version=1").dump() ==
        R"({"artifact_uri":"s3://b/x"})");
  CHECK(house.call(Method::kGet, "registered-models/search?filter=name='none'").dump() == "{}");
  CHECK(house.call(Method::kDelete, "registered-models/delete", named("m")).dump() == "{}");
}

TEST_CASE("a page token belongs to its query") {
  MlflowHouse house;
  for (const char* name : {"a", "b", "c"})
    house.call(Method::kPost, "registered-models/create", named(name));
  const Json first = house.call(Method::kGet, "registered-models/search?max_results=2");
  const std::string token = first["next_page_token"].as_string();
  CHECK(first["registered_models"].size() == 2);
  const Json second =
      house.call(Method::kGet, "registered-models/search?max_results=2&page_token=" + token);
  CHECK(second["registered_models"].size() == 1);
  CHECK_FALSE(second.has("next_page_token"));
  const std::string search = kRegistry + "search?";
  CHECK(house.failure(Method::kGet, search + "filter=name='a'&page_token=" + token) ==
        "400 INVALID_PARAMETER_VALUE");
  for (const char* bad : {"max_results=0", "max_results=-1", "max_results=1001", "max_results=x",
                          "page_token=x", "filter=name", "order_by=nothing", "order_by=name,x"})
    CHECK_MESSAGE(house.failure(Method::kGet, search + bad) == "400 INVALID_PARAMETER_VALUE", bad);
  CHECK(house.call(Method::kGet, "registered-models/search?max_results=1000").size() == 1);
}

TEST_CASE("failures have MLflow's codes and never blame the server for the client") {
  MlflowHouse house;
  house.call(Method::kPost, "registered-models/create", named("m"));
  const std::string invalid = "400 INVALID_PARAMETER_VALUE",
                    missing = "404 RESOURCE_DOES_NOT_EXIST";
  CHECK(house.failure(Method::kPost, kRegistry + "create", R"({"name":"m"})") ==
        "400 RESOURCE_ALREADY_EXISTS");
  for (const char* body :
       {"{}", R"({"name":""})", R"({"name":[]})", R"({"name":{"a":1}})", R"({"name":"a/b"})",
        R"({"name":"x","tags":1})", R"({"name":"x","tags":[1]})",
        R"({"name":"x","tags":[{"value":"v"}]})", "[]", "nonsense"})
    CHECK_MESSAGE(house.failure(Method::kPost, kRegistry + "create", body) == invalid, body);
  CHECK(house.failure(Method::kGet, kRegistry + "get?name=x") == missing);
  CHECK(house.failure(Method::kGet, kVersions + "get?name=m&version=1") == missing);
  CHECK(house.failure(Method::kGet, kVersions + "get?name=m&version=one") == invalid);
  CHECK(house.failure(Method::kGet, kVersions + "get?name=m") == invalid);
  CHECK(house.failure(Method::kGet, kRegistry + "alias?name=m&alias=none") == invalid);
  CHECK(house.failure(Method::kPost, kVersions + "create", R"({"name":"x","source":"s3://b"})") ==
        missing);
  CHECK(house.failure(Method::kPost, kVersions + "create",
                      R"({"name":"m","source":"models:/m-00000000000000000000000000000000"})") ==
        missing);
  for (const char* source : {"/etc/passwd", "file:///x", "x", "s3://b/../c", "s3://b/%252e%252e/c",
                             "mlflow-artifacts:/a/%2e%2e/b", "http://h/a%00b"}) {
    const Json body = Json::object({{"name", "m"}, {"source", source}});
    CHECK_MESSAGE(house.failure(Method::kPost, kVersions + "create", body.dump()) == invalid,
                  source);
  }
  CHECK(
      house.ask(Method::kPost, kRegistry + "create", "{}", {"Content-Type", "text/plain"}).status ==
      400);
  CHECK(house.failure(Method::kGet, "/api/2.0/mlflow/none") == "404 ENDPOINT_NOT_FOUND");
  CHECK(house.failure(Method::kPut, kRegistry + "create") == "405 ENDPOINT_NOT_FOUND");
  const Json viewer = Json::object({{"name", "v"}});
  CHECK(house
            .ask(Method::kPost, kRegistry + "create", viewer.dump(),
                 {"Content-Type", "application/json"}, base::Role::kViewer)
            .status == 403);
}

TEST_CASE("sources that name a logged model or a version are resolved") {
  MlflowHouse house;
  const std::string run = house.run();
  const auto experiment = house.tracking->runs().get_run(run)->experiment_id;
  const Json model = house.call(
      Method::kPost, "logged-models",
      Json::object(
          {{"experiment_id", experiment}, {"name", "x"}, {"source_run_id", run}}))["model"]["info"];
  const std::string id = model["model_id"].as_string(), uri = model["artifact_uri"].as_string();
  CHECK(uri == "mlflow-artifacts:/" + experiment + "/models/" + id + "/artifacts");
  REQUIRE(house
              .ask(Method::kPut,
                   "/api/2.0/mlflow-artifacts/artifacts/" + uri.substr(18) + "/MLmodel",
                   "flavors: {}")
              .status == 200);
  house.call(Method::kPost, "registered-models/create", named("m"));
  const Json first = house.call(
      Method::kPost, "model-versions/create",
      Json::object(
          {{"name", "m"}, {"source", "models:/" + id}, {"model_id", id}}))["model_version"];
  CHECK(first["run_id"].as_string() == run);
  CHECK(first["source"].as_string() == "models:/" + id);
  CHECK(house.call(Method::kGet, "model-versions/get-download-uri?name=m&version=1")["artifact_uri"]
            .as_string() == uri);
  const Json second =
      house.call(Method::kPost, "model-versions/create",
                 Json::object({{"name", "m"}, {"source", "models:/m/1"}}))["model_version"];
  CHECK(second["model_id"].as_string() == id);
  CHECK(house.call(Method::kGet, "model-versions/get-download-uri?name=m&version=2")["artifact_uri"]
            .as_string() == uri);
  const Json tags = house.call(Method::kGet, "logged-models/" + id)["model"]["info"]["tags"];
  CHECK(tags.at(0)["key"].as_string() == "mlflow.modelVersions");
  CHECK(base::parse_json(tags.at(0)["value"].as_string())->size() == 2);
  CHECK(house.ask(Method::kGet, "/model-versions/get-artifact?name=m&version=1&path=MLmodel")
            .status == 200);
}

TEST_CASE("logged models have MLflow's shapes") {
  MlflowHouse house;
  const std::string run = house.run();
  const auto experiment = house.tracking->runs().get_run(run)->experiment_id;
  Json model =
      house.call(Method::kPost, "logged-models",
                 *base::parse_json(
                     R"({"experiment_id":")" + experiment +
                     R"(","params":[{"key":"p","value":""}],"tags":[{"key":"t","value":"v"}]})"));
  const std::string id = model["model"]["info"]["model_id"].as_string();
  CHECK(model["model"]["info"]["status"].as_string() == "LOGGED_MODEL_PENDING");
  CHECK(model["model"]["data"].dump() == R"({"params":[{"key":"p","value":""}]})");
  for (const Json& status : {Json("LOGGED_MODEL_READY"), Json(2)}) {
    model = house.call(Method::kPatch, "logged-models/" + id,
                       Json::object({{"model_id", id}, {"status", status}}));
    CHECK(model["model"]["info"]["status"].as_string() == "LOGGED_MODEL_READY");
  }
  tracking::RunBatch batch;
  batch.scoped.push_back({{"acc", 0.5, 3, 1000}, id, "d", ""});
  REQUIRE(house.tracking->runs().log(run, batch).has_value());
  const Json found = house.call(Method::kPost, "logged-models/search",
                                Json::object({{"experiment_ids", Json::array({experiment})}}));
  CHECK(found["models"].at(0)["data"]["metrics"].at(0).dump() ==
        R"({"key":"acc","value":0.5,"timestamp":1000,"step":3,"model_id":")" + id +
            R"(","run_id":")" + run + R"(","dataset_name":"d"})");
  const std::string root = "/api/2.0/mlflow/logged-models/";
  CHECK(house.failure(Method::kPost, root + "search", "{}") == "400 INVALID_PARAMETER_VALUE");
  CHECK(house.failure(Method::kPatch, root + id, R"({"status":"DONE"})") ==
        "400 INVALID_PARAMETER_VALUE");
  CHECK(house.failure(Method::kDelete, root + id + "/tags/none") == "404 RESOURCE_DOES_NOT_EXIST");
  CHECK(house.call(Method::kDelete, "logged-models/" + id + "/tags/t").dump() == "{}");
  CHECK(house.call(Method::kDelete, "logged-models/" + id).dump() == "{}");
  CHECK(house.failure(Method::kGet, root + id) == "404 RESOURCE_DOES_NOT_EXIST");
  CHECK(house.ask(Method::kGet, root + id + "?allow_deleted=true").status == 200);
}

}  // namespace maru::api
