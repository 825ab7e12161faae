#include <map>

#include "inference/explained.h"
#include "inference/tensor_json.h"
#include "inference/wire.h"
#include "maru/api/inference.h"
#include "maru/base/text.h"
#include "maru/model/model.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxFeedbackItems = 100'000;

// {"id", "version", "predictions": and the list follows
std::string begin_answer(const serve::Answer& answer, std::size_t rows) {
  std::string body;
  body.reserve(96 + rows * 64);
  body += R"({"id":")";
  body += answer.id;
  body += R"(","version":)";
  body += std::to_string(answer.version);
  if (answer.version == serve::kFallbackVersion) body += R"(,"fallback":true)";
  body += R"(,"predictions":)";
  return body;
}

void append_predictions(std::string& body, const model::Bundle& bundle,
                        const model::Predictions& predictions) {
  body += '[';
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    if (row > 0) body += ',';
    model::append_prediction_json(body, bundle.signature(), predictions, row);
  }
  body += ']';
}

// ,"unit":"seconds" where the model declares one.
void append_unit(std::string& body, const model::Signature& signature) {
  if (signature.postprocess.is_null()) return;
  const Json& unit = signature.postprocess["unit"]["name"];
  if (unit.is_null()) return;
  body += R"(,"unit":)";
  base::append_json_string(body, unit.as_string());
}

// Of a model of tensors: rows of its inputs.
base::Result<Response> predict_tensors(const Services& s, const Request& request,
                                       const serve::CallOptions& options) {
  const std::string endpoint(request.param("endpoint"));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const auto described, inference::describe(s, endpoint, 0));
  model::InferRequest call;
  TRY_ASSIGN(call.inputs, inference::tensors_of_rows(described.inputs, body["instances"]));
  return infer_response(
      s, endpoint, options, std::move(call),
      [](const model::InferRequest&, const InferenceAnswer& done) -> base::Result<Response> {
        std::string text = begin_answer(done.answer, 0);
        TRY(inference::append_rows(text, done.outputs));
        return Response::json_text(text + "}");
      });
}

// Predictions with what each column added to them.
base::Result<Response> explain(const Services& s, const Request& request,
                               const serve::CallOptions& options) {
  TRY_ASSIGN(const inference::Explained explained,
             inference::explain_rows(
                 s, request.param("endpoint"), options,
                 [&](const model::Signature& signature, model::InputBatch& batch) {
                   return model::fill_from_text(signature, request.body, "instances", batch);
                 }));
  std::string text = begin_answer(explained.answer, explained.predictions.rows);
  append_predictions(text, *explained.answer.bundle, explained.predictions);
  append_unit(text, explained.answer.bundle->signature());
  text += R"(,"explanations":)" + inference::explanations_json(explained).dump() + "}";
  return Response::json_text(std::move(text));
}

base::Result<Response> predict(const Services& s, const Request& request, Context& context) {
  serve::CallOptions options = call_options(request, context);
  if (may_explain(request.body)) {
    TRY_ASSIGN(const Json body, body_json(request));
    if (!body["explain"].is_null() && !body["explain"].is_bool())
      return base::fail(base::Code::kInvalidArgument, "`explain` must be true or false");
    if (body["explain"].as_bool()) return explain(s, request, options);
  }
  if (s.server->pace(request.param("endpoint"), 0) != serve::Pace::kAtOnce) {
    TRY_ASSIGN(const auto chosen, s.server->choose(request.param("endpoint"), options));
    if (chosen.bundle->tensors() != nullptr) return predict_tensors(s, request, options);
  }
  thread_local model::Predictions predictions;
  std::string body;
  const serve::WriteAnswer write = [&body](const serve::Answer& chosen,
                                           const model::Predictions& numbers) {
    body = begin_answer(chosen, numbers.rows);
    append_predictions(body, *chosen.bundle, numbers);
    append_unit(body, chosen.bundle->signature());
    body += '}';
  };
  options.write = &write;
  const auto chosen = s.server->predict(
      request.param("endpoint"), options,
      [&](const model::Signature& signature, model::InputBatch& batch) {
        return model::fill_from_text(signature, request.body, "instances", batch);
      },
      predictions);
  if (!chosen) return tl::unexpected<base::Error>(chosen.error());
  Response response = Response::json_text(std::move(body));
  if (chosen->version == serve::kFallbackVersion) response.headers.set("X-Maru-Fallback", "true");
  return response;
}

// What came back about predictions: labels go to the monitor, rewards to the route.
struct FeedbackItems {
  std::vector<monitor::Feedback> labels;
  std::vector<serve::RewardItem> rewards;
};

base::Status add_feedback(const Json& item, std::size_t index, FeedbackItems& out) {
  const std::string where = "feedback item " + std::to_string(index);
  if (!item.is_object() || !item["id"].is_string())
    return base::fail(base::Code::kInvalidArgument, where + " has no `id`",
                      R"(send {"id": "...", "label": ...})");
  const std::string& id = item["id"].as_string();
  const Json &label = item["label"], &reward = item["reward"];
  if (label.is_array() || label.is_object() || (label.is_null() && reward.is_null()))
    return base::fail(base::Code::kInvalidArgument, where + " has no `label` and no `reward`",
                      R"(send {"id": "...", "label": ...})");
  if (!label.is_null())
    out.labels.push_back({id, label.is_string() ? label.as_string() : label.dump()});
  if (reward.is_null()) return {};
  if (!reward.is_number() && !reward.is_bool())
    return base::fail(base::Code::kInvalidArgument,
                      where + " has a `reward` that is no number: " + reward.dump());
  out.rewards.push_back(
      {id, reward.is_bool() ? (reward.as_bool() ? 1.0 : 0.0) : reward.as_double()});
  return {};
}

base::Result<Response> feedback(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json_or_list(request));
  const std::string endpoint(request.param("endpoint"));
  TRY(s.server->status(endpoint));
  FeedbackItems items;
  if (body.is_array()) {
    if (body.size() > kMaxFeedbackItems)
      return base::fail(base::Code::kTooLarge, "feedback list has more than 100,000 items: " +
                                                   std::to_string(body.size()));
    for (std::size_t i = 0; i < body.size(); ++i) TRY(add_feedback(body.at(i), i, items));
  } else {
    TRY(add_feedback(body, 0, items));
  }
  // Rewards first: they are refused as a whole, and then no label is taken either.
  Json out = Json::object({{"accepted", 0}});
  if (!items.rewards.empty()) {
    TRY_ASSIGN(const std::uint64_t rewards, s.server->reward(endpoint, items.rewards));
    out.set("rewards", count(rewards));
  }
  if (!items.labels.empty()) {
    TRY_ASSIGN(const std::uint64_t accepted, s.monitor->feedback(endpoint, items.labels));
    out.set("accepted", count(accepted));
  }
  return answer(std::move(out));
}

// Which arm answered a prediction, and what was in force then.
base::Result<Response> get_assignment(const Services& s, const Request& request) {
  const std::string id(request.query_param("id"));
  TRY_ASSIGN(const auto found, s.server->assignment(std::string(request.param("endpoint")), id));
  return answer(Json::object({{"id", id},
                              {"version", found.version},
                              {"time_us", found.time_us},
                              {"segment", found.segment},
                              {"in_force", found.shares},
                              {"version_without_key", found.version_without_key}}));
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
      .set("queue", status.queue)
      .set("stages", stages)
      .set("traffic", traffic_json(status.traffic));
  Json shed_by = Json::object();
  for (std::size_t i = 0; i < monitor::kShedReasons; ++i)
    shed_by.set(monitor::shed_reason_name(static_cast<monitor::ShedReason>(i)),
                count(counts.shed_by[i]));
  out.set("log", Json::object({{"accepted", count(counts.accepted)},
                               {"written", count(counts.written)},
                               {"shed", count(counts.shed)},
                               {"shed_by", std::move(shed_by)},
                               {"not_sampled", count(status.not_sampled)}}));
  if (status.shadow_version > 0) {
    Json shadow = out["shadow"];
    out.set("shadow", shadow.set("evidence", status.shadow_evidence));
  }
  out.set("cpu", Json::object({{"measured", count(status.cpu_calls)},
                               {"mean_us", status.cpu_mean_us},
                               {"hour_price", s.cpu_hour_price}}));
  out.set("monitor", nullptr);
  TRY_ASSIGN(const auto watched, s.monitor->watched(status.config.project));
  for (const auto& config : watched) {
    if (config.endpoint == name) out.set("monitor", config.to_json());
  }
  return answer(std::move(out));
}

// For the history: "churn: canary, champion=1 5=0.05, shadow 6".
std::string route_text(const serve::EndpointConfig& config) {
  const auto word = [](const Json& value) {
    return value.is_string() ? value.as_string() : value.dump();
  };
  std::string out = config.model;
  const Json& route = config.route;
  if (!route.is_object()) return out + ": champion";
  out += ": " + route["kind"].as_string_or("weighted") + ",";
  for (const Json& arm : route["arms"].items()) {
    out += " " + word(arm.has("version") ? arm["version"] : arm["selector"]);
    if (arm.has("weight")) out += "=" + arm["weight"].dump();
  }
  if (!route["shadow"].is_null()) out += ", shadow " + word(route["shadow"]);
  if (route["stopped"].as_bool()) out += ", stopped";
  return out;
}

// Two arms of one version would have nothing to tell apart.
base::Status refuse_same_version(const Services& s, const serve::EndpointConfig& config) {
  std::map<int, std::string> seen;
  const Json& arms = config.route["arms"];
  if (arms.size() < 2) return {};
  for (const Json& arm : arms.items()) {
    const Json& wanted = arm.has("version") ? arm["version"] : arm["selector"];
    const std::string text = wanted.is_string() ? wanted.as_string() : wanted.dump();
    TRY_ASSIGN(const int version,
               s.tracking->registry().resolve(config.project, config.model, text));
    const auto [at, fresh] = seen.emplace(version, text);
    if (!fresh)
      return base::fail(base::Code::kFailedPrecondition,
                        "two arms are the same version " + std::to_string(version) + ": " +
                            at->second + " and " + text,
                        "name another version, see `maru model show " + config.model + "`");
  }
  return {};
}

// The production lane is the operators'; the experimental one is the editors' too. Out of a lane and into it, both must be allowed.
base::Status check_lane(const Context& context, const std::string& name, bool production) {
  if (!production || http::allows(context.principal.role, Permission::kOperate)) return {};
  return base::fail(base::Code::kPermissionDenied,
                    "endpoint is in production, where operators change it: " + name,
                    R"(editors may change endpoints of {"lane": "experimental"})");
}

base::Result<Response> put_endpoint(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(Json body, body_json(request));
  if (!body.is_object())
    return base::fail(base::Code::kInvalidArgument, "an endpoint is a JSON object",
                      R"(send {"model": NAME})");
  const std::string project = project_of(request), name(request.param("endpoint"));
  body.set("name", name).set("project", project);
  // A route that is put again does not change what is said beside it.
  if (const auto now = s.server->status(name); now) {
    const Json kept = now->config.to_json();
    for (const char* key : {"log", "execution", "bounds", "fallback", "features", "lane"})
      if (!body.has(key)) body.set(key, kept[key]);
    TRY(check_lane(context, name, !now->config.experimental));
  }
  TRY_ASSIGN(const auto config, serve::EndpointConfig::from_json(body));
  TRY(check_lane(context, name, !config.experimental));
  // An endpoint with a fallback may come before its model.
  if (const auto known = s.tracking->registry().get_model(project, config.model);
      !known && (config.fallback.is_null() || known.error().code != base::Code::kNotFound))
    return tl::unexpected<base::Error>(known.error());
  TRY(refuse_same_version(s, config));
  // A canary that came to its end is tried again by putting its route once more.
  const auto before = s.server->status(name);
  const std::string phase = before ? before->experiment["canary"]["phase"].as_string() : "";
  if (!phase.empty() && phase != "running") TRY(s.server->forget_experiment(name));
  TRY(s.server->put_endpoint(config));
  TRY(s.tracking->put_document(project, "endpoint", name, config.to_json()));
  TRY(audit(s, context, "endpoint.put", name, route_text(config)));
  s.events->publish("project:" + project, R"({"type":"changed","kind":"endpoint"})");
  TRY_ASSIGN(const auto status, s.server->status(name));
  return answer(endpoint_json(status));
}

base::Result<Response> delete_endpoint(const Services& s, const Request& request,
                                       Context& context) {
  const std::string project = project_of(request), name(request.param("endpoint"));
  TRY_ASSIGN(const auto now, s.server->status(name));
  TRY(check_lane(context, name, !now.config.experimental));
  TRY(s.tracking->remove_document(project, "endpoint", name));
  TRY(s.monitor->unwatch(name));
  TRY(s.server->remove_endpoint(name));
  TRY(audit(s, context, "endpoint.delete", name, ""));
  return Response::empty();
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
                       {"route", status.config.route},
                       {"lane", status.config.experimental ? "experimental" : "production"},
                       {"arms", arms},
                       {"shadow", shadow},
                       {"experiment", status.experiment},
                       {"fallback_answers", count(status.fallback_answers)},
                       {"features", status.features},
                       {"latency", latency_json(status.latency)}});
}

void add_endpoint_routes(Router& router, const Services& s) {
  http::RouteOptions quick{Permission::kPredict, RunOn::kInline};
  quick.place = [s](const Request& request) {
    const RunOn place = place_of_call(s, request.param("endpoint"), "");
    return place == RunOn::kInline && !may_explain(request.body) ? place : RunOn::kServe;
  };
  router.add(
      Method::kPost, "/api/v1/endpoints/{endpoint}/predict", quick,
      [s](const Request& request, Context& context) { return predict(s, request, context); });
  router.add(Method::kPost, "/api/v1/endpoints/{endpoint}/explain",
             {Permission::kPredict, RunOn::kServe}, [s](const Request& request, Context& context) {
               return explain(s, request, call_options(request, context));
             });
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
      Method::kPut, "/api/v1/endpoints/{endpoint}", {Permission::kWrite},
      [s](const Request& request, Context& context) { return put_endpoint(s, request, context); });
  router.add(Method::kDelete, "/api/v1/endpoints/{endpoint}", {Permission::kWrite},
             [s](const Request& request, Context& context) {
               return delete_endpoint(s, request, context);
             });
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/assignment", {Permission::kRead},
             [s](const Request& request, Context&) { return get_assignment(s, request); });
}

}  // namespace maru::api
