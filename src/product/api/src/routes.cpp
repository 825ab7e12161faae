#include "routes.h"

#include <charconv>

#include "compare_routes.h"
#include "inference/wire.h"
#include "mlflow/wire.h"

namespace maru::api {

base::Result<std::uint64_t> number_param(const Request& request, std::string_view name,
                                         std::uint64_t fallback, std::uint64_t most) {
  const std::string_view text = request.query_param(name);
  if (text.empty()) return fallback;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) {
    return base::fail(base::Code::kInvalidArgument,
                      "query parameter `" + std::string(name) + "` is not a number from 0 to " +
                          std::to_string(most) + ": " + std::string(text));
  }
  return value;
}

base::Result<Json> body_json(const Request& request) {
  TRY_ASSIGN(Json body, body_json_or_list(request));
  if (!body.is_object())
    return base::fail(base::Code::kInvalidArgument, "request body must be a JSON object");
  return body;
}

base::Result<Json> body_json_or_list(const Request& request) {
  if (request.body.empty()) return Json::object();
  auto parsed = base::parse_json(request.body);
  if (!parsed) return base::wrap(parsed.error(), "request body is not valid JSON");
  if (!parsed->is_object() && !parsed->is_array())
    return base::fail(base::Code::kInvalidArgument, "request body must be a JSON object or array");
  return parsed;
}

Json text_array(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const auto& value : values) out.push(value);
  return out;
}

base::Status audit(const Services& services, const Context& context, const std::string& action,
                   const std::string& object, const std::string& detail) {
  tracking::AuditEntry entry;
  entry.time_us = services.clock->now_us();
  entry.principal = context.principal.name;
  entry.action = action;
  entry.object = object;
  entry.detail = detail;
  return services.tracking->audit(entry);
}

std::string primary_metric(const std::string& task) {
  if (task == "regression") return "rmse";
  if (task == "tensors") return "";  // a model from elsewhere was measured elsewhere
  return task == "multiclass" ? "log_loss" : "roc_auc";
}

void add_routes(Router& router, const Services& services) {
  add_data_routes(router, services);
  add_compare_routes(router, services);
  add_sensitive_routes(router, services);
  add_pipeline_routes(router, services);
  add_experiment_routes(router, services);
  add_tracking_routes(router, services);
  add_model_routes(router, services);
  add_endpoint_routes(router, services);
  add_log_routes(router, services);
  add_guide_routes(router, services);
  add_batch_routes(router, services);
  add_monitor_routes(router, services);
  add_status_routes(router, services);
  add_metrics_route(router, services);
  add_search_routes(router, services);
  add_secret_routes(router, services);
  add_stream_routes(router, services);
  add_lineage_routes(router, services);
  inference::add_open_inference_routes(router, services);
  inference::add_repository_routes(router, services);
  inference::add_tensorflow_routes(router, services);
  inference::add_scoring_routes(router, services);
  mlflow::add_registry_routes(router, services);
  mlflow::add_logged_model_routes(router, services);
  mlflow::add_artifact_routes(router, services);
  mlflow::add_trace_routes(router, services);
  mlflow::add_webhook_routes(router, services);
  mlflow::add_server_routes(router, services);
  mlflow::add_run_routes(router, services);
}

}  // namespace maru::api
