#include <algorithm>
#include <map>

#include "maru/base/text.h"
#include "routes.h"

// Batch prediction: jobs are pipeline runs of one task of this kind, schedules are the pipeline room's.
namespace maru::api {
namespace {

using base::Code;

constexpr const char* kKind = "maru/batch";
constexpr std::size_t kScannedRuns = 1000;  // newest first; older jobs are found by their pipeline

bool is_batch(const std::vector<pipeline::TaskRun>& tasks) {
  return tasks.size() == 1 && tasks.front().kind == kKind;
}
bool is_batch(const pipeline::PipelineSpec& spec) {
  return spec.tasks.size() == 1 && spec.tasks.front().kind == kKind;
}

// The names of the common rhythms, beside cron.
base::Result<std::string> cron_of(const std::string& every) {
  static const std::map<std::string, std::string> kRhythms{
      {"30m", "*/30 * * * *"}, {"30min", "*/30 * * * *"}, {"hour", "0 * * * *"},
      {"1h", "0 * * * *"},     {"day", "0 0 * * *"},      {"1d", "0 0 * * *"},
      {"week", "0 0 * * 1"},   {"1w", "0 0 * * 1"}};
  if (const auto found = kRhythms.find(every); found != kRhythms.end()) return found->second;
  auto cron = pipeline::Cron::parse(every);
  if (!cron)
    return base::wrap(cron.error(), "`every` is no rhythm: " + every,
                      "30m, hour, day, week, or cron as `15 3 * * *` (UTC)");
  return every;
}

Json job_json(const pipeline::Run& run) {
  const pipeline::TaskRun& task = run.tasks.front();
  Json out = Json::object({{"id", run.id},
                           {"pipeline", run.pipeline},
                           {"state", std::string(pipeline::state_name(run.state))},
                           {"trigger", run.trigger},
                           {"created_us", run.created_us},
                           {"started_us", run.started_us},
                           {"finished_us", run.finished_us},
                           {"stage", task.progress_stage},
                           {"detail", task.progress_detail},
                           {"progress", task.progress},
                           {"error", task.error},
                           {"error_code", task.error_code},
                           {"hint", task.hint}});
  for (const char* key : {"model", "selector", "input", "output", "errors"})
    out.set(key, task.params[key]);
  for (const auto& [key, value] : task.outputs.members()) out.set(key, value);
  return out;
}

Json schedule_json(const pipeline::Schedule& schedule) {
  const Json& params = schedule.spec.tasks.front().params;
  Json out = Json::object({{"name", schedule.name.substr(sizeof "batch-" - 1)},
                           {"pipeline", schedule.name},
                           {"cron", schedule.cron},
                           {"enabled", schedule.enabled},
                           {"last_tick_us", schedule.last_tick_us},
                           {"next_tick_us", schedule.next_tick_us}});
  for (const char* key : {"model", "selector", "input", "output"}) out.set(key, params[key]);
  return out;
}

base::Status check_name(const std::string& name) {
  const bool good =
      !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (good) return {};
  return base::fail(Code::kInvalidArgument, "a schedule's name is of a-z, 0-9, _ and -: " +
                                                base::replace_invalid_utf8(name));
}

base::Result<Response> submit(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(Json body, body_json(request));
  const std::string project = project_of(request), model = body["model"].as_string();
  body.set("project", project);
  TRY_ASSIGN(const auto spec, s.batch_pipeline(body, "batch-" + model, false));
  TRY(audit(s, context, "batch.run", model, body["output"].as_string()));
  TRY_ASSIGN(const std::string id, s.scheduler->submit(project, spec, Json::object(),
                                                       body["trigger"].as_string_or("api")));
  TRY_ASSIGN(const auto run, s.scheduler->get(id));
  return answer(job_json(run), 201);
}

base::Result<Response> list_jobs(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto limit, number_param(request, "limit", 50, 500));
  const std::string project = project_of(request), model(request.query_param("model"));
  TRY_ASSIGN(const auto runs, s.scheduler->list(project, "", kScannedRuns, 0));
  Json jobs = Json::array();
  for (const auto& one : runs) {
    if (!is_batch(one.tasks) || jobs.size() >= limit) continue;
    TRY_ASSIGN(const auto run, s.scheduler->get(one.id));
    if (model.empty() || run.tasks.front().params["model"].as_string() == model)
      jobs.push(job_json(run));
  }
  TRY_ASSIGN(const auto schedules, s.scheduling->list(project));
  Json rhythms = Json::array();
  for (const auto& schedule : schedules)
    if (is_batch(schedule.spec) &&
        (model.empty() || schedule.spec.tasks.front().params["model"].as_string() == model))
      rhythms.push(schedule_json(schedule));
  return answer(Json::object({{"jobs", std::move(jobs)}, {"schedules", std::move(rhythms)}}));
}

base::Result<Response> get_job(const Services& s, const Request& request) {
  const std::string id(request.param("run"));
  TRY_ASSIGN(const auto run, s.scheduler->get(id));
  if (!is_batch(run.tasks))
    return base::fail(Code::kNotFound, "no batch has this id: " + id, "see `maru batch list`");
  return answer(job_json(run));
}

base::Result<Response> put_schedule(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(Json body, body_json(request));
  const std::string name(request.param("schedule"));
  TRY(check_name(name));
  pipeline::Schedule schedule;
  schedule.project = project_of(request);
  schedule.name = "batch-" + name;
  TRY_ASSIGN(schedule.cron, cron_of(body["every"].as_string()));
  body.set("project", schedule.project);
  TRY_ASSIGN(schedule.spec, s.batch_pipeline(body, schedule.name, true));
  TRY(s.scheduling->put(schedule));
  TRY(audit(s, context, "batch.schedule", name, schedule.cron));
  s.events->publish("project:" + schedule.project, R"({"type":"changed","kind":"run"})");
  TRY_ASSIGN(const auto all, s.scheduling->list(schedule.project));
  for (const auto& one : all)
    if (one.name == schedule.name) return answer(schedule_json(one));
  return base::fail(Code::kAborted, "the schedule was removed meanwhile: " + name);
}

base::Result<Response> remove_schedule(const Services& s, const Request& request,
                                       Context& context) {
  const std::string name(request.param("schedule")), project = project_of(request);
  TRY(s.scheduling->remove(project, "batch-" + name));
  TRY(audit(s, context, "batch.unschedule", name, ""));
  s.events->publish("project:" + project, R"({"type":"changed","kind":"run"})");
  return answer(Json::object({{"removed", name}}));
}

}  // namespace

void add_batch_routes(Router& router, const Services& s) {
  router.add(Method::kPost, "/api/v1/batch", {Permission::kOperate},
             [s](const Request& request, Context& context) { return submit(s, request, context); });
  router.add(Method::kGet, "/api/v1/batch", {Permission::kRead},
             [s](const Request& request, Context&) { return list_jobs(s, request); });
  router.add(Method::kGet, "/api/v1/batch/{run}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_job(s, request); });
  router.add(
      Method::kPut, "/api/v1/batch-schedules/{schedule}", {Permission::kOperate},
      [s](const Request& request, Context& context) { return put_schedule(s, request, context); });
  router.add(Method::kDelete, "/api/v1/batch-schedules/{schedule}", {Permission::kOperate},
             [s](const Request& request, Context& context) {
               return remove_schedule(s, request, context);
             });
}

}  // namespace maru::api
