#include "project_runs.h"

#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/log.h"
#include "maru/model/model.h"
#include "maru/model/tensor.h"
#include "maru/train/import_trees.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;

constexpr const char* kKind = "project";
constexpr std::size_t kMaxModelBytes = std::size_t{1} << 30;

std::vector<std::string> texts(const Json& json) {
  std::vector<std::string> out;
  for (const auto& item : json.items()) out.push_back(item.as_string());
  return out;
}

// A folder that goes away with it, if it was made at all.
struct Scratch {
  explicit Scratch(std::string folder) : path(std::move(folder)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { (void)base::remove_tree(path); }
  const std::string path;
};

// A model file as a bundle folder: ONNX as it is, trees as a graph that was replayed beside them.
base::Status adopt_file(const std::string& path, const std::string& folder) {
  TRY_ASSIGN(const std::string bytes, base::read_file(path, kMaxModelBytes));
  if (!train::looks_like_trees(std::string_view(bytes).substr(0, 4096)))
    return model::adopt_onnx(path, folder);
  TRY_ASSIGN(const train::ImportedTrees trees, train::import_trees(bytes));
  const model::BundleFacts facts{trees.signature, trees.metadata, trees.rows};
  TRY(model::Bundle::create(folder, trees.graph, facts, trees.rows, trees.expected));
  return {};
}

// What lies in a folder as artifacts of a run, below `to`.
base::Status put_folder(tracking::Artifacts& artifacts, const std::string& run,
                        const std::string& folder, const std::string& to) {
  TRY_ASSIGN(const auto names, base::list_folder(folder));
  for (const std::string& name : names) {
    const std::string path = base::join_path(folder, name);
    if (base::is_folder(path)) {
      TRY(put_folder(artifacts, run, path, to + "/" + name));
      continue;
    }
    TRY_ASSIGN(const std::string bytes, base::read_file(path, kMaxModelBytes));
    TRY(artifacts.put_artifact(run, to + "/" + name, bytes));
  }
  return {};
}

std::string project_of(const Json& body) { return body["project"].as_string_or("default"); }

}  // namespace

ProjectRuns::ProjectRuns(steps::Services services, pipeline::Scheduler& scheduler,
                         pipeline::Scheduling& scheduling, std::string temp_folder,
                         model::PythonOptions python)
    : services_(services),
      scheduler_(scheduler),
      scheduling_(scheduling),
      temp_folder_(std::move(temp_folder)),
      python_(std::move(python)) {}

base::Result<std::string> ProjectRuns::submit(const Json& body, base::Context& context) {
  TRY_ASSIGN(steps::ProjectFile file,
             steps::parse_project(body["yaml"].as_string(), body["folder"].as_string()));
  if (body["overrides"].has("budget_seconds"))
    file.budget_seconds = body["overrides"]["budget_seconds"].as_double(file.budget_seconds);
  TRY_ASSIGN(const pipeline::PipelineSpec spec, steps::compile_project(file));
  const std::string project = project_of(body);
  TRY(services_.tracking->put_document(project, kKind, file.project,
                                       Json::object({{"yaml", body["yaml"]},
                                                     {"folder", body["folder"]},
                                                     {"endpoint", file.endpoint},
                                                     {"overrides", body["overrides"]}})));
  if (!file.schedule.empty()) {
    pipeline::Schedule schedule;
    schedule.project = project;
    schedule.name = file.project;
    schedule.cron = file.schedule;
    schedule.spec = spec;
    TRY(scheduling_.put(schedule));
  }
  TRY(services_.tracking->audit({services_.clock->now_us(), context.principal.name, "project.run",
                                 file.project, body["trigger"].as_string_or("api")}));
  return scheduler_.submit(project, spec, Json::object(), body["trigger"].as_string_or("api"));
}

base::Result<Json> ProjectRuns::init(const Json& body, base::Context& context) {
  steps::InitSpec spec;
  spec.sources = texts(body["sources"]);
  spec.label = body["label"].as_string();
  spec.name = body["name"].as_string();
  spec.budget_seconds = body["budget_seconds"].as_double(60);
  if (spec.label.empty())
    return base::fail(Code::kInvalidArgument, "`label` is missing",
                      "maru init FILE --label COLUMN (or @last)");
  TRY_ASSIGN(steps::InitResult result, steps::init_project(services_, spec, context));
  return Json::object({{"yaml", result.yaml}, {"summary", result.summary}});
}

base::Result<Json> ProjectRuns::predict(const Json& body, base::Context& context) {
  steps::PredictSpec spec;
  spec.project = project_of(body);
  spec.model = body["model"].as_string();
  spec.selector = body["selector"].as_string();
  spec.sources = texts(body["sources"]);
  spec.output = body["output"].as_string();
  spec.explain = body["explain"].as_bool();
  if (spec.sources.empty()) return base::fail(Code::kInvalidArgument, "`sources` names no file");
  return steps::predict_files(services_, spec, context);
}

base::Result<Json> ProjectRuns::import_model(const Json& body, base::Context& context) {
  const std::string given = body["path"].as_string(), name = body["name"].as_string(),
                    project = project_of(body);
  if (!base::path_exists(given))
    return base::fail(Code::kNotFound, "no model at: " + given,
                      "name a file of ONNX, XGBoost or LightGBM, or a model folder of MLflow or of "
                      "`maru model export`");
  const bool file = !base::is_folder(given);
  const Scratch scratch(base::join_path(temp_folder_, "import-" + base::new_id(*services_.clock)));
  if (file) TRY(adopt_file(given, scratch.path));
  const std::string path = file ? scratch.path : given;
  TRY_ASSIGN(const auto bundle, model::load_model(path, python_));
  TRY_ASSIGN(const auto experiment,
             services_.tracking->runs().ensure_experiment(project, "imports"));
  TRY_ASSIGN(const auto run,
             services_.tracking->runs().create_run(
                 {.experiment_id = experiment.id, .name = name, .source = "import:" + given}));
  TRY(put_folder(services_.tracking->artifacts(), run.id, path, "model"));
  TRY(services_.tracking->runs().finish_run(run.id, "FINISHED"));
  tracking::ModelVersion facts;
  facts.state = "ready";
  facts.run_id = run.id;
  facts.description = "imported from " + given;
  if (bundle->tensors() != nullptr)
    facts.card = Json::object({{"task", "tensors"}, {"tensors", bundle->metadata()}});
  TRY_ASSIGN(const auto version, services_.tracking->registry().register_version(
                                     project, name,
                                     bundle->tensors() != nullptr
                                         ? "tensors"
                                         : std::string(model::task_name(bundle->signature().task)),
                                     path, facts));
  const std::string alias = body["alias"].as_string();
  if (!alias.empty()) {
    TRY(services_.tracking->registry().set_alias(project, name, alias, version.version, "import",
                                                 context.principal.name));
    TRY(services_.server->refresh(name));
  }
  return Json::object({{"model", name}, {"version", version.version}});
}

base::Result<bool> ProjectRuns::try_retrain(const std::string& project, const std::string& endpoint,
                                            const std::string& why) {
  const std::lock_guard lock(retrain_mutex_);
  TRY_ASSIGN(const auto documents, services_.tracking->list_documents(project, kKind));
  for (const auto& [name, value] : documents) {
    if (value["endpoint"].as_string() != endpoint) continue;
    TRY_ASSIGN(const auto runs, scheduler_.list(project, name, 1, 0));
    if (!runs.empty() && !pipeline::is_final(runs.front().state)) return false;
    Json body = value;
    body.set("project", project).set("trigger", "monitor:" + endpoint + ":" + why);
    base::Context context;
    context.principal = {"monitor", base::Role::kOperator};
    TRY(submit(body, context));
    return true;
  }
  return false;
}

bool ProjectRuns::retrain(const std::string& project, const std::string& endpoint,
                          const std::string& why) {
  auto done = try_retrain(project, endpoint, why);
  if (!done)
    base::log_error("retraining could not start",
                    {{"endpoint", endpoint}, {"error", done.error().text()}});
  return done && *done;
}

}  // namespace maru::app
