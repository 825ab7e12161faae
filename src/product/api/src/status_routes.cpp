#include <algorithm>
#include <cmath>
#include <optional>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/base/usage.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kReadsAmongChanges = 8;  // entries looked at for each that changed something
constexpr std::size_t kChanges = 20;
constexpr std::size_t kRecentRuns = 50;
constexpr std::int64_t kInboxAgeUs = 7ll * 86'400'000'000;

// One plank of the home page's floor.
struct Stage {
  std::string key, state = "idle", value, unit, href;
  std::int64_t time_us = 0;
};

// Everything the home page speaks about, read once.
struct Overview {
  std::string project;
  std::vector<data::DatasetInfo> datasets;
  std::vector<tracking::Model> models;
  std::vector<serve::EndpointStatus> endpoints;
  std::vector<monitor::Alert> alerts;
  std::vector<pipeline::Run> runs;  // newest first
  std::vector<monitor::MonitorConfig> watched;
};

base::Result<Overview> read_overview(const Services& s, const std::string& project) {
  Overview out;
  out.project = project;
  TRY_ASSIGN(out.datasets, s.datasets->list(project));
  TRY_ASSIGN(out.models, s.tracking->registry().list_models(project));
  TRY_ASSIGN(out.alerts, s.monitor->alerts(project, 100));
  TRY_ASSIGN(out.runs, s.scheduler->list(project, "", kRecentRuns, 0));
  TRY_ASSIGN(out.watched, s.monitor->watched(project));
  out.endpoints = s.server->list();
  return out;
}

std::string stage_of(const std::string& kind) {
  if (kind == "maru/ingest" || kind == "maru/join") return "ingest";
  if (kind == "maru/promote" || kind == "maru/deploy") return "serve";
  if (kind == "maru/watch") return "monitor";
  return kind.rfind("maru/", 0) == 0 ? kind.substr(5) : kind;
}

// State and age of a stage from the newest run that has such a task.
void from_runs(const Overview& overview, Stage& stage) {
  for (const auto& run : overview.runs) {
    for (const auto& task : run.tasks) {
      if (stage_of(task.kind) != stage.key || task.state == pipeline::State::kPending) continue;
      stage.href = "/p/" + overview.project + "/pipelines/" + run.pipeline + "/" + run.id +
                   "?task=" + task.name;
      stage.time_us = task.finished_us > 0 ? task.finished_us : run.created_us;
      stage.state = task.state == pipeline::State::kRunning  ? "run"
                    : task.state == pipeline::State::kFailed ? "bad"
                    : pipeline::is_final(task.state)         ? "ok"
                                                             : "run";
      return;
    }
  }
}

struct Findings {
  std::int64_t errors = 0, warnings = 0;
};

// What the check of a snapshot against its rules found; nothing when it was never checked.
std::optional<Findings> findings(const Services& s, const std::string& snapshot) {
  const auto anomalies = s.datasets->attachment(snapshot, "anomalies");
  if (!anomalies || !anomalies->is_array()) return std::nullopt;
  Findings out;
  for (const auto& item : anomalies->items())
    ++(item["severity"].as_string() == "error" ? out.errors : out.warnings);
  return out;
}

void add_data_values(const Services& s, const Overview& o, std::vector<Stage>& stages) {
  std::uint64_t rows = 0, columns = 0;
  std::int64_t errors = 0, found = 0;
  bool checked = false;
  for (const auto& dataset : o.datasets) {
    if (dataset.snapshots.empty()) continue;
    rows += dataset.snapshots.front().rows;
    columns += dataset.snapshots.front().columns.size();
    const auto one = findings(s, dataset.snapshots.front().id);
    if (!one) continue;
    checked = true;
    errors += one->errors;
    found += one->errors + one->warnings;
  }
  if (o.datasets.empty()) return;
  stages[0].value = base::format_count(static_cast<std::int64_t>(rows));
  stages[0].unit = "rows";
  stages[0].state = stages[0].state == "idle" ? "ok" : stages[0].state;
  stages[1].value = std::to_string(columns);
  stages[1].unit = "columns";
  if (!checked) return;
  stages[2].value = std::to_string(found);
  stages[2].unit = found == 1 ? "anomaly" : "anomalies";
  if (stages[2].state == "ok" && errors > 0) stages[2].state = "bad";
}

void add_model_values(const Overview& o, std::vector<Stage>& stages) {
  if (o.models.empty() || o.models.front().versions.empty()) return;
  const auto& model = o.models.front();
  const auto& newest = model.versions.front();
  const std::string metric = newest.card["metric"].as_string_or(primary_metric(model.task));
  stages[3].value = std::to_string(newest.card["features"].size());
  stages[3].unit = "features";
  if (stages[3].state == "idle") stages[3].state = stages[4].state;
  stages[3].time_us = stages[4].time_us;
  stages[4].value = std::to_string(newest.card["leaderboard"].size());
  stages[4].unit = newest.card["leaderboard"].size() == 1 ? "trial" : "trials";
  stages[5].value = newest.metrics.has(metric)
                        ? base::format_fixed(newest.metrics[metric]["value"].as_double(), 3)
                        : "";
  stages[5].unit = metric;
  stages[6].value = "v" + std::to_string(newest.version);
  stages[6].unit = model.name;
  stages[6].href = "/p/" + o.project + "/models/" + model.name;
}

void add_serving_values(const Overview& o, std::vector<Stage>& stages) {
  if (!o.endpoints.empty()) {
    const auto& endpoint = o.endpoints.front();
    stages[7].value = base::format_double(std::round(endpoint.latency.per_second * 10) / 10);
    stages[7].unit = "/s";
    stages[7].state = endpoint.state == "ready"     ? "ok"
                      : endpoint.state == "loading" ? "run"
                                                    : "bad";
    stages[7].href = "/p/" + o.project + "/endpoints/" + endpoint.config.name;
  }
  const auto open = std::count_if(o.alerts.begin(), o.alerts.end(),
                                  [](const monitor::Alert& a) { return !a.acknowledged; });
  if (!o.watched.empty()) {
    stages[8].value = std::to_string(open);
    stages[8].unit = open == 1 ? "alert" : "alerts";
    stages[8].state = open > 0 ? "warn" : "ok";
    stages[8].href = "/p/" + o.project + "/monitor";
  }
  for (const auto& run : o.runs) {
    if (run.trigger.rfind("monitor:", 0) != 0) continue;
    stages[9].value = std::string(pipeline::state_name(run.state));
    stages[9].state = run.state == pipeline::State::kSucceeded ? "ok"
                      : run.state == pipeline::State::kFailed  ? "bad"
                                                               : "run";
    stages[9].time_us = run.created_us;
    stages[9].href = "/p/" + o.project + "/pipelines/" + run.pipeline + "/" + run.id;
    break;
  }
}

Json stages_json(const Services& s, const Overview& overview) {
  std::vector<Stage> stages;
  for (const char* key : {"ingest", "profile", "validate", "transform", "train", "evaluate",
                          "register", "serve", "monitor", "retrain"}) {
    Stage stage;
    stage.key = key;
    from_runs(overview, stage);
    stages.push_back(std::move(stage));
  }
  add_data_values(s, overview, stages);
  add_model_values(overview, stages);
  add_serving_values(overview, stages);
  Json out = Json::array();
  const std::int64_t now_us = s.clock->now_us();
  for (const auto& stage : stages) {
    out.push(Json::object({{"key", stage.key},
                           {"state", stage.state},
                           {"value", stage.value},
                           {"unit", stage.unit},
                           {"age_us", stage.time_us > 0 ? Json(now_us - stage.time_us) : Json()},
                           {"href", stage.href.empty() ? Json() : Json(stage.href)}}));
  }
  return out;
}

Json datasets_json(const Services& s, const Overview& overview) {
  Json out = Json::array();
  for (const auto& dataset : overview.datasets) {
    if (dataset.snapshots.empty()) continue;
    const auto& latest = dataset.snapshots.front();
    const auto [errors, warnings] = findings(s, latest.id).value_or(Findings{});
    out.push(Json::object({{"name", dataset.name},
                           {"number", latest.number},
                           {"rows", count(latest.rows)},
                           {"errors", errors},
                           {"warnings", warnings},
                           {"updated_us", dataset.updated_us}}));
  }
  return out;
}

Json endpoints_json(const Services& s, const Overview& overview) {
  Json out = Json::array();
  for (const auto& endpoint : overview.endpoints) {
    const int version = endpoint.arms.empty() ? 0 : endpoint.arms.front().version;
    std::uint64_t requests = 0, errors = 0;  // since the start, idle or not
    for (const auto& arm : endpoint.arms) {
      requests += arm.requests;
      errors += arm.errors;
    }
    Json row = Json::object({{"name", endpoint.config.name},
                             {"model", endpoint.config.model},
                             {"version", version},
                             {"state", endpoint.state},
                             {"per_second", endpoint.latency.per_second},
                             {"p50_us", endpoint.latency.p50_us},
                             {"p99_us", endpoint.latency.p99_us},
                             {"requests", count(requests)},
                             {"errors", count(errors)},
                             {"realised", nullptr},
                             {"reference", nullptr},
                             {"metric", ""},
                             {"drifting", 0}});
    for (const auto& config : overview.watched) {
      if (config.endpoint != endpoint.config.name) continue;
      row.set("metric", config.metric).set("reference", config.reference_metric);
      auto windows = s.monitor->windows(config.endpoint, 1);
      if (!windows || windows->empty()) continue;
      const auto& newest = windows->front();
      if (newest.labelled > 0 && std::isfinite(newest.realised))
        row.set("realised", newest.realised);
      row.set("drifting", count(static_cast<std::uint64_t>(std::count_if(
                              newest.report.columns.begin(), newest.report.columns.end(),
                              [](const auto& c) { return c.drift; }))));
    }
    out.push(std::move(row));
  }
  return out;
}

Json models_json(const Overview& overview) {
  Json out = Json::array();
  for (const auto& model : overview.models) {
    const auto champion = model.aliases.find("champion");
    Json row = Json::object(
        {{"name", model.name},
         {"champion", champion == model.aliases.end() ? Json() : Json(champion->second)},
         {"versions", count(model.versions.size())}});
    for (const auto& version : model.versions) {
      if (champion != model.aliases.end() && version.version != champion->second) continue;
      const std::string metric = version.card["metric"].as_string_or(primary_metric(model.task));
      row.set("metric", metric)
          .set("value", version.metrics[metric]["value"])
          .set("low", version.metrics[metric]["low"])
          .set("high", version.metrics[metric]["high"]);
      break;
    }
    out.push(std::move(row));
  }
  return out;
}

Json inbox_item(const std::string& id, const char* kind, const char* severity,
                const std::string& title, const std::string& detail, const std::string& href,
                std::int64_t time_us) {
  return Json::object({{"id", id},
                       {"kind", kind},
                       {"severity", severity},
                       {"title", title},
                       {"detail", detail},
                       {"href", href},
                       {"time_us", time_us}});
}

// One item an endpoint and kind: the newest open alert, and how many are open.
void add_alerts(const Overview& overview, std::int64_t oldest_us, Json& out) {
  struct Group {
    const monitor::Alert* newest = nullptr;
    std::int64_t open = 0;
  };
  std::vector<Group> groups;
  for (const auto& alert : overview.alerts) {
    if (alert.acknowledged || alert.time_us < oldest_us) continue;
    auto at = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.newest->endpoint == alert.endpoint && g.newest->kind == alert.kind;
    });
    if (at == groups.end()) at = groups.insert(groups.end(), Group{&alert, 0});
    if (alert.time_us > at->newest->time_us) at->newest = &alert;
    ++at->open;
  }
  for (const Group& group : groups) {
    const monitor::Alert& alert = *group.newest;
    Json columns = Json::array();
    for (const std::string& name : alert.columns) columns.push(name);
    Json item =
        inbox_item(alert.id, "alert", alert.severity == "error" ? "bad" : "warn", alert.message,
                   base::join(alert.columns, ", "),
                   "/p/" + overview.project + "/endpoints/" + alert.endpoint, alert.time_us);
    item.set("endpoint", alert.endpoint)
        .set("alert_kind", alert.kind)
        .set("columns", columns)
        .set("count", group.open)
        .set("evidence", alert.kind == "performance" ? alert.evidence : Json());
    out.push(std::move(item));
  }
}

Json inbox_json(const Services& s, const Overview& overview) {
  Json out = Json::array();
  const std::int64_t oldest_us = s.clock->now_us() - kInboxAgeUs;
  const std::string prefix = "/p/" + overview.project;
  add_alerts(overview, oldest_us, out);
  std::vector<std::string> seen;  // only the newest run of a pipeline counts
  for (const auto& run : overview.runs) {
    if (std::find(seen.begin(), seen.end(), run.pipeline) != seen.end()) continue;
    seen.push_back(run.pipeline);
    if (run.state != pipeline::State::kFailed) continue;
    const bool refused = std::any_of(run.tasks.begin(), run.tasks.end(),
                                     [](const auto& t) { return t.error_code == "REFUSED"; });
    out.push(inbox_item(run.id, refused ? "blocked_data" : "failed_run", "bad", run.pipeline,
                        run.error, prefix + "/pipelines/" + run.pipeline + "/" + run.id,
                        run.finished_us));
  }
  for (const auto& model : overview.models) {
    if (model.versions.empty() || model.versions.front().reason.rfind("not promoted", 0) != 0)
      continue;
    const auto& version = model.versions.front();
    out.push(inbox_item(model.name, "gate", "warn",
                        model.name + " v" + std::to_string(version.version), version.reason,
                        prefix + "/models/" + model.name, version.created_us));
  }
  return out;
}

Json cost_json(const Services& s, const Overview& overview) {
  std::uint64_t predictions = 0;
  for (const auto& endpoint : overview.endpoints) {
    for (const auto& arm : endpoint.arms) predictions += arm.requests;
  }
  std::uint64_t disk = 0;
  for (const auto& dataset : overview.datasets) {
    disk += dataset.stored_bytes;
  }
  for (const auto& model : overview.models) {
    for (const auto& version : model.versions) disk += version.bytes;
  }
  double model_us = 0;
  for (const auto& endpoint : overview.endpoints)
    model_us = std::max(model_us, endpoint.latency.mean_us);
  const base::ProcessUsage usage = base::process_usage();
  return Json::object({{"cpu_seconds", usage.cpu_seconds + usage.children_cpu_seconds},
                       {"predictions", count(predictions)},
                       {"rss_bytes", count(usage.resident_bytes + usage.children_resident_bytes)},
                       {"processes", count(usage.children)},
                       {"disk_bytes", count(disk)},
                       {"disk_free_bytes", count(base::free_bytes(s.home))},
                       {"cpu_us_per_prediction", model_us}});
}

base::Result<Response> get_status(const Services& s, const Request& request) {
  TRY_ASSIGN(const Overview overview, read_overview(s, project_of(request)));
  TRY_ASSIGN(const auto log, s.tracking->audit_log(kChanges * kReadsAmongChanges));
  Json changes = Json::array();
  for (const auto& entry : log) {
    if (entry.action == "dataset.read" || changes.size() >= kChanges) continue;
    changes.push(Json::object({{"time_us", entry.time_us},
                               {"principal", entry.principal},
                               {"action", entry.action},
                               {"object", entry.object},
                               {"detail", entry.detail}}));
  }
  const Json inbox = inbox_json(s, overview);
  const bool bad = std::any_of(inbox.items().begin(), inbox.items().end(), [](const Json& item) {
    return item["severity"].as_string() == "bad";
  });
  const char* level = overview.datasets.empty() && overview.models.empty() ? "empty"
                      : bad                                                ? "bad"
                      : inbox.size() > 0                                   ? "warn"
                                                                           : "ok";
  return answer(Json::object(
      {{"project", overview.project},
       {"verdict", Json::object({{"level", level}, {"needs", count(inbox.size())}})},
       {"stages", stages_json(s, overview)},
       {"datasets", datasets_json(s, overview)},
       {"endpoints", endpoints_json(s, overview)},
       {"models", models_json(overview)},
       {"changes", changes},
       {"cost", cost_json(s, overview)},
       {"inbox", inbox},
       {"server", Json::object({{"version", s.version["version"]},
                                {"uptime_s", (s.clock->now_us() - s.started_us) / 1'000'000},
                                {"home", s.home}})}}));
}

}  // namespace

void add_status_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/status", {Permission::kRead},
             [s](const Request& request, Context&) { return get_status(s, request); });
  router.add(Method::kGet, "/api/v1/version", {Permission::kPublic, RunOn::kInline},
             [s](const Request&, Context&) { return answer(s.version); });
  router.add(Method::kGet, "/api/v1/openapi.json", {Permission::kPublic, RunOn::kInline},
             [s](const Request&, Context&) -> base::Result<Response> {
               return Response::json_text(std::string(s.openapi));
             });
  router.add(
      Method::kGet, "/healthz", {Permission::kPublic, RunOn::kInline},
      [](const Request&, Context&) -> base::Result<Response> { return Response::text("ok\n"); });
  router.add(Method::kGet, "/readyz", {Permission::kPublic, RunOn::kInline},
             [s](const Request&, Context&) -> base::Result<Response> {
               return s.ready() ? Response::text("ready\n") : Response::text("not ready\n", 503);
             });
}

}  // namespace maru::api
