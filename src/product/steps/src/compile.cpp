#include <algorithm>

#include "maru/base/text.h"
#include "maru/steps/project_file.h"

namespace maru::steps {
namespace {

using base::Json;
using pipeline::TaskSpec;

Json texts(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const auto& value : values) out.push(value);
  return out;
}

// Task names are [a-z0-9_-]+; entry names may be anything.
std::string task_name(const std::string& prefix, const std::string& name) {
  std::string out = prefix;
  for (const char c : base::to_lower_ascii(name)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    out += plain ? c : '_';
  }
  return out;
}

TaskSpec task(std::string name, std::string kind, Json params, std::vector<std::string> after,
              bool cache) {
  TaskSpec out;
  out.name = std::move(name);
  out.kind = std::move(kind);
  out.params = std::move(params);
  out.after = std::move(after);
  out.cache = cache;
  return out;
}

TaskSpec ingest_task(const SourceEntry& entry) {
  Json params = Json::object({{"dataset", entry.name}, {"sources", texts(entry.sources)}});
  if (!entry.detect_header) params.set("header", entry.header);
  if (!entry.ragged.empty()) params.set("ragged", entry.ragged);
  if (!entry.encoding.empty()) params.set("encoding", entry.encoding);
  // Never cached: files behind a path change. Unchanged content gives the same snapshot, so what follows is.
  return task(task_name("ingest-", entry.name), "maru/ingest", std::move(params), {}, false);
}

// What both the learner and everything that re-reads its rows must agree on.
Json rows_params(const ProjectFile& file) {
  return Json::object({{"label", file.label},
                       {"task", file.task},
                       {"time", file.split_by},
                       {"test_share", file.test_share},
                       {"valid_share", file.valid_share},
                       {"seed", static_cast<std::int64_t>(file.seed)},
                       {"exclude", texts(file.exclude)},
                       {"allow", texts(file.allow)}});
}

Json train_params(const ProjectFile& file) {
  Json out = rows_params(file);
  out.set("model", file.model);
  out.set("experiment", file.project);
  out.set("budget_seconds", file.budget_seconds);
  out.set("metric", file.metric);
  out.set("learners", texts(file.learners));
  out.set("max_trials", file.max_trials);
  if (!file.postprocess.is_null()) out.set("postprocess", file.postprocess);
  return out;
}

Json evaluate_params(const ProjectFile& file) {
  Json out = rows_params(file);
  out.set("model", file.model);
  out.set("metric", file.metric);
  out.set("slices", texts(file.slices));
  out.set("gates", file.gates);
  return out;
}

Json watch_params(const ProjectFile& file) {
  Json out = rows_params(file);
  out.set("endpoint", file.endpoint);
  out.set("model", file.model);
  out.set("window_us", file.window_us);
  out.set("window_rows", static_cast<std::int64_t>(file.window_rows));
  out.set("label_delay_us", file.label_delay_us);
  out.set("drift_columns", texts(file.drift_columns));
  out.set("retrain_on_drift", file.retrain_on_drift);
  out.set("retrain_on_performance", file.retrain_on_performance);
  out.set("cooldown_us", file.cooldown_us);
  return out;
}

}  // namespace

base::Result<pipeline::PipelineSpec> compile_project(const ProjectFile& file) {
  pipeline::PipelineSpec spec;
  spec.name = file.project;
  std::vector<std::string> ingests;
  std::string rows_task;
  for (const auto& entry : file.data) {
    if (!entry.sql.empty()) continue;
    spec.tasks.push_back(ingest_task(entry));
    ingests.push_back(spec.tasks.back().name);
    rows_task = spec.tasks.back().name;
  }
  const SourceEntry& training = file.training();
  if (!training.sql.empty()) {
    rows_task = "join";
    spec.tasks.push_back(task(rows_task, "maru/join",
                              Json::object({{"dataset", training.name}, {"sql", training.sql}}),
                              ingests, true));
  } else {
    rows_task = task_name("ingest-", training.name);
  }
  for (const auto& entry : file.data) {
    if (!entry.sql.empty() && &entry != &training) {
      return base::fail(base::Code::kInvalidArgument,
                        "project file: only `training` may use `sql`, not `" + entry.name + "`");
    }
  }
  spec.tasks.push_back(task("profile", "maru/profile", Json::object(), {rows_task}, true));
  spec.tasks.push_back(task("validate", "maru/validate", rows_params(file), {"profile"}, false));
  spec.tasks.push_back(task("train", "maru/train", train_params(file), {"validate"}, true));
  spec.tasks.push_back(
      task("register", "maru/register", Json::object({{"model", file.model}}), {"train"}, true));
  spec.tasks.push_back(
      task("evaluate", "maru/evaluate", evaluate_params(file), {"register"}, false));
  const Json release =
      Json::object({{"endpoint", file.endpoint}, {"model", file.model}, {"rollout", file.rollout}});
  spec.tasks.push_back(task("promote", "maru/promote", release, {"evaluate"}, false));
  if (!file.endpoint.empty()) {
    Json deploy = release;
    spec.tasks.push_back(task("deploy", "maru/deploy", std::move(deploy), {"promote"}, false));
    spec.tasks.push_back(task("watch", "maru/watch", watch_params(file), {"deploy"}, false));
  }
  TRY(spec.validate());
  return spec;
}

}  // namespace maru::steps
