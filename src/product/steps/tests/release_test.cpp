#include <doctest/doctest.h>
#include <stdlib.h>

#include "maru/base/file.h"
#include "maru/blob/blob_store.h"
#include "maru/serve/serve.h"
#include "maru/steps/steps.h"
#include "maru/store/database.h"

using namespace maru;
using base::Json;

namespace {

// No version of any model is there: endpoints exist and wait.
class EmptySource final : public serve::ModelSource {
 public:
  base::Result<std::string> folder(const std::string& model, int) override {
    return base::fail(base::Code::kNotFound, "no such version: " + model);
  }
  base::Result<int> resolve(const std::string& model, const std::string&) override {
    return base::fail(base::Code::kNotFound, "no such model: " + model);
  }
  base::Result<std::vector<std::pair<std::string, std::vector<int>>>> models() override {
    return std::vector<std::pair<std::string, std::vector<int>>>{};
  }
};

// A tracking server and an endpoint server, as far as a deployment needs them.
struct Place {
  std::string root;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<tracking::Tracking> tracking;
  EmptySource source;
  base::Pool loader{{"loader", 1, 16}};
  std::unique_ptr<serve::Server> server;
  base::Context context;

  Place() {
    char name[] = "/tmp/maru-release-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    root = name;
    store::DatabaseOptions database;
    database.path = root + "/maru.db";
    db = std::move(*store::Database::open(database));
    blobs = std::move(*blob::BlobStore::open_local(root + "/blobs"));
    tracking = std::move(*tracking::Tracking::open(*db, *blobs, base::system_clock()));
    serve::Server::Options options;
    options.source = &source;
    options.loader = &loader;
    server = std::make_unique<serve::Server>(options);
  }
  ~Place() {
    server.reset();
    tracking.reset();
    db.reset();
    (void)base::remove_tree(root);
  }
  base::Result<Json> deploy() {
    steps::Services services;
    services.tracking = tracking.get();
    services.server = server.get();
    pipeline::Attempt attempt;
    attempt.project = "default";
    attempt.params = Json::object({{"endpoint", "shop"}, {"model", "shop"}});
    attempt.inputs = Json::object(
        {{"promote", Json::object({{"version", 1}, {"promoted", true}, {"previous", 0}})}});
    attempt.log = [](std::string_view) {};
    attempt.context = &context;
    for (const auto& step : steps::all_steps(services)) {
      if (step.kind == "maru/deploy") return step.function(attempt);
    }
    return base::fail(base::Code::kInternal, "no step deploys");
  }
};

}  // namespace

TEST_CASE("a deployment is stored also when the server already answers under the name") {
  Place place;
  serve::EndpointConfig config;
  config.project = "default";
  config.name = config.model = "shop";
  (void)place.server->put_endpoint(config);  // in memory only, as for a request that came early
  REQUIRE_FALSE(place.tracking->get_document("default", "endpoint", "shop").has_value());
  (void)place.deploy();
  const auto stored = place.tracking->get_document("default", "endpoint", "shop");
  REQUIRE(stored.has_value());
  CHECK((*stored)["model"].as_string() == "shop");
}

TEST_CASE("a deployment keeps the route that somebody gave the endpoint") {
  Place place;
  serve::EndpointConfig config;
  config.project = "default";
  config.name = config.model = "shop";
  config.route = Json::object({{"kind", "single"}, {"arms", Json::array()}});
  REQUIRE(
      place.tracking->put_document("default", "endpoint", "shop", config.to_json()).has_value());
  (void)place.deploy();
  CHECK((*place.tracking->get_document("default", "endpoint", "shop"))["route"].dump() ==
        config.route.dump());
}
