#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/connect/importer.h"
#include "maru/data/dataset.h"
#include "maru/monitor/monitor.h"
#include "maru/pipeline/pipeline.h"
#include "maru/serve/serve.h"
#include "maru/tracking/tracking.h"

namespace maru::steps {

// What the steps work on; owned by the app and alive as long as the executor.
struct Services {
  data::Engine* engine = nullptr;
  data::Datasets* datasets = nullptr;
  connect::Importer* importer = nullptr;  // null: sources are files alone
  tracking::Tracking* tracking = nullptr;
  serve::Server* server = nullptr;
  monitor::Monitor* monitor = nullptr;
  base::Clock* clock = &base::system_clock();
  std::size_t train_threads = 2;
  const std::atomic<bool>* serving = nullptr;  // true while a server runs here; null: never
  // How a model folder is loaded; null: model::Bundle::load, which knows no Python.
  std::function<base::Result<std::shared_ptr<const model::Bundle>>(const std::string&)> load;
  double cpu_hour_price = 0;  // 0: costs are not told
};

// A kind of pipeline task: deterministic outputs, resumable, no state of its own.
struct Step {
  std::string kind, version;
  std::function<base::Result<base::Json>(pipeline::Attempt&)> function;
};
// All steps: maru/ingest, maru/join, maru/profile, maru/validate, maru/train, maru/register, maru/evaluate, maru/promote, maru/deploy, maru/watch, maru/batch.
std::vector<Step> all_steps(const Services& services);

struct InitSpec {
  std::vector<std::string> sources;  // absolute
  std::string label;                 // column, SQL expression, "@last" or "@N"
  std::string name;                  // "" : from the first file
  double budget_seconds = 60;
};
struct InitResult {
  std::string yaml;
  base::Json
      summary;  // project, task, label, columns[{name,type,role,reason}], leakage[{column,reason}]
};
// Looks at the data and writes the project file with every inferred choice visible and commented.
base::Result<InitResult> init_project(const Services& services, const InitSpec& spec,
                                      base::Context& context);

struct PredictSpec {
  std::string project = "default", model, selector;
  std::vector<std::string> sources;
  std::string output;    // "" : rows come back
  bool explain = false;  // also what each column added to the raw score (model/explain.h)
};
// Scores files with a registered model; one answer a row, in order. {"rows", "seconds", "output"} or {"rows", "seconds", "predictions", "explanations"}.
base::Result<base::Json> predict_files(const Services& services, const PredictSpec& spec,
                                       base::Context& context);

}  // namespace maru::steps
