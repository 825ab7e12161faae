#include <algorithm>
#include <map>
#include <set>

#include "maru/base/text.h"
#include "maru/pipeline/pipeline.h"

namespace maru::pipeline {
namespace {

using base::Code;
using base::Json;
using base::Status;

bool good_name(const std::string& name) {
  return !name.empty() && name.size() <= 250 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Status check_names(const PipelineSpec& spec, std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const auto& task : spec.tasks) {
    if (!good_name(task.name))
      return base::fail(Code::kInvalidArgument,
                        "task name must be of a-z, 0-9, _ and -: `" + task.name + "`");
    if (!seen.insert(task.name).second)
      return base::fail(Code::kInvalidArgument, "task name stands twice: " + task.name);
    if (task.kind.empty())
      return base::fail(Code::kInvalidArgument, "task has no kind: " + task.name);
    names.push_back(task.name);
  }
  return {};
}

// Kahn's algorithm; what is left over contains a cycle, which is then walked to be named.
Status check_cycles(const PipelineSpec& spec) {
  std::map<std::string, const TaskSpec*> by_name;
  for (const auto& task : spec.tasks) by_name[task.name] = &task;
  std::map<std::string, std::size_t> waiting;
  std::map<std::string, std::vector<std::string>> next;
  std::vector<std::string> ready;
  for (const auto& task : spec.tasks) {
    waiting[task.name] = task.after.size();
    if (task.after.empty()) ready.push_back(task.name);
    for (const auto& dependency : task.after) next[dependency].push_back(task.name);
  }
  std::size_t done = 0;
  while (!ready.empty()) {
    const std::string name = ready.back();
    ready.pop_back();
    ++done;
    for (const auto& follower : next[name]) {
      if (--waiting[follower] == 0) ready.push_back(follower);
    }
  }
  if (done == spec.tasks.size()) return {};
  std::string at;
  for (const auto& [name, count] : waiting) {
    if (count > 0) at = name;
  }
  std::vector<std::string> path;
  while (std::find(path.begin(), path.end(), at) == path.end()) {
    path.push_back(at);
    for (const auto& dependency : by_name[at]->after) {
      if (waiting[dependency] > 0) at = dependency;
    }
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), at));
  path.push_back(at);
  std::reverse(path.begin(), path.end());
  return base::fail(Code::kInvalidArgument,
                    "tasks wait for each other in a circle: " + base::join(path, " → "));
}

}  // namespace

std::string_view state_name(State state) {
  switch (state) {
    case State::kPending:
      return "pending";
    case State::kQueued:
      return "queued";
    case State::kRunning:
      return "running";
    case State::kSucceeded:
      return "succeeded";
    case State::kFailed:
      return "failed";
    case State::kSkipped:
      return "skipped";
    case State::kCancelled:
      break;
  }
  return "cancelled";
}

bool is_final(State state) {
  return state == State::kSucceeded || state == State::kFailed || state == State::kSkipped ||
         state == State::kCancelled;
}

Json PipelineSpec::to_json() const {
  Json list = Json::array();
  for (const auto& task : tasks) {
    Json after = Json::array();
    for (const auto& dependency : task.after) after.push(dependency);
    list.push(Json::object({{"name", task.name},
                            {"kind", task.kind},
                            {"params", task.params},
                            {"after", after},
                            {"max_attempts", task.max_attempts},
                            {"timeout_ms", task.timeout_ms},
                            {"cache", task.cache}}));
  }
  return Json::object({{"name", name}, {"tasks", list}});
}

base::Result<PipelineSpec> PipelineSpec::from_json(const Json& json) {
  PipelineSpec out;
  out.name = json["name"].as_string();
  for (const auto& item : json["tasks"].items()) {
    TaskSpec task;
    task.name = item["name"].as_string();
    task.kind = item["kind"].as_string();
    if (item["params"].is_object()) task.params = item["params"];
    for (const auto& dependency : item["after"].items())
      task.after.push_back(dependency.as_string());
    task.max_attempts = static_cast<int>(item["max_attempts"].as_int(1));
    task.timeout_ms = item["timeout_ms"].as_int();
    task.cache = item["cache"].as_bool(true);
    out.tasks.push_back(std::move(task));
  }
  TRY(out.validate());
  return out;
}

Status PipelineSpec::validate() const {
  if (name.empty()) return base::fail(Code::kInvalidArgument, "pipeline has no name");
  if (tasks.empty()) return base::fail(Code::kInvalidArgument, "pipeline has no tasks: " + name);
  if (tasks.size() > kMaxTasks)
    return base::fail(Code::kTooLarge,
                      "pipeline has more than " + std::to_string(kMaxTasks) + " tasks: " + name);
  std::vector<std::string> names;
  TRY(check_names(*this, names));
  for (const auto& task : tasks) {
    for (const auto& dependency : task.after) {
      if (std::find(names.begin(), names.end(), dependency) != names.end()) continue;
      return base::fail(
          Code::kInvalidArgument,
          "task " + task.name + " waits for a task that does not exist: " + dependency,
          base::did_you_mean(dependency, names));
    }
  }
  return check_cycles(*this);
}

}  // namespace maru::pipeline
