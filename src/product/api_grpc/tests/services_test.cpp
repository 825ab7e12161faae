#include "maru/api_grpc/services.h"

#include <doctest/doctest.h>

#include <map>

#include "control.h"
#include "health.h"
#include "reflection.h"
#include "rpc/health.pb.h"
#include "rpc/inference.pb.h"
#include "rpc/reflection.pb.h"

using namespace maru;
using http::Method;
using http::Permission;
using http::Request;
using http::Response;
using http::RunOn;

namespace {

// Routes that answer what a test puts there, and remember what they were asked.
struct House {
  http::Router routes;
  http::RpcRouter rpc;
  std::map<std::string, Response> answers;  // by path
  std::string asked, body;
  bool ready = true;

  House() {
    const auto add = [this](Method method, const char* pattern, Permission permission) {
      routes.add(method, pattern, {permission, RunOn::kServe},
                 [this](const Request& request, base::Context&) -> base::Result<Response> {
                   asked = request.path;
                   body = request.body;
                   const auto found = answers.find(request.path);
                   if (found == answers.end())
                     return Response::json_text(R"({"error":"none"})", 404);
                   return found->second;
                 });
    };
    add(Method::kGet, "/v2", Permission::kPublic);
    add(Method::kGet, "/v2/health/live", Permission::kPublic);
    add(Method::kGet, "/v2/health/ready", Permission::kPublic);
    for (const char* model : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"})
      for (const char* what : {"", "/ready", "/config", "/stats"})
        add(Method::kGet, (std::string(model) + what).c_str(), Permission::kRead);
    add(Method::kGet, "/v2/models/stats", Permission::kRead);
    add(Method::kPost, "/v2/models/{model}/infer", Permission::kPredict);
    add(Method::kPost, "/v2/repository/index", Permission::kRead);
    add(Method::kPost, "/v2/repository/models/{model}/load", Permission::kOperate);
    add(Method::kPost, "/v2/repository/models/{model}/unload", Permission::kOperate);
    api::Services services;
    services.ready = [this] { return ready; };
    api_grpc::add_services(rpc, routes, services);
  }

  template <class Out, class In>
  base::Result<Out> call(const char* name, const In& in, base::Role role = base::Role::kAdmin) {
    const http::RpcMethod* method =
        rpc.find(std::string("/inference.GRPCInferenceService/") + name);
    REQUIRE(method != nullptr);
    Request request;
    request.body = in.SerializeAsString();
    base::Context context;
    context.principal.role = role;
    TRY_ASSIGN(const Response response, method->unary(request, context));
    Out out;
    REQUIRE(out.ParseFromString(response.body));
    return out;
  }
};

}  // namespace

TEST_CASE("every method of the described services is there, with a permission") {
  House house;
  std::map<std::string, Permission> permissions;
  for (const auto& route : house.rpc.routes()) permissions[route.pattern] = route.permission;
  for (const google::protobuf::ServiceDescriptor* service :
       {inference::ModelInferRequest::descriptor()->file()->service(0),
        grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)})
    for (int i = 0; i < service->method_count(); ++i)
      CHECK(permissions.count("/" + service->full_name() + "/" + service->method(i)->name()) == 1);
  const std::string base = "/inference.GRPCInferenceService/";
  CHECK(permissions.at(base + "ServerLive") == Permission::kPublic);
  CHECK(permissions.at(base + "ModelInfer") == Permission::kPredict);
  CHECK(permissions.at(base + "ModelStreamInfer") == Permission::kPredict);
  CHECK(permissions.at(base + "ModelMetadata") == Permission::kRead);
  CHECK(permissions.at(base + "RepositoryModelUnload") == Permission::kOperate);
}

TEST_CASE("control methods ask their routes and read the answers") {
  using namespace inference;
  House house;
  house.answers["/v2/health/live"] = Response::json_text(R"({"live":true})");
  CHECK(house.call<ServerLiveResponse>("ServerLive", ServerLiveRequest())->live());
  house.answers["/v2/health/ready"] = Response::json_text(R"({"live":true,"ready":false})", 503);
  CHECK_FALSE(house.call<ServerReadyResponse>("ServerReady", ServerReadyRequest())->ready());
  ModelReadyRequest about;
  about.set_name("m");
  CHECK_FALSE(house.call<ModelReadyResponse>("ModelReady", about)->ready());  // 404: not there
  house.answers["/v2/models/m/versions/3/ready"] =
      Response::json_text(R"({"name":"m","ready":true})");
  about.set_version("3");
  CHECK(house.call<ModelReadyResponse>("ModelReady", about)->ready());
  CHECK(house.asked == "/v2/models/m/versions/3/ready");

  house.answers["/v2/models/m"] = Response::json_text(
      R"({"name":"m","versions":["1"],"platform":"maru","inputs":[{"name":"x","datatype":"FP64","shape":[-1,1]}],"outputs":[],"later":1})");
  ModelMetadataRequest meta;
  meta.set_name("m");
  const auto described = house.call<ModelMetadataResponse>("ModelMetadata", meta);
  REQUIRE(described);
  CHECK(described->inputs(0).shape(0) == -1);
  meta.set_name("n");
  CHECK(house.call<ModelMetadataResponse>("ModelMetadata", meta).error().code ==
        base::Code::kNotFound);
  for (const char* name : {"", "a/b", "stats/.."}) {
    meta.set_name(name);
    CHECK_FALSE(house.call<ModelMetadataResponse>("ModelMetadata", meta));
  }
  house.answers["/v2/models/m/config"] = Response::json_text(
      R"({"name":"m","max_batch_size":4,"version_policy":{"latest":{"num_versions":1}},"input":[{"name":"x","data_type":"TYPE_FP64","dims":[1]}],"instance_group":[{"kind":"KIND_CPU","count":1}]})");
  ModelConfigRequest config;
  config.set_name("m");
  const auto configured = house.call<ModelConfigResponse>("ModelConfig", config);
  CHECK(configured->config().input(0).data_type() == TYPE_FP64);
  CHECK(configured->config().version_policy().latest().num_versions() == 1);
  house.answers["/v2/models/stats"] = Response::json_text(
      R"({"model_stats":[{"name":"m","version":"1","inference_count":5,"inference_stats":{"success":{"count":4,"ns":9}},"response_stats":{}}]})");
  const auto counted =
      house.call<ModelStatisticsResponse>("ModelStatistics", ModelStatisticsRequest());
  CHECK(counted->model_stats(0).inference_stats().success().count() == 4);
}

TEST_CASE("the repository: index, and who may load") {
  using namespace inference;
  House house;
  house.answers["/v2/repository/index"] =
      Response::json_text(R"([{"name":"m","version":"1","state":"READY","reason":""}])");
  RepositoryIndexRequest ready;
  ready.set_ready(true);
  CHECK(house.call<RepositoryIndexResponse>("RepositoryIndex", ready)->models(0).state() ==
        "READY");
  CHECK(house.body == R"({"ready":true})");
  house.answers["/v2/repository/models/m/load"] = Response::json_text("");
  RepositoryModelLoadRequest load;
  load.set_repository_name("m");
  (*load.mutable_parameters())["config"].set_string_param("{}");
  CHECK(house.call<RepositoryModelLoadResponse>("RepositoryModelLoad", load)->isloaded());
  CHECK(house.body == R"({"parameters":{"config":"{}"}})");
  CHECK(house.call<RepositoryModelLoadResponse>("RepositoryModelLoad", load, base::Role::kViewer)
            .error()
            .code == base::Code::kPermissionDenied);
  house.answers["/v2/repository/models/m/unload"] =
      Response::json_text(R"({"error":"in production"})", 412);
  RepositoryModelUnloadRequest unload;
  unload.set_model_name("m");
  const auto refused = house.call<RepositoryModelUnloadResponse>("RepositoryModelUnload", unload);
  CHECK(refused.error().code == base::Code::kFailedPrecondition);
  CHECK(refused.error().message == "in production");
}

TEST_CASE("a watch of health says each change once") {
  House house;
  const http::RpcMethod* method = house.rpc.find("/grpc.health.v1.Health/Watch");
  REQUIRE(method != nullptr);
  base::Context context;
  auto watch = method->stream(Request(), context);
  REQUIRE(watch);
  CHECK((*watch)->stays_open());
  std::vector<std::string> out;
  CHECK((*watch)->on_tick(context, out));
  CHECK(out.empty());
  CHECK((*watch)->on_message("", context, out));
  house.ready = false;
  CHECK((*watch)->on_tick(context, out));
  CHECK((*watch)->on_tick(context, out));
  house.ready = true;
  CHECK((*watch)->on_tick(context, out));
  (*watch)->on_drain(out);
  std::vector<int> said;
  for (const std::string& message : out) {
    grpc::health::v1::HealthCheckResponse read;
    REQUIRE(read.ParseFromString(message));
    said.push_back(read.status());
  }
  CHECK(said == std::vector<int>{1, 2, 1, 2});
  CHECK_FALSE((*watch)->on_message("", context, out));
}

TEST_CASE("reflection gives every file that a service needs") {
  House house;
  const http::RpcMethod* method =
      house.rpc.find("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
  REQUIRE(method != nullptr);
  base::Context context;
  auto stream = method->stream(Request(), context);
  REQUIRE(stream);
  grpc::reflection::v1::ServerReflectionRequest request;
  request.set_host("h");
  request.set_file_containing_symbol("inference.GRPCInferenceService");
  std::vector<std::string> out;
  REQUIRE((*stream)->on_message(request.SerializeAsString(), context, out));
  grpc::reflection::v1::ServerReflectionResponse answer;
  REQUIRE(answer.ParseFromString(out.at(0)));
  CHECK(answer.valid_host() == "h");
  CHECK(answer.file_descriptor_response().file_descriptor_proto_size() == 2);
  CHECK_FALSE((*stream)->on_message("\xff", context, out));
}
