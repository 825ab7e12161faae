#include <map>
#include <set>

#include "routes.h"

namespace maru::api {
namespace {

using VersionsByRun = std::map<std::string, Json>;

base::Result<VersionsByRun> versions_by_run(const Services& s, const std::string& project) {
  VersionsByRun out;
  TRY_ASSIGN(const auto models, s.tracking->registry().list_models(project));
  for (const auto& model : models) {
    for (const auto& version : model.versions) {
      out[version.run_id] = Json::object({{"model", model.name},
                                          {"version", version.version},
                                          {"aliases", text_array(version.aliases)}});
    }
  }
  return out;
}

Json text_map(const tracking::Text& values) {
  Json out = Json::object();
  for (const auto& [key, value] : values) out.set(key, value);
  return out;
}

Json tracked_run_json(const tracking::Run& run, const VersionsByRun& versions) {
  Json metrics = Json::object();
  for (const auto& [key, point] : run.latest) metrics.set(key, point.value);
  const auto version = versions.find(run.id);
  return Json::object({{"id", run.id},
                       {"name", run.name},
                       {"status", run.status},
                       {"source", run.source},
                       {"start_us", run.start_us},
                       {"end_us", run.end_us},
                       {"params", text_map(run.params)},
                       {"tags", text_map(run.tags)},
                       {"metrics", metrics},
                       {"model_version", version == versions.end() ? Json() : version->second}});
}

base::Result<tracking::Experiment> find_experiment(const Services& s, const std::string& project,
                                                   std::string_view name) {
  TRY_ASSIGN(const auto experiments, s.tracking->runs().list_experiments(project));
  for (const auto& experiment : experiments) {
    if (experiment.name == name || experiment.id == name) return experiment;
  }
  return base::fail(base::Code::kNotFound, "no experiment has this name: " + std::string(name));
}

base::Result<Response> list_experiments(const Services& s, const Request& request) {
  const bool deleted = request.query_param("view") == "deleted";
  tracking::ExperimentQuery which;
  which.view = deleted ? tracking::View::kDeleted : tracking::View::kActive;
  which.order_by = {"name"};
  which.limit = 50'000;
  TRY_ASSIGN(const auto found, s.tracking->runs().search_experiments(project_of(request), which));
  Json rows = Json::array();
  for (const auto& experiment : found.experiments) {
    tracking::RunQuery query;
    query.experiment_ids = {experiment.id};
    query.limit = 1;
    query.view = which.view;
    TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project_of(request), query));
    rows.push(Json::object(
        {{"id", experiment.id},
         {"name", experiment.name},
         {"runs", count(page.total)},
         {"created_us", experiment.created_us},
         {"updated_us", page.runs.empty() ? experiment.updated_us : page.runs.front().start_us}}));
  }
  return answer(Json::object({{"experiments", rows}}));
}

// order_by=metric:KEY, param:KEY, tag:KEY or an attribute, with desc=0|1, as a term of the search language.
std::string order_term(const Request& request) {
  const std::string by(request.query_param("order_by", "start_time"));
  std::string term = by == "start_us" ? "start_time" : by == "end_us" ? "end_time" : by;
  if (by == "name") term = "run_name";
  for (const char* kind : {"metric", "param", "tag"}) {
    const std::string prefix = std::string(kind) + ":";
    if (by.rfind(prefix, 0) == 0) term = std::string(kind) + "s.`" + by.substr(prefix.size()) + "`";
  }
  return term + (request.query_param("desc", "1") != "0" ? " DESC" : " ASC");
}

base::Result<Response> list_runs(const Services& s, const Request& request) {
  const std::string project = project_of(request);
  TRY_ASSIGN(const auto experiment, find_experiment(s, project, request.param("experiment")));
  tracking::RunQuery query;
  query.experiment_ids = {experiment.id};
  query.order_by = {order_term(request)};
  query.filter = std::string(request.query_param("filter"));
  query.name_contains = std::string(request.query_param("q"));
  TRY_ASSIGN(query.limit, number_param(request, "limit", 100, 10'000));
  TRY_ASSIGN(query.offset, number_param(request, "offset", 0, 1'000'000'000));
  TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project, query));
  TRY_ASSIGN(const auto versions, versions_by_run(s, project));
  std::set<std::string> metric_keys, param_keys;
  Json rows = Json::array();
  for (const auto& run : page.runs) {
    for (const auto& [key, point] : run.latest) metric_keys.insert(key);
    for (const auto& [key, value] : run.params) param_keys.insert(key);
    rows.push(tracked_run_json(run, versions));
  }
  return answer(Json::object(
      {{"experiment", Json::object({{"id", experiment.id}, {"name", experiment.name}})},
       {"runs", rows},
       {"total", count(page.total)},
       {"metric_keys", text_array({metric_keys.begin(), metric_keys.end()})},
       {"param_keys", text_array({param_keys.begin(), param_keys.end()})}}));
}

base::Result<Response> get_run(const Services& s, const Request& request) {
  const std::string id(request.param("run"));
  TRY_ASSIGN(const auto run, s.tracking->runs().get_run(id));
  TRY_ASSIGN(const auto experiment, s.tracking->runs().get_experiment(run.experiment_id));
  TRY_ASSIGN(const auto versions, versions_by_run(s, experiment.project));
  TRY_ASSIGN(const auto artifacts, s.tracking->artifacts().list_artifacts(id));
  TRY_ASSIGN(const auto keys, s.tracking->runs().metric_keys(id));
  Json files = Json::array();
  for (const auto& artifact : artifacts)
    files.push(Json::object(
        {{"path", artifact.path}, {"sha256", artifact.sha256}, {"bytes", count(artifact.bytes)}}));
  Json out = tracked_run_json(run, versions);
  out.set("experiment", Json::object({{"id", experiment.id}, {"name", experiment.name}}));
  return answer(out.set("metric_keys", text_array(keys)).set("artifacts", files));
}

base::Result<Response> get_metric(const Services& s, const Request& request) {
  const std::string key(request.param("key"));
  TRY_ASSIGN(const auto points,
             s.tracking->runs().metric_history(std::string(request.param("run")), key));
  Json out = Json::array();
  for (const auto& point : points)
    out.push(Json::object(
        {{"step", point.step}, {"value", point.value}, {"time_us", point.time_ms * 1000}}));
  return answer(Json::object({{"key", key}, {"points", out}}));
}

}  // namespace

void add_experiment_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/experiments", {Permission::kRead},
             [s](const Request& request, Context&) { return list_experiments(s, request); });
  router.add(Method::kGet, "/api/v1/experiments/{experiment}/runs", {Permission::kRead},
             [s](const Request& request, Context&) { return list_runs(s, request); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_run(s, request); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}/metrics/{key...}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_metric(s, request); });
  router.add(
      Method::kGet, "/api/v1/experiment-runs/{run}/artifacts/{path...}", {Permission::kRead},
      [s](const Request& request, Context&) -> base::Result<Response> {
        TRY_ASSIGN(std::string bytes,
                   s.tracking->artifacts().read_artifact(std::string(request.param("run")),
                                                         std::string(request.param("path"))));
        Response response = Response::text(std::move(bytes), 200, "application/octet-stream");
        // What users logged is never rendered as part of this site.
        response.headers.set("Content-Disposition", "attachment");
        return response;
      });
}

}  // namespace maru::api
