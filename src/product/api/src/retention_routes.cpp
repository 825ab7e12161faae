#include "catalogue_routes.h"
#include "maru/base/text.h"

namespace maru::api {
namespace {

base::Result<Response> get_policy(const Services& s, const Request& request) {
  const std::string project = project_of(request), dataset(request.param("dataset"));
  TRY(s.datasets->resolve(project, dataset));
  TRY_ASSIGN(const auto policy, s.retention->policy(project, dataset));
  return answer(policy.to_json());
}

base::Result<Response> put_policy(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string project = project_of(request), dataset(request.param("dataset"));
  TRY_ASSIGN(const auto policy, data::RetentionPolicy::from_json(body));
  TRY(s.retention->set_policy(project, dataset, policy));
  TRY(audit(s, context, "dataset.retention", dataset, policy.to_json().dump()));
  return answer(policy.to_json());
}

base::Result<Response> post_collect(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const bool dry_run = body["dry_run"].as_bool(true);
  TRY_ASSIGN(
      const auto report,
      s.retention->collect(project_of(request), body["dataset"].as_string(), dry_run, context));
  if (!dry_run)
    TRY(audit(
        s, context, "dataset.collect", body["dataset"].as_string(),
        std::to_string(report.snapshots) + " snapshots, " + base::format_bytes(report.bytes)));
  return answer(report.to_json().set("dry_run", dry_run));
}

// Models that learnt from snapshots that are gone now.
base::Result<Json> trained_on(const Services& s, const std::string& project,
                              const std::vector<data::Snapshot>& gone) {
  Json out = Json::array();
  TRY_ASSIGN(const auto models, s.tracking->registry().list_models(project));
  for (const auto& model : models) {
    for (const auto& version : model.versions) {
      for (const auto& snapshot : gone)
        if (version.snapshot == snapshot.id)
          out.push(Json::object({{"model", version.model},
                                 {"version", version.version},
                                 {"snapshot", snapshot.number}}));
    }
  }
  return out;
}

base::Result<Response> post_erase(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string project = project_of(request), dataset(request.param("dataset"));
  std::vector<std::string> values;
  for (const auto& value : body["values"].items())
    values.push_back(value.is_string() ? value.as_string() : value.dump());
  TRY_ASSIGN(const auto report,
             s.retention->erase(project, dataset, body["column"].as_string(), values, context));
  TRY_ASSIGN(const Json models, trained_on(s, project, report.dropped));
  Json dropped = Json::array();
  for (const auto& snapshot : report.dropped) dropped.push(snapshot.number);
  TRY(audit(s, context, "dataset.erase", dataset + "@" + std::to_string(report.fresh.number),
            body["column"].as_string() + ": " + std::to_string(report.rows) + " rows, " +
                std::to_string(report.dropped.size()) + " snapshots"));
  s.events->publish("project:" + project, R"({"type":"changed","kind":"dataset"})");
  return answer(Json::object({{"number", report.fresh.number},
                              {"snapshot", report.fresh.id},
                              {"rows", count(report.rows)},
                              {"dropped", dropped},
                              {"files", count(report.files)},
                              {"models", models}}));
}

}  // namespace

void add_retention_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/datasets/{dataset}/retention", {Permission::kRead},
             [s](const Request& request, Context&) { return get_policy(s, request); });
  router.add(
      Method::kPut, "/api/v1/datasets/{dataset}/retention", {Permission::kOperate},
      [s](const Request& request, Context& context) { return put_policy(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/collect", {Permission::kOperate, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_collect(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/erase", {Permission::kAdmin, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_erase(s, request, context); });
}

}  // namespace maru::api
