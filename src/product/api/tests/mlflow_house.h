#pragma once
#include <doctest/doctest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <utility>

#include "maru/base/file.h"
#include "mlflow/wire.h"

namespace maru::api {

// MLflow's routes over an empty tracking room, asked without a socket.
struct MlflowHouse {
  std::string folder = "/tmp/maru-api-XXXXXX";
  base::ManualClock clock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<tracking::Tracking> tracking;
  Router router;

  MlflowHouse() {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    clock.advance_us(1'700'000'000'000'000);
    store::DatabaseOptions options;
    options.path = ":memory:";
    db = std::move(*store::Database::open(options));
    blobs = std::move(*blob::BlobStore::open_local(folder + "/blobs"));
    tracking = std::move(*tracking::Tracking::open(*db, *blobs, clock));
    Services services;
    services.tracking = tracking.get();
    services.clock = &clock;
    services.version = Json::object({{"version", "1.2.3"}});
    mlflow::add_registry_routes(router, services);
    mlflow::add_logged_model_routes(router, services);
    mlflow::add_artifact_routes(router, services);
    mlflow::add_server_routes(router, services);
  }
  ~MlflowHouse() {
    tracking.reset();
    blobs.reset();
    db.reset();
    static_cast<void>(base::remove_tree(folder));
  }

  // `target` is a decoded path, with a query that needs no decoding.
  Response ask(Method method, const std::string& target, std::string body = {},
               std::pair<std::string, std::string> header = {"Content-Type", "application/json"},
               base::Role role = base::Role::kAdmin) {
    Request request;
    request.method = method;
    request.target = target;
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    for (std::size_t at = question; at < target.size();) {
      const std::size_t end = std::min(target.find('&', at + 1), target.size());
      const std::string pair = target.substr(at + 1, end - at - 1);
      const std::size_t equals = pair.find('=');
      request.query.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
      at = end;
    }
    request.headers.set("Host", "maru.test");
    request.headers.set(header.first, header.second);
    request.body = std::move(body);
    Context context;
    context.clock = &clock;
    context.principal = {"tester", role};
    return router.handle(request, context);
  }
  Json call(Method method, const std::string& path, const Json& body = Json::object()) {
    const Response response = ask(method, "/api/2.0/mlflow/" + path, body.dump());
    INFO(response.body);
    REQUIRE(response.status == 200);
    return *base::parse_json(response.body);
  }
  // "400 INVALID_PARAMETER_VALUE"
  std::string failure(Method method, const std::string& target, const std::string& body = {}) {
    const Response response = ask(method, target, body);
    const auto json = base::parse_json(response.body);
    return std::to_string(response.status) + " " +
           (json ? (*json)["error_code"].as_string() : response.body);
  }
  std::string run() {
    const auto experiment = tracking->runs().ensure_experiment("default", "e");
    return tracking->runs().create_run({.experiment_id = experiment->id, .name = "r"})->id;
  }
};

}  // namespace maru::api
