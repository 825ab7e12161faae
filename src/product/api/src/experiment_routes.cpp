#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "maru/base/text.h"
#include "mlflow/artifact_files.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMostCompared = 500;
constexpr std::size_t kMostCurves = 2000;   // runs times keys of one question
constexpr std::int64_t kQuietUs = 250'000;  // between two events of one topic

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

// What an answer holds of the values: with no field all, else "metrics.KEY", "params.KEY" and "tags.KEY".
struct Fields {
  std::set<std::string> wanted;
  bool has(const char* kind, const std::string& key) const {
    return wanted.empty() || wanted.contains(std::string(kind) + "." + key);
  }
};

Json text_map(const tracking::Text& values, const char* kind, const Fields& fields) {
  Json out = Json::object();
  for (const auto& [key, value] : values)
    if (fields.has(kind, key)) out.set(key, value);
  return out;
}

Json tracked_run_json(const tracking::Run& run, const VersionsByRun& versions,
                      const Fields& fields = {}) {
  Json metrics = Json::object();
  for (const auto& [key, point] : run.latest)
    if (fields.has("metrics", key)) metrics.set(key, point.value);
  const auto version = versions.find(run.id);
  return Json::object({{"id", run.id},
                       {"name", run.name},
                       {"status", run.status},
                       {"source", run.source},
                       {"start_us", run.start_us},
                       {"end_us", run.end_us},
                       {"state", run.state},
                       {"user", run.user},
                       {"params", text_map(run.params, "params", fields)},
                       {"tags", text_map(run.tags, "tags", fields)},
                       {"metrics", metrics},
                       {"model_version", version == versions.end() ? Json() : version->second}});
}

base::Result<tracking::Experiment> find_experiment(const Services& s, const std::string& project,
                                                   std::string_view name) {
  const std::string wanted(name);
  if (auto found = s.tracking->runs().find_experiment(project, wanted)) return found;
  if (auto found = s.tracking->runs().get_experiment(wanted)) {
    if (found->project == project) return found;
  }
  return base::fail(base::Code::kNotFound, "no experiment has this name: " + std::string(name));
}

tracking::View view_of(const Request& request) {
  const std::string_view view = request.query_param("view");
  return view == "deleted" ? tracking::View::kDeleted
         : view == "all"   ? tracking::View::kAll
                           : tracking::View::kActive;
}

base::Result<Response> list_experiments(const Services& s, const Request& request) {
  tracking::ExperimentQuery which;
  which.view = view_of(request);
  which.order_by = {"name"};
  which.limit = 50'000;
  TRY_ASSIGN(const auto found, s.tracking->runs().search_experiments(project_of(request), which));
  Json rows = Json::array();
  for (const auto& experiment : found.experiments) {
    tracking::RunQuery query;
    query.experiment_ids = {experiment.id};
    query.limit = 1;
    query.values = false;
    query.view = which.view;
    TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project_of(request), query));
    rows.push(Json::object(
        {{"id", experiment.id},
         {"name", experiment.name},
         {"state", experiment.state},
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
  query.view = view_of(request);
  Fields fields;
  for (const auto& field : base::split(request.query_param("fields"), ','))
    if (!field.empty()) fields.wanted.insert(field);
  TRY_ASSIGN(query.limit, number_param(request, "limit", 100, 10'000));
  TRY_ASSIGN(query.offset, number_param(request, "offset", 0, 1'000'000'000));
  TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(project, query));
  TRY_ASSIGN(const auto versions, versions_by_run(s, project));
  std::set<std::string> metric_keys, param_keys;
  Json rows = Json::array();
  for (const auto& run : page.runs) {
    for (const auto& [key, point] : run.latest) metric_keys.insert(key);
    for (const auto& [key, value] : run.params) param_keys.insert(key);
    rows.push(tracked_run_json(run, versions, fields));
  }
  return answer(Json::object(
      {{"experiment", Json::object({{"id", experiment.id}, {"name", experiment.name}})},
       {"runs", rows},
       {"total", count(page.total)},
       {"metric_keys", text_array({metric_keys.begin(), metric_keys.end()})},
       {"param_keys", text_array({param_keys.begin(), param_keys.end()})}}));
}

Json datasets_json(const tracking::Run& run) {
  Json out = Json::array();
  for (const auto& input : run.datasets) {
    const auto context = input.tags.find("mlflow.data.context");
    out.push(Json::object({{"name", input.dataset.name},
                           {"digest", input.dataset.digest},
                           {"source_type", input.dataset.source_type},
                           {"source", input.dataset.source},
                           {"context", context == input.tags.end() ? "" : context->second}}));
  }
  return out;
}

// The logged models that the run read ("in") and wrote ("out").
Json models_json(const Services& s, const tracking::Run& run) {
  Json out = Json::array();
  const auto add = [&](const std::string& id, const char* direction) {
    const auto model = s.tracking->logged_models().get(id);
    out.push(Json::object({{"id", id},
                           {"name", model ? model->name : ""},
                           {"type", model ? model->model_type : ""},
                           {"status", model ? model->status : "deleted"},
                           {"direction", direction}}));
  };
  for (const auto& id : run.input_models) add(id, "in");
  for (const auto& model : run.output_models) add(model.model_id, "out");
  return out;
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
  out.set("artifact_uri", run.artifact_uri).set("datasets", datasets_json(run));
  out.set("models", models_json(s, run));
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

base::Result<Response> list_keys(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto experiment,
             find_experiment(s, project_of(request), request.param("experiment")));
  TRY_ASSIGN(const auto keys, s.tracking->runs().keys(experiment.id));
  return answer(Json::object({{"metrics", text_array(keys.metrics)},
                              {"params", text_array(keys.params)},
                              {"tags", text_array(keys.tags)}}));
}

base::Result<std::vector<std::string>> text_list(const Json& body, const char* name,
                                                 std::size_t most) {
  std::vector<std::string> out;
  for (const auto& item : body[name].items()) {
    if (!item.is_string())
      return base::fail(base::Code::kInvalidArgument, "not a list of texts: " + std::string(name));
    out.push_back(item.as_string());
  }
  if (out.empty() || out.size() > most)
    return base::fail(base::Code::kInvalidArgument, "`" + std::string(name) + "` must name 1 to " +
                                                        std::to_string(most) + ": " +
                                                        std::to_string(out.size()));
  return out;
}

base::Result<Response> compare_runs(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const auto ids, text_list(body, "runs", kMostCompared));
  TRY_ASSIGN(const auto versions, versions_by_run(s, project_of(request)));
  std::map<std::string, std::string> names;
  Json rows = Json::array(), missing = Json::array();
  for (const auto& id : ids) {
    const auto run = s.tracking->runs().get_run(id);
    if (!run) {
      if (run.error().code != base::Code::kNotFound) return tl::unexpected(run.error());
      missing.push(id);
      continue;
    }
    auto [name, fresh] = names.try_emplace(run->experiment_id);
    if (fresh) {
      TRY_ASSIGN(const auto experiment, s.tracking->runs().get_experiment(run->experiment_id));
      name->second = experiment.name;
    }
    Json row = tracked_run_json(*run, versions);
    row.set("experiment", Json::object({{"id", run->experiment_id}, {"name", name->second}}));
    rows.push(std::move(row));
  }
  return answer(Json::object({{"runs", rows}, {"missing", missing}}));
}

base::Result<Response> sample_metrics(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const auto ids, text_list(body, "runs", kMostCompared));
  TRY_ASSIGN(const auto keys, text_list(body, "keys", kMostCurves));
  if (ids.size() * keys.size() > kMostCurves)
    return base::fail(base::Code::kInvalidArgument,
                      "too many curves: " + std::to_string(ids.size() * keys.size()),
                      "at most " + std::to_string(kMostCurves) + " runs times keys");
  Json series = Json::array();
  for (const auto& key : keys) {
    tracking::SampleQuery query;
    query.run_ids = ids;
    query.key = key;
    query.limit =
        static_cast<std::size_t>(std::clamp<std::int64_t>(body["points"].as_int(320), 2, 10'000));
    TRY_ASSIGN(const auto points, s.tracking->runs().sample_metric(query));
    for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
      Json steps = Json::array(), values = Json::array(), times = Json::array();
      for (; end < points.size() && points[end].run_id == points[begin].run_id; ++end) {
        steps.push(points[end].step);
        values.push(points[end].value);
        times.push(points[end].time_ms);
      }
      series.push(Json::object({{"run", points[begin].run_id},
                                {"key", key},
                                {"steps", std::move(steps)},
                                {"values", std::move(values)},
                                {"times_ms", std::move(times)}}));
    }
  }
  return answer(Json::object({{"series", series}}));
}

base::Result<Response> edit_run(const Services& s, const Request& request, Context& context) {
  const std::string id(request.param("run"));
  TRY_ASSIGN(const Json body, body_json(request));
  tracking::RunBatch batch;
  std::vector<std::string> gone;
  for (const auto& [key, value] : body["tags"].members()) {
    if (value.is_null())
      gone.push_back(key);
    else if (value.is_string())
      batch.tags[key] = value.as_string();
    else
      return base::fail(base::Code::kInvalidArgument, "the value of a tag is no text: " + key,
                        "null removes a tag");
  }
  if (const std::string& name = body["name"].as_string(); !name.empty()) {
    tracking::RunUpdate update;
    update.name = name;
    TRY(s.tracking->runs().update_run(id, update));
  }
  if (!batch.tags.empty()) TRY(s.tracking->runs().log(id, batch));
  for (const auto& key : gone) TRY(s.tracking->runs().delete_tag(id, key));
  TRY(audit(s, context, "run.edit", id, ""));
  return get_run(s, request);
}

// Tells pages that a run or a trace changed: at most one event a topic and quarter of a second, so a page that was told looks again a little later.
class ChangeEvents {
 public:
  ChangeEvents(http::EventHub& hub, base::Clock& clock) : hub_(hub), clock_(clock) {}
  void run_changed(const std::string& experiment_id, const std::string& run_id) {
    const std::int64_t now_us = clock_.now_us();
    tell("run:" + run_id, now_us);
    tell("experiment:" + experiment_id, now_us);
  }
  void trace_changed(const std::string& experiment_id, const std::string& trace_id) {
    const std::int64_t now_us = clock_.now_us();
    tell("trace:" + trace_id, now_us);
    tell("traces:" + experiment_id, now_us);
  }

 private:
  void tell(const std::string& topic, std::int64_t now_us) {
    {
      const std::lock_guard lock(mutex_);
      if (told_us_.size() > kMostTopics) told_us_.clear();
      std::int64_t& told_us = told_us_[topic];
      if (now_us - told_us < kQuietUs && now_us >= told_us) return;
      told_us = now_us;
    }
    hub_.publish(topic, R"({"type":"changed"})");
  }

  static constexpr std::size_t kMostTopics = 10'000;
  http::EventHub& hub_;
  base::Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::int64_t> told_us_;
};

}  // namespace

void add_experiment_routes(Router& router, const Services& s) {
  std::shared_ptr<ChangeEvents> events;
  if (s.events != nullptr) {
    events = std::make_shared<ChangeEvents>(*s.events, *s.clock);
    // The routes own it: when they are gone nobody listens any more.
    s.tracking->runs().on_change([weak = std::weak_ptr(events)](const std::string& experiment_id,
                                                                const std::string& run_id) {
      if (const auto alive = weak.lock()) alive->run_changed(experiment_id, run_id);
    });
    s.tracking->traces().on_change([weak = std::weak_ptr(events)](const std::string& experiment_id,
                                                                  const std::string& trace_id) {
      if (const auto alive = weak.lock()) alive->trace_changed(experiment_id, trace_id);
    });
  }
  router.add(Method::kGet, "/api/v1/experiments/{experiment}/keys", {Permission::kRead},
             [s](const Request& request, Context&) { return list_keys(s, request); });
  router.add(Method::kPost, "/api/v1/run-comparisons", {Permission::kRead},
             [s](const Request& request, Context&) { return compare_runs(s, request); });
  router.add(Method::kPost, "/api/v1/metric-samples", {Permission::kRead},
             [s](const Request& request, Context&) { return sample_metrics(s, request); });
  router.add(Method::kPatch, "/api/v1/experiment-runs/{run}", {Permission::kWrite},
             [s, events](const Request& request, Context& context) {
               return edit_run(s, request, context);
             });
  router.add(Method::kGet, "/api/v1/experiments", {Permission::kRead},
             [s](const Request& request, Context&) { return list_experiments(s, request); });
  router.add(Method::kGet, "/api/v1/experiments/{experiment}/runs", {Permission::kRead},
             [s](const Request& request, Context&) { return list_runs(s, request); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_run(s, request); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}/metrics/{key...}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_metric(s, request); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}/artifacts/{path...}", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               // As an attachment: what users logged is never rendered as part of this site.
               TRY_ASSIGN(const std::string path, mlflow::safe_path(request.param("path")));
               return mlflow::send_artifact(s, request, {std::string(request.param("run")), path});
             });
}

}  // namespace maru::api
