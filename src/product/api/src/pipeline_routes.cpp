#include <algorithm>
#include <map>

#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kRecentRuns = 24;
constexpr std::size_t kScannedRuns = 500;

double seconds_between(std::int64_t from_us, std::int64_t to_us) {
  return from_us > 0 && to_us >= from_us ? static_cast<double>(to_us - from_us) / 1e6 : 0;
}

Json task_json(const pipeline::TaskRun& task) {
  return Json::object({{"name", task.name},
                       {"kind", task.kind},
                       {"state", std::string(pipeline::state_name(task.state))},
                       {"attempts", task.attempts},
                       {"cached", task.cached},
                       {"cache_key", task.cache_key},
                       {"queued_us", task.queued_us},
                       {"started_us", task.started_us},
                       {"finished_us", task.finished_us},
                       {"seconds", seconds_between(task.started_us, task.finished_us)},
                       {"after", text_array(task.after)},
                       {"params", task.params},
                       {"outputs", task.outputs},
                       {"error", task.error},
                       {"hint", task.hint},
                       {"error_code", task.error_code},
                       {"progress", task.progress},
                       {"progress_stage", task.progress_stage},
                       {"progress_detail", task.progress_detail}});
}

Json run_row(const pipeline::Run& run) {
  Json tasks = Json::array();
  for (const auto& task : run.tasks) {
    tasks.push(Json::object({{"name", task.name},
                             {"state", std::string(pipeline::state_name(task.state))},
                             {"seconds", seconds_between(task.started_us, task.finished_us)}}));
  }
  return Json::object({{"id", run.id},
                       {"pipeline", run.pipeline},
                       {"state", std::string(pipeline::state_name(run.state))},
                       {"trigger", run.trigger},
                       {"created_us", run.created_us},
                       {"started_us", run.started_us},
                       {"finished_us", run.finished_us},
                       {"seconds", seconds_between(run.started_us, run.finished_us)},
                       {"error", run.error},
                       {"tasks", tasks}});
}

Json brief(const pipeline::Run& run) {
  return Json::object({{"id", run.id},
                       {"state", std::string(pipeline::state_name(run.state))},
                       {"created_us", run.created_us},
                       {"seconds", seconds_between(run.started_us, run.finished_us)},
                       {"trigger", run.trigger}});
}

base::Result<Response> list_pipelines(const Services& s, const Request& request) {
  const std::string project = project_of(request);
  TRY_ASSIGN(const auto runs, s.scheduler->list(project, "", kScannedRuns, 0));
  TRY_ASSIGN(const auto schedules, s.scheduling->list(project));
  std::map<std::string, std::vector<const pipeline::Run*>> by_name;  // newest first
  for (const auto& run : runs) by_name[run.pipeline].push_back(&run);
  for (const auto& schedule : schedules) by_name[schedule.name];
  Json out = Json::array();
  for (const auto& [name, list] : by_name) {
    Json recent = Json::array();
    for (std::size_t i = std::min(kRecentRuns, list.size()); i > 0; --i)
      recent.push(brief(*list[i - 1]));
    Json row = Json::object({{"name", name},
                             {"runs", count(list.size())},
                             {"last", list.empty() ? Json() : brief(*list.front())},
                             {"recent", recent},
                             {"schedule", nullptr}});
    for (const auto& schedule : schedules) {
      if (schedule.name == name)
        row.set("schedule",
                Json::object({{"cron", schedule.cron}, {"next_tick_us", schedule.next_tick_us}}));
    }
    out.push(std::move(row));
  }
  return answer(Json::object({{"pipelines", out}}));
}

base::Result<Response> list_runs(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto limit, number_param(request, "limit", 50, 1000));
  TRY_ASSIGN(const auto offset, number_param(request, "offset", 0, 1'000'000'000));
  const std::string name(request.param("pipeline"));
  TRY_ASSIGN(const auto runs, s.scheduler->list(project_of(request), name, limit, offset));
  if (runs.empty() && offset == 0)
    return base::fail(base::Code::kNotFound, "no pipeline has this name: " + name,
                      "see `maru pipeline list`");
  Json out = Json::array();
  for (const auto& run : runs) out.push(run_row(run));
  return answer(Json::object({{"runs", out}, {"total", count(offset + runs.size())}}));
}

base::Result<Response> run_again(const Services& s, const Request& request) {
  const std::string project = project_of(request), name(request.param("pipeline"));
  TRY_ASSIGN(const auto runs, s.scheduler->list(project, name, 1, 0));
  if (runs.empty()) return base::fail(base::Code::kNotFound, "no pipeline has this name: " + name);
  TRY_ASSIGN(const auto last, s.scheduler->get(runs.front().id));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(
      const std::string id,
      s.scheduler->submit(project, last.spec,
                          body.has("parameters") ? body["parameters"] : last.parameters, "api"));
  TRY_ASSIGN(const auto run, s.scheduler->get(id));
  return answer(run_json(run), 201);
}

base::Result<Response> get_logs(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto from, number_param(request, "from", 0, UINT64_MAX / 2));
  TRY_ASSIGN(std::string text, s.scheduler->logs(std::string(request.param("run")),
                                                 std::string(request.query_param("task")), from));
  const auto next = from + text.size();
  return answer(Json::object({{"text", std::move(text)}, {"next", count(next)}}));
}

base::Result<Response> submit_project(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const std::string id, s.submit_project(body, context));
  TRY_ASSIGN(const auto run, s.scheduler->get(id));
  return answer(run_json(run), 201);
}

}  // namespace

Json run_json(const pipeline::Run& run) {
  Json tasks = Json::array();
  for (const auto& task : run.tasks) tasks.push(task_json(task));
  return Json::object({{"id", run.id},
                       {"project", run.project},
                       {"pipeline", run.pipeline},
                       {"state", std::string(pipeline::state_name(run.state))},
                       {"trigger", run.trigger},
                       {"created_us", run.created_us},
                       {"started_us", run.started_us},
                       {"finished_us", run.finished_us},
                       {"seconds", seconds_between(run.started_us, run.finished_us)},
                       {"error", run.error},
                       {"parameters", run.parameters},
                       {"tasks", tasks}});
}

void add_pipeline_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/pipelines", {Permission::kRead},
             [s](const Request& request, Context&) { return list_pipelines(s, request); });
  router.add(Method::kGet, "/api/v1/pipelines/{pipeline}/runs", {Permission::kRead},
             [s](const Request& request, Context&) { return list_runs(s, request); });
  router.add(Method::kPost, "/api/v1/pipelines/{pipeline}/runs", {Permission::kWrite},
             [s](const Request& request, Context&) { return run_again(s, request); });
  router.add(Method::kPost, "/api/v1/project-runs", {Permission::kOperate},
             [s](const Request& request, Context& context) {
               return submit_project(s, request, context);
             });
  router.add(Method::kPost, "/api/v1/init", {Permission::kOperate, RunOn::kWork},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               TRY_ASSIGN(const Json body, body_json(request));
               TRY_ASSIGN(Json result, s.init_project(body, context));
               return answer(std::move(result));
             });
  router.add(Method::kGet, "/api/v1/pipeline-runs/{run}", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto run, s.scheduler->get(std::string(request.param("run"))));
               return answer(run_json(run));
             });
  router.add(Method::kGet, "/api/v1/pipeline-runs/{run}/logs", {Permission::kRead},
             [s](const Request& request, Context&) { return get_logs(s, request); });
  const auto change = [s](base::Status (pipeline::Scheduler::*method)(const std::string&)) {
    return [s, method](const Request& request, Context&) -> base::Result<Response> {
      const std::string id(request.param("run"));
      TRY((s.scheduler->*method)(id));
      TRY_ASSIGN(const auto run, s.scheduler->get(id));
      return answer(run_json(run));
    };
  };
  router.add(Method::kPost, "/api/v1/pipeline-runs/{run}/retry", {Permission::kWrite},
             change(&pipeline::Scheduler::retry));
  router.add(Method::kPost, "/api/v1/pipeline-runs/{run}/cancel", {Permission::kWrite},
             change(&pipeline::Scheduler::cancel));
}

}  // namespace maru::api
