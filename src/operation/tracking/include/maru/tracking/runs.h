#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

using Text = std::map<std::string, std::string>;

struct Experiment {
  std::string id, project, name, state;  // state: active | deleted
  std::int64_t created_us = 0, updated_us = 0;
  Text tags;
};

struct MetricPoint {
  std::string key;
  double value = 0;
  std::int64_t step = 0;
  std::int64_t time_us = 0;
};

struct Run {
  std::string id, experiment_id, name;
  std::string status;  // RUNNING | SCHEDULED | FINISHED | FAILED | KILLED (MLflow's words)
  std::string source;  // "pipeline:<run id>", "cli", ...
  std::int64_t start_us = 0, end_us = 0;
  Text params, tags;
  std::map<std::string, MetricPoint> latest;  // by key: the last by (step, time, value)
};

struct RunBatch {  // one durable, atomic append; re-sending is harmless
  Text params, tags;
  std::vector<MetricPoint> metrics;
};

struct RunQuery {
  std::vector<std::string> experiment_ids;  // empty: all of the project
  std::string order_by = "start_us";        // or "metric:<key>", "param:<key>", "name", "status"
  bool descending = true;
  std::size_t limit = 100;
  std::size_t offset = 0;
  std::string name_contains;
};
struct RunPage {
  std::vector<Run> runs;
  std::uint64_t total = 0;
};

// Experiments, runs, parameters, tags and metrics. Every successful write is durable (store::Database::write) and seen by every later call.
// Thread safe.
class Runs {
 public:
  virtual ~Runs() = default;
  virtual base::Result<Experiment> ensure_experiment(const std::string& project,
                                                     const std::string& name) = 0;
  virtual base::Result<std::vector<Experiment>> list_experiments(const std::string& project) = 0;
  virtual base::Result<Experiment> get_experiment(const std::string& id) = 0;

  virtual base::Result<Run> create_run(const std::string& experiment_id, const std::string& name,
                                       const std::string& source, const Text& tags) = 0;
  virtual base::Status log(const std::string& run_id, const RunBatch& batch) = 0;
  virtual base::Status finish_run(const std::string& run_id, const std::string& status) = 0;
  virtual base::Result<Run> get_run(const std::string& run_id) = 0;
  virtual base::Result<RunPage> search_runs(const std::string& project, const RunQuery& query) = 0;
  virtual base::Result<std::vector<MetricPoint>> metric_history(const std::string& run_id,
                                                                const std::string& key) = 0;
  virtual base::Result<std::vector<std::string>> metric_keys(const std::string& run_id) = 0;
};

}  // namespace maru::tracking
