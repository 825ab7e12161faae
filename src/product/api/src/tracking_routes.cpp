#include <algorithm>

#include "maru/base/text.h"
#include "parquet_export.h"
#include "routes.h"

// Changing experiments and runs, searching over experiments, and the ways in and out of this home.
namespace maru::api {
namespace {

using base::Code;
using base::Result;
using base::Status;
using tracking::Experiment;

constexpr std::size_t kMostRuns = 10'000;

Json text_map(const tracking::Text& values) {
  Json out = Json::object();
  for (const auto& [key, value] : values) out.set(key, value);
  return out;
}

Json experiment_row(const Experiment& one) {
  return Json::object({{"id", one.id},
                       {"name", one.name},
                       {"state", one.state},
                       {"created_us", one.created_us},
                       {"updated_us", one.updated_us},
                       {"artifact_location", one.artifact_location},
                       {"tags", text_map(one.tags)}});
}

// By name, then by id; also what is in the trash.
Result<Experiment> named(const Services& s, const std::string& project, const std::string& name) {
  if (auto found = s.tracking->runs().find_experiment(project, name)) return found;
  if (auto found = s.tracking->runs().get_experiment(name)) return found;
  TRY_ASSIGN(const auto all, s.tracking->runs().list_experiments(project));
  std::vector<std::string> names;
  for (const auto& one : all) names.push_back(one.name);
  std::string hint = base::did_you_mean(name, names);
  return base::fail(Code::kNotFound, "no experiment has this name: " + name,
                    hint.empty() ? "see `maru experiment list`" : hint);
}

Result<Experiment> named(const Services& s, const Request& request) {
  return named(s, project_of(request), std::string(request.param("experiment")));
}

Result<std::vector<std::string>> ids_of(const Services& s, const std::string& project,
                                        const Json& names) {
  std::vector<std::string> out;
  for (const auto& name : names.items()) {
    TRY_ASSIGN(const auto one, named(s, project, name.as_string()));
    out.push_back(one.id);
  }
  return out;
}

Result<Response> create_experiment(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  tracking::Text tags;
  for (const auto& [key, value] : body["tags"].members()) tags[key] = value.as_string();
  TRY_ASSIGN(const auto made, s.tracking->runs().create_experiment(
                                  project_of(request), body["name"].as_string(), "", tags));
  return answer(experiment_row(made), 201);
}

// ---- trash -----------------------------------------------------------------------------------------

constexpr std::size_t kMostTrash = 10'000;

Result<Response> list_trash(const Services& s, const Request& request) {
  TRY_ASSIGN(const std::size_t limit, number_param(request, "limit", 1000, kMostTrash));
  TRY_ASSIGN(const auto items, s.tracking->trash().list(limit));
  Json rows = Json::array();
  for (const auto& item : items) {
    Json row = Json::object({{"kind", item.kind},
                             {"id", item.id},
                             {"name", item.name},
                             {"experiment_id", item.experiment_id},
                             {"deleted_us", item.deleted_us},
                             {"goes_us", item.deleted_us + tracking::Trash::kKeepUs}});
    if (!item.kept_by.empty()) row.set("kept_by", item.kept_by);
    rows.push(std::move(row));
  }
  return answer(Json::object({{"items", std::move(rows)}}));
}

Result<Response> restore_trash(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string kind = body["kind"].as_string(), id = body["id"].as_string();
  if (kind == "experiment") {
    TRY(s.tracking->runs().restore_experiment(id));
  } else if (kind == "run") {
    TRY(s.tracking->runs().restore_run(id));
  } else {
    return base::fail(Code::kInvalidArgument,
                      "only an experiment or a run can be restored: " + kind,
                      "a deleted logged model stays deleted");
  }
  return answer(Json::object({{"kind", kind}, {"id", id}}));
}

// What was deleted more than `older_than_s` ago (0: all) goes for good.
Result<Response> empty_trash(const Services& s, const Request& request, const Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::int64_t age_s = std::clamp<std::int64_t>(body["older_than_s"].as_int(0), 0, 1 << 30);
  const std::int64_t before_us = s.clock->now_us() + 1 - age_s * 1'000'000;
  TRY_ASSIGN(const auto done, s.tracking->trash().empty(before_us, [&](const std::string& sha256) {
    return s.datasets->uses(sha256);
  }));
  TRY(s.tracking->audit(
      {s.clock->now_us(), context.principal.name, "empty", "trash",
       std::to_string(done.runs) + " runs, " + std::to_string(done.experiments) + " experiments"}));
  return answer(Json::object({{"runs", count(done.runs)},
                              {"experiments", count(done.experiments)},
                              {"models", count(done.models)},
                              {"traces", count(done.traces)},
                              {"blobs", count(done.blobs)}}));
}

Result<Response> show_experiment(const Services& s, const Request& request,
                                 const std::string& which) {
  TRY_ASSIGN(const auto one, named(s, project_of(request), which));
  Json out = experiment_row(one);
  for (const auto& [name, view] : {std::pair("runs", tracking::View::kActive),
                                   std::pair("deleted_runs", tracking::View::kDeleted)}) {
    tracking::RunQuery query;
    query.experiment_ids = {one.id};
    query.view = view;
    query.limit = 1;
    query.values = false;
    TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project_of(request), query));
    out.set(name, count(page.total));
  }
  return answer(std::move(out));
}

// ---- search ---------------------------------------------------------------------------------------

struct Projection {
  bool all = true;
  std::vector<std::string> fields;
  bool wants(const std::string& field) const {
    return all || std::find(fields.begin(), fields.end(), field) != fields.end();
  }
};

// "metrics.loss" asks for one key, "metrics" for all of them.
Json run_row(const tracking::Run& run, const std::string& experiment, const Projection& wanted) {
  Json out = Json::object({{"id", run.id}});
  const auto put = [&](const char* name, Json value) {
    if (wanted.wants(name)) out.set(name, std::move(value));
  };
  put("name", run.name);
  put("experiment", experiment);
  put("experiment_id", run.experiment_id);
  put("status", run.status);
  put("state", run.state);
  put("user", run.user);
  put("start_us", run.start_us);
  put("end_us", run.end_us);
  put("artifact_uri", run.artifact_uri);
  const auto part = [&](const std::string& name, const auto& values, const auto& json) {
    Json object = Json::object();
    const bool whole = wanted.wants(name);
    for (const auto& [key, value] : values)
      if (whole || wanted.wants(name + "." + key)) object.set(key, json(value));
    if (whole || object.size() > 0) out.set(name, std::move(object));
  };
  part("params", run.params, [](const std::string& value) { return Json(value); });
  part("tags", run.tags, [](const std::string& value) { return Json(value); });
  part("metrics", run.latest, [](const tracking::MetricPoint& point) { return Json(point.value); });
  return out;
}

Result<Response> search_runs(const Services& s, const Request& request) {
  const std::string project = project_of(request);
  TRY_ASSIGN(const Json body, body_json(request));
  tracking::RunQuery query;
  TRY_ASSIGN(query.experiment_ids, ids_of(s, project, body["experiments"]));
  query.filter = body["filter"].as_string();
  for (const auto& term : body["order_by"].items()) query.order_by.push_back(term.as_string());
  query.limit = static_cast<std::size_t>(
      std::clamp<std::int64_t>(body["limit"].as_int(100), 0, std::int64_t{kMostRuns}));
  query.after = body["after"].as_string();
  const std::string view = body["view"].as_string_or("active");
  query.view = view == "deleted" ? tracking::View::kDeleted
               : view == "all"   ? tracking::View::kAll
                                 : tracking::View::kActive;
  Projection wanted;
  for (const auto& field : body["fields"].items()) wanted.fields.push_back(field.as_string());
  wanted.all = wanted.fields.empty();
  static constexpr std::string_view kValues[] = {"params", "tags", "metrics"};
  query.values =
      wanted.all ||
      std::any_of(wanted.fields.begin(), wanted.fields.end(), [](const std::string& field) {
        return std::any_of(std::begin(kValues), std::end(kValues),
                           [&](std::string_view one) { return field.rfind(one, 0) == 0; });
      });
  TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project, query));
  std::map<std::string, std::string> names;
  Json rows = Json::array();
  for (const auto& run : page.runs) {
    auto [found, fresh] = names.try_emplace(run.experiment_id);
    if (fresh) {
      TRY_ASSIGN(const auto one, s.tracking->runs().get_experiment(run.experiment_id));
      found->second = one.name;
    }
    rows.push(run_row(run, found->second, wanted));
  }
  return answer(Json::object(
      {{"runs", rows}, {"total", count(page.total)}, {"next_after", page.next_after}}));
}

// ---- in and out -----------------------------------------------------------------------------------

Result<Response> import_tracking(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  tracking::ImportOptions options;
  options.project = project_of(request);
  options.path = body["path"].as_string();
  options.kind = body["kind"].as_string();
  options.artifact_root = body["artifact_root"].as_string();
  options.experiment = body["experiment"].as_string();
  TRY_ASSIGN(const auto report, s.tracking->transfer().import_from(options, context, {}));
  TRY(audit(s, context, "tracking.import", report.path,
            std::to_string(report.written.runs) + " runs from " + report.kind));
  return answer(report.json(), 201);
}

Result<Response> export_tracking(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string format = body["format"].as_string_or("mlruns");
  TRY_ASSIGN(auto ids, ids_of(s, project_of(request), body["experiments"]));
  if (format == "parquet") {
    TRY_ASSIGN(Json out,
               export_parquet(s, {project_of(request), body["path"].as_string(), std::move(ids)},
                              context));
    return answer(std::move(out), 201);
  }
  if (format != "mlruns")
    return base::fail(Code::kInvalidArgument, "not a format of an export: " + format,
                      "mlruns or parquet");
  tracking::ExportOptions options;
  options.project = project_of(request);
  options.path = body["path"].as_string();
  options.experiments = std::move(ids);
  TRY_ASSIGN(const auto report, s.tracking->transfer().export_to(options, context, {}));
  return answer(report.json(), 201);
}

Result<Response> put_artifact(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto writer, s.tracking->artifacts().create(std::string(request.param("run")),
                                                               std::string(request.param("path"))));
  if (request.body_stream) {
    for (;;) {
      TRY_ASSIGN(auto piece, request.body_stream->next());
      if (piece.bytes.empty()) break;
      TRY(writer->write_owned(piece.bytes, std::move(piece.owner)));
    }
  } else {
    TRY(writer->write(request.body));
  }
  TRY_ASSIGN(const auto stored, writer->commit());
  return answer(Json::object(
      {{"path", stored.path}, {"sha256", stored.sha256}, {"bytes", count(stored.bytes)}}));
}

Result<Response> list_artifacts(const Services& s, const Request& request) {
  const std::string id(request.param("run"));
  TRY(s.tracking->runs().get_run(id));
  TRY_ASSIGN(const auto files, s.tracking->artifacts().list_artifacts(id));
  Json out = Json::array();
  for (const auto& file : files)
    out.push(
        Json::object({{"path", file.path}, {"sha256", file.sha256}, {"bytes", count(file.bytes)}}));
  return answer(Json::object({{"run", id}, {"artifacts", out}}));
}

}  // namespace

void add_tracking_routes(Router& router, const Services& s) {
  const auto change = [s](base::Status (tracking::Runs::*method)(const std::string&)) {
    return [s, method](const Request& request, Context&) -> Result<Response> {
      TRY_ASSIGN(const auto one, named(s, request));
      TRY((s.tracking->runs().*method)(one.id));
      TRY_ASSIGN(const auto now, s.tracking->runs().get_experiment(one.id));
      return answer(experiment_row(now));
    };
  };
  const auto change_run = [s](base::Status (tracking::Runs::*method)(const std::string&)) {
    return [s, method](const Request& request, Context&) -> Result<Response> {
      const std::string id(request.param("run"));
      TRY((s.tracking->runs().*method)(id));
      TRY_ASSIGN(const auto now, s.tracking->runs().get_run(id));
      return answer(Json::object({{"id", now.id}, {"name", now.name}, {"state", now.state}}));
    };
  };
  router.add(Method::kPost, "/api/v1/experiments", {Permission::kWrite},
             [s](const Request& request, Context&) { return create_experiment(s, request); });
  // A name may have slashes, which no part of a path can have.
  router.add(Method::kGet, "/api/v1/experiments/by-name", {Permission::kRead},
             [s](const Request& request, Context&) {
               return show_experiment(s, request, std::string(request.query_param("name")));
             });
  router.add(Method::kGet, "/api/v1/experiments/{experiment}", {Permission::kRead},
             [s](const Request& request, Context&) {
               return show_experiment(s, request, std::string(request.param("experiment")));
             });
  router.add(Method::kPatch, "/api/v1/experiments/{experiment}", {Permission::kWrite},
             [s](const Request& request, Context&) -> Result<Response> {
               TRY_ASSIGN(const Json body, body_json(request));
               TRY_ASSIGN(const auto one, named(s, request));
               TRY(s.tracking->runs().rename_experiment(one.id, body["name"].as_string()));
               TRY_ASSIGN(const auto now, s.tracking->runs().get_experiment(one.id));
               return answer(experiment_row(now));
             });
  router.add(Method::kDelete, "/api/v1/experiments/{experiment}", {Permission::kWrite},
             change(&tracking::Runs::delete_experiment));
  router.add(Method::kPost, "/api/v1/experiments/{experiment}/restore", {Permission::kWrite},
             change(&tracking::Runs::restore_experiment));
  router.add(Method::kPost, "/api/v1/run-searches", {Permission::kRead},
             [s](const Request& request, Context&) { return search_runs(s, request); });
  router.add(Method::kDelete, "/api/v1/experiment-runs/{run}", {Permission::kWrite},
             change_run(&tracking::Runs::delete_run));
  router.add(Method::kPost, "/api/v1/experiment-runs/{run}/restore", {Permission::kWrite},
             change_run(&tracking::Runs::restore_run));
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}/artifacts", {Permission::kRead},
             [s](const Request& request, Context&) { return list_artifacts(s, request); });
  http::RouteOptions upload{Permission::kWrite};
  upload.stream_body = true;
  upload.max_body_bytes = std::size_t{1} << 50;
  router.add(Method::kPut, "/api/v1/experiment-runs/{run}/artifacts/{path...}", upload,
             [s](const Request& request, Context&) { return put_artifact(s, request); });
  router.add(Method::kGet, "/api/v1/trash", {Permission::kRead},
             [s](const Request& request, Context&) { return list_trash(s, request); });
  router.add(Method::kPost, "/api/v1/trash/restore", {Permission::kWrite},
             [s](const Request& request, Context&) { return restore_trash(s, request); });
  router.add(
      Method::kPost, "/api/v1/trash/empty", {Permission::kAdmin, RunOn::kWork},
      [s](const Request& request, Context& context) { return empty_trash(s, request, context); });
  router.add(Method::kPost, "/api/v1/tracking/imports", {Permission::kAdmin, RunOn::kWork},
             [s](const Request& request, Context& context) {
               return import_tracking(s, request, context);
             });
  router.add(Method::kPost, "/api/v1/tracking/exports", {Permission::kAdmin, RunOn::kWork},
             [s](const Request& request, Context& context) {
               return export_tracking(s, request, context);
             });
}

}  // namespace maru::api
