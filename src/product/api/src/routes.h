#pragma once
#include <string>

#include "maru/api/api.h"
#include "maru/base/json.h"

namespace maru::api {

using base::Context;
using base::Json;
using http::Method;
using http::Permission;
using http::Request;
using http::Response;
using http::Router;
using http::RunOn;

void add_data_routes(Router& router, const Services& services);
void add_pipeline_routes(Router& router, const Services& services);
void add_experiment_routes(Router& router, const Services& services);
void add_tracking_routes(Router& router, const Services& services);
void add_model_routes(Router& router, const Services& services);
void add_guide_routes(Router& router, const Services& services);
void add_metrics_route(Router& router, const Services& services);
void add_log_routes(Router& router, const Services& services);
void add_endpoint_routes(Router& router, const Services& services);
void add_batch_routes(Router& router, const Services& services);
void add_monitor_routes(Router& router, const Services& services);
void add_sensitive_routes(Router& router, const Services& services);
void add_status_routes(Router& router, const Services& services);
void add_lineage_routes(Router& router, const Services& services);
void add_secret_routes(Router& router, const Services& services);
void add_stream_routes(Router& router, const Services& services);
void add_search_routes(Router& router, const Services& services);

inline std::string project_of(const Request& request) {
  return std::string(request.query_param("project", "default"));
}
// An unsigned query parameter; `fallback` when absent; kInvalidArgument that names it when it is no number or above `most`.
base::Result<std::uint64_t> number_param(const Request& request, std::string_view name,
                                         std::uint64_t fallback, std::uint64_t most);
base::Result<Json> body_json(const Request& request);  // an object; none is an empty one
base::Result<Json> body_json_or_list(const Request& request);
inline base::Result<Response> answer(Json json, int status = 200) {
  return Response::json(json, status);
}
inline Json count(std::uint64_t value) { return static_cast<std::int64_t>(value); }
Json text_array(const std::vector<std::string>& values);
// Records who changed what; a failure to record fails the request.
base::Status audit(const Services& services, const Context& context, const std::string& action,
                   const std::string& object, const std::string& detail);

// Shapes that several routes share.
Json run_json(const pipeline::Run& run);
Json latency_json(const serve::LatencySummary& latency);
Json endpoint_json(const serve::EndpointStatus& status);
Json version_json(const tracking::ModelVersion& version);
std::string primary_metric(const std::string& task);

}  // namespace maru::api
