#include "mlflow/wire.h"

// What clients ask about the server itself, and what they are told about anything it does not have (mlflow.md §1.9).
namespace maru::api::mlflow {
namespace {

using base::Code;

// The release whose API this is; clients parse it (PEP 440) to choose what they may call.
constexpr const char* kMlflowVersion = "3.6.0";

// A client's fallbacks look for this code, whatever the reason.
Response unknown(const base::Error& failure, const Request& request, const Context& context) {
  if (failure.code == Code::kInvalidArgument) {
    return error({Code::kInvalidArgument, "Invalid path", "", nullptr}, request, context);
  }
  if (failure.code != Code::kNotFound && failure.code != Code::kUnimplemented)
    return error(failure, request, context);
  return Response::json(
      Json::object({{"error_code", "ENDPOINT_NOT_FOUND"},
                    {"message", "No API found for '" + std::string(method_name(request.method)) +
                                    " " + request.path + "'"}}),
      404);
}

}  // namespace

void add_server_routes(Router& router, const Services& s) {
  const std::string own = s.version["version"].as_string();
  router.add(Method::kGet, "/version", options(Permission::kPublic, RunOn::kInline),
             [own](const Request&, Context&) -> base::Result<Response> {
               Response response = Response::text(kMlflowVersion);
               response.headers.set("X-Maru-Version", own);
               return response;
             });
  router.add(
      Method::kGet, "/health", options(Permission::kPublic, RunOn::kInline),
      [](const Request&, Context&) -> base::Result<Response> { return Response::text("OK"); });
  add_call(
      router, 3, Method::kGet, "server-info", Permission::kRead,
      [](Fields&, Context&) -> base::Result<Json> {
        return Json::object({{"store_type", "SqlStore"},
                             {"workspaces_enabled", false},
                             {"trace_archival_enabled", false},
                             {"multipart_uploads_enabled", true},
                             {"multipart_downloads_enabled", true}});
      },
      RunOn::kInline);
  for (const char* prefix :
       {"/api/2.0/", "/api/3.0/", "/ajax-api/", "/get-artifact", "/model-versions/get-artifact"})
    router.set_fallback_format(prefix, unknown);
}

}  // namespace maru::api::mlflow
