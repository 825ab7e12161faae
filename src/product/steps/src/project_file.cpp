#include "maru/steps/project_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "maru/base/check.h"
#include "maru/base/config.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/connect/source.h"
#include "maru/data/dataset.h"
#include "maru/evaluate/evaluate.h"
#include "maru/model/postprocess.h"
#include "maru/train/train.h"
#include "rollout.h"

namespace maru::steps {
namespace {

using base::Code;
using base::Status;

std::string place(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return "";
  return "line " + std::to_string(mark.line + 1) + ", column " + std::to_string(mark.column + 1) +
         ": ";
}

Status wrong(const YAML::Node& node, std::string message, std::string hint = {}) {
  return base::fail(Code::kInvalidArgument, "project file, " + place(node) + std::move(message),
                    std::move(hint));
}

Status check_keys(const YAML::Node& node, const std::string& where,
                  const std::vector<std::string>& known) {
  if (!node || node.IsNull()) return {};
  if (!node.IsMap()) return wrong(node, "`" + where + "` must be a map of keys");
  for (const auto& item : node) {
    const std::string key = item.first.as<std::string>();
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string hint = base::did_you_mean(key, known);
    if (hint.empty()) hint = "known keys: " + base::join(known, ", ");
    return wrong(item.first,
                 "unknown key `" + key + "`" + (where.empty() ? "" : " under `" + where + "`"),
                 hint);
  }
  return {};
}

Status read_text(const YAML::Node& node, const std::string& what, std::string& out) {
  if (!node || node.IsNull()) return {};
  if (!node.IsScalar()) return wrong(node, "`" + what + "` must be text");
  out = node.as<std::string>();
  return {};
}

Status read_list(const YAML::Node& node, const std::string& what, std::vector<std::string>& out) {
  if (!node || node.IsNull()) return {};
  if (node.IsScalar()) {
    out = {node.as<std::string>()};
    return {};
  }
  if (!node.IsSequence()) return wrong(node, "`" + what + "` must be a list");
  for (const auto& item : node) {
    if (!item.IsScalar()) return wrong(item, "`" + what + "` must be a list of text");
    out.push_back(item.as<std::string>());
  }
  return {};
}

// A scalar with a parser of its own ("60s", "20%"); its error gets the place.
template <class Parser, class Out>
Status read_with(const YAML::Node& node, const std::string& what, Parser parser, Out& out) {
  std::string text;
  TRY(read_text(node, what, text));
  if (text.empty()) return {};
  auto value = parser(text);
  if (!value) return wrong(node, "`" + what + "`: " + value.error().message, value.error().hint);
  out = static_cast<Out>(*value);
  return {};
}

base::Result<std::int64_t> parse_whole(std::string_view text) {
  char* end = nullptr;
  const std::string copy(text);
  const long long value = std::strtoll(copy.c_str(), &end, 10);
  if (copy.empty() || *end != '\0' || value < 0)
    return base::fail(Code::kInvalidArgument, "not a whole number: " + copy);
  return static_cast<std::int64_t>(value);
}

// Keeps the shape of a YAML tree; numbers and booleans by the core schema unless quoted.
base::Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    base::Json out = base::Json::object();
    for (const auto& item : node) out.set(item.first.as<std::string>(), to_json(item.second));
    return out;
  }
  if (node.IsSequence()) {
    base::Json out = base::Json::array();
    for (const auto& item : node) out.push(to_json(item));
    return out;
  }
  if (!node.IsScalar()) return {};
  const std::string text = node.as<std::string>();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && std::isfinite(number)) return number;
  return text;
}

// A project file is kept with each of its runs, so it must hold no password.
Status check_address(const YAML::Node& node, const std::string& source) {
  if (!connect::is_address(source) || connect::shown_address(source) == source) return {};
  return wrong(node,
               "a project file must hold no password: " + connect::shown_address(source) +
                   " (keep it with `maru secret set NAME --host HOST` and write secret=NAME)");
}

Status read_entry(const std::string& name, const YAML::Node& node, const std::string& folder,
                  SourceEntry& entry) {
  entry.name = name;
  if (node.IsScalar()) {
    entry.sources = {connect::located(node.as<std::string>(), folder)};
    return check_address(node, entry.sources.front());
  }
  TRY(check_keys(node, "data." + name, {"source", "sql", "time", "header", "ragged", "encoding"}));
  TRY(read_list(node["source"], "source", entry.sources));
  TRY(read_text(node["sql"], "sql", entry.sql));
  TRY(read_text(node["time"], "time", entry.time));
  TRY(read_text(node["encoding"], "encoding", entry.encoding));
  TRY(read_text(node["ragged"], "ragged", entry.ragged));
  data::ImportSpec checked;
  if (!entry.ragged.empty() && !data::set_ragged(checked, entry.ragged))
    return wrong(node["ragged"], "`ragged` must be reject, pad or dead");
  if (const YAML::Node header = node["header"]) {
    entry.detect_header = false;
    if (!YAML::convert<bool>::decode(header, entry.header))
      return wrong(header, "`header` must be true or false");
  }
  for (auto& source : entry.sources) {
    TRY(check_address(node, source));
    source = connect::located(source, folder);
  }
  if (entry.sources.empty() == entry.sql.empty()) {
    return wrong(node, "`data." + name + "` needs either `source` or `sql`");
  }
  return {};
}

Status read_data(const YAML::Node& root, const std::string& folder, ProjectFile& file) {
  const YAML::Node data = root["data"];
  if (!data || data.IsNull()) {
    return base::fail(Code::kInvalidArgument, "project file: `data` is missing",
                      "add `data: {mine: {source: file.csv}}`");
  }
  if (data.IsScalar()) {
    SourceEntry entry;
    TRY(read_entry(file.project, data, folder, entry));
    file.data.push_back(std::move(entry));
    return {};
  }
  if (!data.IsMap()) return wrong(data, "`data` must be a map of names to sources");
  for (const auto& item : data) {
    SourceEntry entry;
    TRY(read_entry(item.first.as<std::string>(), item.second, folder, entry));
    file.data.push_back(std::move(entry));
  }
  return {};
}

Status read_predict(const YAML::Node& root, ProjectFile& file) {
  const YAML::Node node = root["predict"];
  TRY(check_keys(node, "predict", {"label", "at", "exclude", "allow", "task", "postprocess"}));
  if (node && node.IsMap()) {
    TRY(read_text(node["label"], "predict.label", file.label));
    TRY(read_text(node["at"], "predict.at", file.at));
    TRY(read_text(node["task"], "predict.task", file.task));
    TRY(read_list(node["exclude"], "predict.exclude", file.exclude));
    TRY(read_list(node["allow"], "predict.allow", file.allow));
    if (const YAML::Node post = node["postprocess"]; post && !post.IsNull()) {
      file.postprocess = to_json(post);
      const auto sound = model::Postprocess::from_json(file.postprocess);
      if (!sound) return wrong(post, sound.error().message, sound.error().hint);
    }
  }
  if (file.label.empty()) {
    return base::fail(Code::kInvalidArgument, "project file: `predict.label` is missing",
                      "say what to predict: `predict: {label: COLUMN}`");
  }
  const std::vector<std::string> tasks = {"", "binary", "multiclass", "regression"};
  if (std::find(tasks.begin(), tasks.end(), file.task) == tasks.end()) {
    return wrong(node["task"], "unknown task `" + file.task + "`",
                 "binary, multiclass or regression");
  }
  return {};
}

Status read_train(const YAML::Node& root, ProjectFile& file) {
  const YAML::Node split = root["split"];
  TRY(check_keys(split, "split", {"by", "test", "valid"}));
  if (split && split.IsMap()) {
    TRY(read_text(split["by"], "split.by", file.split_by));
    TRY(read_with(split["test"], "split.test", parse_share, file.test_share));
    TRY(read_with(split["valid"], "split.valid", parse_share, file.valid_share));
    if (file.valid_share <= 0 || file.valid_share >= 0.9)
      return wrong(split["valid"], "`split.valid` must lie between 0 and 90 %");
    if (file.test_share <= 0 || file.test_share >= 0.9)
      return wrong(split["test"], "`split.test` must lie between 0 and 90 %");
  }
  const YAML::Node train = root["train"];
  TRY(check_keys(train, "train", {"automl", "learners", "seed", "model"}));
  if (!train || !train.IsMap()) return {};
  TRY(read_text(train["model"], "train.model", file.model));
  TRY(read_list(train["learners"], "train.learners", file.learners));
  for (const auto& learner : file.learners) {
    const Status known = train::check_learner(learner);
    if (!known) return wrong(train["learners"], known.error().message, known.error().hint);
  }
  TRY(read_with(train["seed"], "train.seed", parse_whole, file.seed));
  const YAML::Node automl = train["automl"];
  TRY(check_keys(automl, "train.automl", {"budget", "metric", "max_trials"}));
  if (!automl || !automl.IsMap()) return {};
  TRY(read_with(automl["budget"], "train.automl.budget", parse_seconds, file.budget_seconds));
  TRY(read_text(automl["metric"], "train.automl.metric", file.metric));
  TRY(read_with(automl["max_trials"], "train.automl.max_trials", parse_whole, file.max_trials));
  if (file.budget_seconds < 1)
    return wrong(automl["budget"], "`train.automl.budget` must be at least 1s");
  return {};
}

Status read_release(const YAML::Node& root, ProjectFile& file) {
  const YAML::Node evaluate = root["evaluate"];
  TRY(check_keys(evaluate, "evaluate", {"slices", "gates"}));
  if (evaluate && evaluate.IsMap()) {
    TRY(read_list(evaluate["slices"], "evaluate.slices", file.slices));
    if (const YAML::Node gates = evaluate["gates"]; gates && !gates.IsNull()) {
      if (!gates.IsMap()) return wrong(gates, "`evaluate.gates` must be a map of metric to rule");
      file.gates = to_json(gates);
      const Status sound = evaluate::check_gate_rules(file.gates);
      if (!sound) return wrong(gates, sound.error().message, sound.error().hint);
    }
  }
  const YAML::Node serve = root["serve"];
  TRY(check_keys(serve, "serve", {"endpoint", "rollout"}));
  if (!serve || !serve.IsMap()) return {};
  TRY(read_text(serve["endpoint"], "serve.endpoint", file.endpoint));
  const YAML::Node rollout = serve["rollout"];
  TRY(check_keys(rollout, "serve.rollout",
                 {"canary", "rollback_on", "step", "step_requests", "reward"}));
  if (!rollout || !rollout.IsMap()) return {};
  file.rollout = to_json(rollout);
  if (rollout["step"]) {
    double seconds = 0;
    TRY(read_with(rollout["step"], "serve.rollout.step", parse_seconds, seconds));
    file.rollout.set("step_seconds", seconds);
  }
  const Status sound = check_rollout(file.rollout);
  if (!sound) return wrong(rollout, sound.error().message, sound.error().hint);
  return {};
}

Status read_monitor(const YAML::Node& root, ProjectFile& file) {
  const YAML::Node node = root["monitor"];
  TRY(check_keys(node, "monitor", {"window", "window_rows", "label_delay", "drift", "retrain"}));
  if (!node || !node.IsMap()) return {};
  TRY(read_with(node["window"], "monitor.window", base::parse_duration_us, file.window_us));
  TRY(read_with(node["label_delay"], "monitor.label_delay", base::parse_duration_us,
                file.label_delay_us));
  TRY(read_with(node["window_rows"], "monitor.window_rows", parse_whole, file.window_rows));
  const YAML::Node drift = node["drift"];
  TRY(check_keys(drift, "monitor.drift", {"columns"}));
  if (drift && drift.IsMap()) {
    TRY(read_list(drift["columns"], "monitor.drift.columns", file.drift_columns));
    if (file.drift_columns == std::vector<std::string>{"all"}) file.drift_columns.clear();
  }
  const YAML::Node retrain = node["retrain"];
  TRY(check_keys(retrain, "monitor.retrain", {"when", "cooldown"}));
  if (!retrain || !retrain.IsMap()) return {};
  std::vector<std::string> when;
  TRY(read_list(retrain["when"], "monitor.retrain.when", when));
  for (const auto& word : when) {
    if (word != "drift" && word != "performance") {
      const std::vector<std::string> known = {"drift", "performance"};
      return wrong(retrain["when"], "unknown retrain reason `" + word + "`",
                   base::did_you_mean(word, known));
    }
    (word == "drift" ? file.retrain_on_drift : file.retrain_on_performance) = true;
  }
  return read_with(retrain["cooldown"], "monitor.retrain.cooldown", base::parse_duration_us,
                   file.cooldown_us);
}

Status check_training(const ProjectFile& file) {
  std::set<std::string> names;
  for (const auto& entry : file.data) {
    if (!names.insert(entry.name).second) {
      return base::fail(Code::kInvalidArgument,
                        "project file: `data." + entry.name + "` stands twice");
    }
  }
  if (file.data.size() == 1 || names.count("training") != 0) return {};
  return base::fail(
      Code::kInvalidArgument, "project file: several data entries and none is called `training`",
      "name the one to learn from `training`, for example with `sql:` that joins the others");
}

base::Result<ProjectFile> read_root(const YAML::Node& root, const std::string& folder) {
  ProjectFile file;
  if (!root.IsMap()) return base::fail(Code::kInvalidArgument, "project file: not a map of keys");
  TRY(check_keys(root, "",
                 {"project", "data", "predict", "split", "train", "evaluate", "serve", "monitor",
                  "schedule"}));
  TRY(read_text(root["project"], "project", file.project));
  if (file.project.empty())
    return base::fail(Code::kInvalidArgument, "project file: `project` is missing",
                      "add `project: NAME`");
  TRY(read_data(root, folder, file));
  TRY(read_predict(root, file));
  TRY(read_train(root, file));
  TRY(read_release(root, file));
  TRY(read_monitor(root, file));
  TRY(read_text(root["schedule"], "schedule", file.schedule));
  if (!file.schedule.empty()) TRY(pipeline::Cron::parse(file.schedule));
  if (file.model.empty()) file.model = file.project;
  TRY(check_training(file));
  if (file.split_by.empty()) file.split_by = file.training().time;
  return file;
}

}  // namespace

const SourceEntry& ProjectFile::training() const {
  MARU_CHECK(!data.empty());
  for (const auto& entry : data) {
    if (entry.name == "training") return entry;
  }
  return data.front();
}

base::Result<ProjectFile> parse_project(std::string_view yaml, const std::string& folder) {
  try {
    return read_root(YAML::Load(std::string(yaml)), folder);
  } catch (const YAML::Exception& error) {
    const std::string where = error.mark.is_null()
                                  ? std::string()
                                  : "line " + std::to_string(error.mark.line + 1) + ", column " +
                                        std::to_string(error.mark.column + 1) + ": ";
    return base::fail(Code::kInvalidArgument, "project file, " + where + error.msg);
  }
}

base::Result<double> parse_share(std::string_view text) {
  std::string number(base::trim(text));
  double scale = 1;
  if (!number.empty() && number.back() == '%') {
    number.pop_back();
    scale = 0.01;
  }
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0' || !std::isfinite(value)) {
    return base::fail(Code::kInvalidArgument, "not a share: " + std::string(text),
                      "write 20% or 0.2");
  }
  return value * scale;
}

base::Result<double> parse_seconds(std::string_view text) {
  TRY_ASSIGN(const std::int64_t us, base::parse_duration_us(text));
  return static_cast<double>(us) / 1e6;
}

}  // namespace maru::steps
