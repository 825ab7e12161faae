#include <set>

#include "maru/base/text.h"
#include "maru/model/model.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxFeedbackItems = 100'000;

base::Result<Response> predict(const Services& s, const Request& request, Context& context) {
  serve::CallOptions options;
  options.principal = context.principal.name;
  options.received_ns = request.received_ns;
  options.sticky_key = std::string(request.headers.get("X-Route-Key"));
  thread_local model::Predictions predictions;
  auto chosen = s.server->predict(
      request.param("endpoint"), options,
      [&](const model::Signature& signature, model::InputBatch& batch) {
        return model::fill_from_text(signature, request.body, "instances", batch);
      },
      predictions);
  if (!chosen) return tl::unexpected<base::Error>(std::move(chosen.error()));
  std::string body;
  body.reserve(96 + predictions.rows * 64);
  body += R"({"id":")";
  body += chosen->id;
  body += R"(","version":)";
  body += std::to_string(chosen->version);
  body += R"(,"predictions":[)";
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    if (row > 0) body += ',';
    model::append_prediction_json(body, chosen->bundle->signature(), predictions, row);
  }
  body += "]}";
  return Response::json_text(std::move(body));
}

base::Result<monitor::Feedback> feedback_item(const Json& item, std::size_t index) {
  const std::string where = "feedback item " + std::to_string(index);
  if (!item.is_object() || !item["id"].is_string())
    return base::fail(base::Code::kInvalidArgument, where + " has no `id`",
                      R"(send {"id": "...", "label": ...})");
  const Json& label = item.has("label") ? item["label"] : item["reward"];
  if (label.is_null() || label.is_array() || label.is_object())
    return base::fail(base::Code::kInvalidArgument, where + " has no `label`",
                      R"(send {"id": "...", "label": ...})");
  return monitor::Feedback{item["id"].as_string(),
                           label.is_string() ? label.as_string() : label.dump()};
}

base::Result<Response> feedback(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string endpoint(request.param("endpoint"));
  TRY(s.server->status(endpoint));
  std::vector<monitor::Feedback> labels;
  if (body.is_array()) {
    if (body.size() > kMaxFeedbackItems)
      return base::fail(base::Code::kTooLarge, "feedback list has more than 100,000 items: " +
                                                   std::to_string(body.size()));
    for (std::size_t i = 0; i < body.size(); ++i) {
      TRY_ASSIGN(monitor::Feedback item, feedback_item(body.at(i), i));
      labels.push_back(std::move(item));
    }
  } else {
    TRY_ASSIGN(monitor::Feedback item, feedback_item(body, 0));
    labels.push_back(std::move(item));
  }
  TRY_ASSIGN(const std::uint64_t accepted, s.monitor->feedback(endpoint, labels));
  return answer(Json::object({{"accepted", count(accepted)}}));
}

Json traffic_json(const std::vector<serve::TrafficPoint>& points) {
  Json out = Json::array();
  for (const auto& point : points) {
    Json versions = Json::object();
    for (const auto& [version, requests] : point.by_version)
      versions.set(std::to_string(version), count(requests));
    out.push(Json::object({{"time_us", point.time_us},
                           {"by_version", versions},
                           {"errors", count(point.errors)},
                           {"p50_us", point.p50_us},
                           {"p99_us", point.p99_us}}));
  }
  return out;
}

base::Result<Response> get_endpoint(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY_ASSIGN(const auto status, s.server->status(name));
  Json out = endpoint_json(status);
  Json stages = Json::array();
  for (const auto& [stage, latency] : status.stages) {
    Json row = latency_json(latency);
    stages.push(row.set("name", stage));
  }
  const auto counts = s.log->counts(name);
  out.set("config", status.config.to_json())
      .set("stages", stages)
      .set("traffic", traffic_json(status.traffic));
  out.set("log", Json::object({{"accepted", count(counts.accepted)},
                               {"written", count(counts.written)},
                               {"shed", count(counts.shed)}}));
  out.set("monitor", nullptr);
  TRY_ASSIGN(const auto watched, s.monitor->watched(status.config.project));
  for (const auto& config : watched) {
    if (config.endpoint == name) out.set("monitor", config.to_json());
  }
  return answer(std::move(out));
}

base::Result<Response> put_endpoint(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(Json body, body_json(request));
  if (!body.is_object())
    return base::fail(base::Code::kInvalidArgument, "an endpoint is a JSON object",
                      R"(send {"model": NAME})");
  const std::string project = project_of(request), name(request.param("endpoint"));
  body.set("name", name).set("project", project);
  TRY_ASSIGN(const auto config, serve::EndpointConfig::from_json(body));
  TRY(s.tracking->registry().get_model(project, config.model));
  TRY(s.server->put_endpoint(config));
  TRY(s.tracking->put_document(project, "endpoint", name, config.to_json()));
  TRY(audit(s, context, "endpoint.put", name, config.model));
  s.events->publish("project:" + project, R"({"type":"changed","kind":"endpoint"})");
  TRY_ASSIGN(const auto status, s.server->status(name));
  return answer(endpoint_json(status));
}

base::Result<Response> delete_endpoint(const Services& s, const Request& request,
                                       Context& context) {
  const std::string project = project_of(request), name(request.param("endpoint"));
  TRY(s.server->status(name));
  TRY(s.tracking->remove_document(project, "endpoint", name));
  TRY(s.monitor->unwatch(name));
  TRY(s.server->remove_endpoint(name));
  TRY(audit(s, context, "endpoint.delete", name, ""));
  return Response::empty();
}

// One logged row: what is not a fixed column is an input.
Json log_row(const data::Table& table, std::size_t row) {
  static const std::set<std::string> kFixed = {"id",    "time",       "version",
                                               "score", "prediction", "total_us"};
  Json out = Json::object(), inputs = Json::object();
  for (const auto& column : table.columns) {
    Json value;
    if (column.is_valid(row)) {
      if (column.type == data::ColumnType::kText || column.type == data::ColumnType::kTimestamp)
        value = column.display(row);
      else if (column.type == data::ColumnType::kFloat)
        value = column.reals[row];
      else
        value = column.integers[row];
    }
    if (column.name == "time")
      out.set("time_us", column.is_valid(row) ? column.integers[row] : 0);
    else if (kFixed.count(column.name) != 0)
      out.set(column.name, std::move(value));
    else
      inputs.set(column.name, std::move(value));
  }
  return out.set("inputs", std::move(inputs));
}

base::Result<Response> get_log(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY(s.server->status(name));
  TRY_ASSIGN(const auto limit, number_param(request, "limit", 50, 10'000));
  const std::string id(request.query_param("id"));
  data::Table table;
  if (id.empty()) {
    TRY_ASSIGN(table, s.log->read(name, 0, INT64_MAX, limit));
  } else {
    TRY_ASSIGN(table, s.log->find(name, id));
  }
  Json rows = Json::array();
  for (std::size_t row = 0; row < table.rows(); ++row) rows.push(log_row(table, row));
  return answer(Json::object({{"rows", rows}}));
}

}  // namespace

Json latency_json(const serve::LatencySummary& l) {
  return Json::object({{"count", count(l.count)},
                       {"errors", count(l.errors)},
                       {"per_second", l.per_second},
                       {"p50_us", l.p50_us},
                       {"p90_us", l.p90_us},
                       {"p95_us", l.p95_us},
                       {"p99_us", l.p99_us},
                       {"mean_us", l.mean_us}});
}

Json endpoint_json(const serve::EndpointStatus& status) {
  Json arms = Json::array();
  for (const auto& arm : status.arms) {
    arms.push(Json::object({{"version", arm.version},
                            {"weight", arm.weight},
                            {"requests", count(arm.requests)},
                            {"errors", count(arm.errors)},
                            {"selector", arm.selector}}));
  }
  Json shadow;
  if (status.shadow_version > 0) {
    shadow = Json::object({{"version", status.shadow_version},
                           {"requests", count(status.shadow_requests)},
                           {"differences", count(status.shadow_differences)}});
  }
  return Json::object({{"name", status.config.name},
                       {"model", status.config.model},
                       {"state", status.state},
                       {"reason", status.reason},
                       {"arms", arms},
                       {"shadow", shadow},
                       {"latency", latency_json(status.latency)}});
}

void add_endpoint_routes(Router& router, const Services& s) {
  http::RouteOptions quick{Permission::kPredict, RunOn::kInline};
  quick.inline_if = [s](const Request& request) {
    return s.server->answers_at_once(request.param("endpoint"), 0);
  };
  router.add(
      Method::kPost, "/api/v1/endpoints/{endpoint}/predict", quick,
      [s](const Request& request, Context& context) { return predict(s, request, context); });
  router.add(Method::kPost, "/api/v1/endpoints/{endpoint}/feedback", {Permission::kPredict},
             [s](const Request& request, Context&) { return feedback(s, request); });
  router.add(Method::kGet, "/api/v1/endpoints", {Permission::kRead},
             [s](const Request&, Context&) -> base::Result<Response> {
               Json rows = Json::array();
               for (const auto& status : s.server->list()) rows.push(endpoint_json(status));
               return answer(Json::object({{"endpoints", rows}}));
             });
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_endpoint(s, request); });
  router.add(
      Method::kPut, "/api/v1/endpoints/{endpoint}", {Permission::kOperate},
      [s](const Request& request, Context& context) { return put_endpoint(s, request, context); });
  router.add(Method::kDelete, "/api/v1/endpoints/{endpoint}", {Permission::kOperate},
             [s](const Request& request, Context& context) {
               return delete_endpoint(s, request, context);
             });
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/log", {Permission::kRead},
             [s](const Request& request, Context&) { return get_log(s, request); });
}

}  // namespace maru::api
