// Each method asks its HTTP route: whoever may ask the one may ask the other, and both say the same. The JSON of those routes has the messages' own names.
#include "control.h"

#include <google/protobuf/util/json_util.h>

#include "maru/base/check.h"
#include "maru/base/text.h"
#include "rpc/inference.pb.h"

namespace maru::api_grpc {
namespace {

using base::Code;
using base::Json;
using http::Method;
using http::Request;
using http::Response;

// What a message asks of HTTP.
struct Asked {
  Method method = Method::kGet;
  std::string path;
  Json body;
};

Code code_of(int status) {
  constexpr std::pair<int, Code> kCodes[] = {{401, Code::kUnauthenticated},
                                             {403, Code::kPermissionDenied},
                                             {404, Code::kNotFound},
                                             {409, Code::kAborted},
                                             {412, Code::kFailedPrecondition},
                                             {413, Code::kTooLarge},
                                             {422, Code::kRefused},
                                             {429, Code::kResourceExhausted},
                                             {499, Code::kCancelled},
                                             {501, Code::kUnimplemented},
                                             {503, Code::kUnavailable},
                                             {504, Code::kDeadlineExceeded},
                                             {507, Code::kNoSpace}};
  for (const auto& [known, code] : kCodes)
    if (known == status) return code;
  return status < 500 ? Code::kInvalidArgument : Code::kInternal;
}

// A name in a path; one that would reach another path is the name of no model.
base::Result<std::string> segment(const std::string& name) {
  if (name.empty()) return base::fail(Code::kInvalidArgument, "request names no model");
  if (name.find('/') != std::string::npos)
    return base::fail(Code::kNotFound, "Request for unknown model: '" + name + "' is not found");
  return name;
}

base::Result<std::string> model_path(const std::string& name, const std::string& version) {
  TRY_ASSIGN(std::string out, segment(name));
  out.insert(0, "/v2/models/");
  if (version.empty()) return out;
  TRY_ASSIGN(const std::string which, segment(version));
  return out + "/versions/" + which;
}

Response ask(const http::Router& routes, const Asked& asked, const Request& from,
             base::Context& context) {
  Request request;
  request.method = asked.method;
  request.target = request.path = asked.path;
  request.peer = from.peer;
  request.tls = from.tls;
  request.received_ns = from.received_ns;
  if (!asked.body.is_null()) request.body = asked.body.dump();
  return routes.handle(request, context);
}

base::Error error_of(const Response& response) {
  const auto body = base::parse_json(response.body);
  std::string text = body ? (*body)["error"].as_string_or((*body)["message"].as_string()) : "";
  return {code_of(response.status), text.empty() ? response.body : std::move(text), "", nullptr};
}

template <class Message>
base::Status read_json(std::string_view json, Message& out) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(
      {json.data(),
       static_cast<google::protobuf::stringpiece_internal::StringPiece::size_type>(json.size())},
      &out, options);
  if (status.ok()) return {};
  return base::fail(Code::kInternal,
                    "an answer does not fit its message: " + std::string(status.message()));
}

template <class Message>
base::Result<Response> packed(const Message& message) {
  Response out;
  message.SerializeToString(&out.body);
  return out;
}

template <class In>
base::Status parse(const Request& request, In& out) {
  if (out.ParseFromString(request.body)) return {};
  return base::fail(Code::kInvalidArgument, "the message is not a " + In::descriptor()->name() +
                                                ": its bytes cannot be read");
}

// `asks(const In&) -> Result<Asked>`; `reads(const Response&, const In&, Out&) -> Status`.
template <class In, class Out, class Asks, class Reads>
void add(http::RpcRouter& router, const http::Router& routes, const char* name, Method method,
         const char* pattern, Asks asks, Reads reads) {
  const http::Router::Match route = routes.match(method, pattern);
  MARU_CHECK(route.options != nullptr);
  router.add_unary(std::string("/inference.GRPCInferenceService/") + name,
                   {route.options->permission, route.options->run_on},
                   [&routes, asks, reads](const Request& request,
                                          base::Context& context) -> base::Result<Response> {
                     In in;
                     TRY(parse(request, in));
                     TRY_ASSIGN(const Asked asked, asks(in));
                     Out out;
                     TRY(reads(ask(routes, asked, request, context), in, out));
                     return packed(out);
                   });
}

template <class Out>
base::Status read_answer(const Response& response, Out& out) {
  if (response.status >= 400) return tl::unexpected<base::Error>(error_of(response));
  return read_json(response.body, out);
}

// "not ready" is an answer; what the route refuses for another reason is not.
template <class Out>
base::Status read_ready(const Response& response, Out& out) {
  const bool told = response.status == 200 || response.status == 503 || response.status == 404;
  if (!told) return tl::unexpected<base::Error>(error_of(response));
  const auto body = base::parse_json(response.body);
  out.set_ready(response.status == 200 && body && (*body)["ready"].as_bool());
  return {};
}

void add_server_methods(http::RpcRouter& router, const http::Router& routes) {
  using namespace inference;
  const auto get = [](const char* path) {
    return [path](const auto&) -> base::Result<Asked> { return Asked{Method::kGet, path, {}}; };
  };
  add<ServerLiveRequest, ServerLiveResponse>(
      router, routes, "ServerLive", Method::kGet, "/v2/health/live", get("/v2/health/live"),
      [](const Response& response, const auto&, ServerLiveResponse& out) {
        return read_answer(response, out);
      });
  add<ServerReadyRequest, ServerReadyResponse>(
      router, routes, "ServerReady", Method::kGet, "/v2/health/ready", get("/v2/health/ready"),
      [](const Response& response, const auto&, ServerReadyResponse& out) {
        return read_ready(response, out);
      });
  add<ServerMetadataRequest, ServerMetadataResponse>(
      router, routes, "ServerMetadata", Method::kGet, "/v2", get("/v2"),
      [](const Response& response, const auto&, ServerMetadataResponse& out) {
        return read_answer(response, out);
      });
}

void add_model_methods(http::RpcRouter& router, const http::Router& routes) {
  using namespace inference;
  const auto model = [](const char* suffix) {
    return [suffix](const auto& in) -> base::Result<Asked> {
      TRY_ASSIGN(const std::string path, model_path(in.name(), in.version()));
      return Asked{Method::kGet, path + suffix, {}};
    };
  };
  add<ModelReadyRequest, ModelReadyResponse>(
      router, routes, "ModelReady", Method::kGet, "/v2/models/m/ready", model("/ready"),
      [](const Response& response, const auto&, ModelReadyResponse& out) {
        return read_ready(response, out);
      });
  add<ModelMetadataRequest, ModelMetadataResponse>(
      router, routes, "ModelMetadata", Method::kGet, "/v2/models/m", model(""),
      [](const Response& response, const auto&, ModelMetadataResponse& out) {
        return read_answer(response, out);
      });
  add<ModelConfigRequest, ModelConfigResponse>(
      router, routes, "ModelConfig", Method::kGet, "/v2/models/m/config", model("/config"),
      [](const Response& response, const auto&, ModelConfigResponse& out) {
        return read_answer(response, *out.mutable_config());
      });
  add<ModelStatisticsRequest, ModelStatisticsResponse>(
      router, routes, "ModelStatistics", Method::kGet, "/v2/models/m/stats",
      [model](const ModelStatisticsRequest& in) -> base::Result<Asked> {
        if (in.name().empty()) return Asked{Method::kGet, "/v2/models/stats", {}};
        return model("/stats")(in);
      },
      [](const Response& response, const auto&, ModelStatisticsResponse& out) {
        return read_answer(response, out);
      });
}

// KServe's clients send the name in the field of the repository.
template <class In>
const std::string& repository_model(const In& in) {
  return in.model_name().empty() ? in.repository_name() : in.model_name();
}

template <class In>
base::Result<Asked> change(const In& in, const char* verb) {
  TRY_ASSIGN(const std::string name, segment(repository_model(in)));
  Json parameters = Json::object();
  for (const auto& [key, value] : in.parameters()) {
    if (value.has_bool_param())
      parameters.set(key, value.bool_param());
    else if (value.has_int64_param())
      parameters.set(key, static_cast<std::int64_t>(value.int64_param()));
    else
      parameters.set(key, value.string_param());
  }
  return Asked{Method::kPost, "/v2/repository/models/" + name + "/" + verb,
               Json::object({{"parameters", std::move(parameters)}})};
}

void add_repository_methods(http::RpcRouter& router, const http::Router& routes) {
  using namespace inference;
  add<RepositoryIndexRequest, RepositoryIndexResponse>(
      router, routes, "RepositoryIndex", Method::kPost, "/v2/repository/index",
      [](const RepositoryIndexRequest& in) -> base::Result<Asked> {
        return Asked{Method::kPost, "/v2/repository/index", Json::object({{"ready", in.ready()}})};
      },
      [](const Response& response, const auto&, RepositoryIndexResponse& out) -> base::Status {
        if (response.status >= 400) return tl::unexpected<base::Error>(error_of(response));
        return read_json("{\"models\":" + response.body + "}", out);
      });
  const auto done = [](const Response& response) -> base::Status {
    if (response.status >= 400) return tl::unexpected<base::Error>(error_of(response));
    return {};
  };
  add<RepositoryModelLoadRequest, RepositoryModelLoadResponse>(
      router, routes, "RepositoryModelLoad", Method::kPost, "/v2/repository/models/m/load",
      [](const RepositoryModelLoadRequest& in) { return change(in, "load"); },
      [done](const Response& response, const auto& in, RepositoryModelLoadResponse& out) {
        out.set_model_name(repository_model(in));
        out.set_isloaded(true);
        return done(response);
      });
  add<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>(
      router, routes, "RepositoryModelUnload", Method::kPost, "/v2/repository/models/m/unload",
      [](const RepositoryModelUnloadRequest& in) { return change(in, "unload"); },
      [done](const Response& response, const auto& in, RepositoryModelUnloadResponse& out) {
        out.set_model_name(repository_model(in));
        out.set_isunloaded(true);
        return done(response);
      });
}

}  // namespace

void add_control_methods(http::RpcRouter& router, const http::Router& routes) {
  add_server_methods(router, routes);
  add_model_methods(router, routes);
  add_repository_methods(router, routes);
}

}  // namespace maru::api_grpc
