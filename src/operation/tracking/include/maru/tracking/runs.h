#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

using Text = std::map<std::string, std::string>;

enum class View { kActive, kDeleted, kAll };

struct Experiment {
  std::string id, project, name, state;  // state: active | deleted
  std::int64_t created_us = 0, updated_us = 0;
  Text tags;
  std::string artifact_location;
};

struct ExperimentQuery {
  std::string filter;                 // grammar: filter.h
  std::vector<std::string> order_by;  // "name", "creation_time DESC"; empty: newest first
  View view = View::kActive;
  std::size_t limit = 1000;
  std::string after;  // the id of the last experiment of the page before; "": from the beginning
};
struct ExperimentPage {
  std::vector<Experiment> experiments;
  std::string next_after;  // "": there is no more
};

struct MetricPoint {
  std::string key;
  double value = 0;
  std::int64_t step = 0;
  std::int64_t time_ms = 0;
};

struct HistoryPoint {  // of a metric whose key is known
  double value = 0;
  std::int64_t step = 0;
  std::int64_t time_ms = 0;
};

struct ScopedMetric {  // a point that also belongs to a logged model
  MetricPoint point;
  std::string model_id, dataset_name, dataset_digest;
};

struct Dataset {
  std::string name, digest, source_type, source, schema, profile;
};
struct DatasetInput {
  Dataset dataset;
  Text tags;
};
struct DatasetSummary {
  std::string experiment_id, name, digest, context;
};
struct ModelOutput {
  std::string model_id;
  std::int64_t step = 0;
};

struct Run {
  std::string id, experiment_id, name;
  std::string status;  // RUNNING | SCHEDULED | FINISHED | FAILED | KILLED (MLflow's words)
  std::string source;  // "pipeline:<run id>", "cli", ...
  std::int64_t start_us = 0, end_us = 0;  // 0: not set
  Text params, tags;
  std::map<std::string, MetricPoint> latest;  // by key: the last by (step, time, value)
  std::string user, state, artifact_uri;      // state: active | deleted
  std::vector<DatasetInput> datasets;
  std::vector<std::string> input_models;
  std::vector<ModelOutput> output_models;
};

struct NewRun {
  std::string experiment_id = {}, name = {}, source = {}, user = {};
  Text tags = {};
  std::optional<std::int64_t> start_us = {};  // empty: now
};

struct RunUpdate {
  std::optional<std::string> name = {}, status = {};
  std::optional<std::int64_t> end_us = {};
};

struct RunBatch {  // one durable, atomic append; re-sending is harmless
  Text params, tags;
  std::vector<MetricPoint> metrics;
  std::vector<ScopedMetric> scoped = {};  // logged for the run and for their models
};

struct RunQuery {
  std::vector<std::string> experiment_ids;  // empty: all of the project
  std::string filter;                       // grammar: filter.h
  std::vector<std::string> order_by;        // "metrics.loss ASC", "start_time"; empty: newest first
  View view = View::kActive;
  std::size_t limit = 100;
  std::size_t offset = 0;
  std::string after;  // the id of the last run of the page before: the page begins behind it
  std::string name_contains;
  bool values = true;  // false: only the attributes of the runs are filled
};
struct RunPage {
  std::vector<Run> runs;
  std::uint64_t total = 0;  // of all pages
  std::string next_after;   // "": there is no more
};

struct SampleQuery {
  std::vector<std::string> run_ids;
  std::string key;
  std::optional<std::int64_t> start_step = {}, end_step = {};
  std::size_t limit = 320;  // about how many points of each run
};
struct RunKeys {  // sorted
  std::vector<std::string> metrics, params, tags;
};
struct SampledPoint {
  std::string run_id;
  double value = 0;
  std::int64_t step = 0, time_ms = 0;
};

// Experiments, runs, parameters, tags and metrics. Every successful write is durable (store::Database::write) and seen by every later call.
// Ids: experiments "0" (Default), "1", ...; runs 32 hex digits. Errors carry MLflow's sentences ("Run with id=... not found").
// Thread safe.
class Runs {
 public:
  virtual ~Runs() = default;

  virtual base::Result<Experiment> ensure_experiment(const std::string& project,
                                                     const std::string& name) = 0;
  // kAlreadyExists when the name is taken, also by a deleted one. "" as location: the server keeps the artifacts.
  virtual base::Result<Experiment> create_experiment(const std::string& project,
                                                     const std::string& name,
                                                     const std::string& artifact_location,
                                                     const Text& tags) = 0;
  virtual base::Result<std::vector<Experiment>> list_experiments(const std::string& project) = 0;
  virtual base::Result<Experiment> get_experiment(const std::string& id) = 0;  // deleted ones too
  virtual base::Result<Experiment> find_experiment(const std::string& project,
                                                   const std::string& name) = 0;
  virtual base::Result<ExperimentPage> search_experiments(const std::string& project,
                                                          const ExperimentQuery& query) = 0;
  virtual base::Status rename_experiment(const std::string& id, const std::string& name) = 0;
  // Deleting and restoring take the experiment's runs along.
  virtual base::Status delete_experiment(const std::string& id) = 0;
  virtual base::Status restore_experiment(const std::string& id) = 0;
  virtual base::Status set_experiment_tag(const std::string& id, const std::string& key,
                                          const std::string& value) = 0;
  virtual base::Status delete_experiment_tag(const std::string& id, const std::string& key) = 0;

  virtual base::Result<Run> create_run(const NewRun& run) = 0;
  virtual base::Result<Run> update_run(const std::string& run_id, const RunUpdate& update) = 0;
  base::Status finish_run(const std::string& run_id, const std::string& status);  // ends it now
  virtual base::Status delete_run(const std::string& run_id) = 0;
  virtual base::Status restore_run(const std::string& run_id) = 0;
  virtual base::Result<Run> get_run(const std::string& run_id) = 0;  // deleted ones too
  virtual base::Result<RunPage> search_runs(const std::string& project, const RunQuery& query) = 0;

  virtual base::Status log(const std::string& run_id, const RunBatch& batch) = 0;
  // `done` runs on the store's writer thread when the batch is durable, or before this returns when it is refused.
  virtual void log_async(const std::string& run_id, RunBatch batch,
                         std::function<void(base::Status)> done) = 0;
  virtual base::Status delete_tag(const std::string& run_id, const std::string& key) = 0;
  virtual base::Status log_inputs(const std::string& run_id,
                                  const std::vector<DatasetInput>& datasets,
                                  const std::vector<std::string>& models) = 0;
  virtual base::Status log_outputs(const std::string& run_id,
                                   const std::vector<ModelOutput>& models) = 0;
  virtual base::Result<std::vector<DatasetSummary>> dataset_summaries(
      const std::vector<std::string>& experiment_ids) = 0;

  // All points, without repetitions, by (step, time, value).
  virtual base::Result<std::vector<HistoryPoint>> metric_history(const std::string& run_id,
                                                                 const std::string& key) = 0;
  // Of each run at most `limit` points, evenly spaced among its points by (step, time, value), its last one among them; and its smallest
  // and largest.
  virtual base::Result<std::vector<SampledPoint>> sample_metric(const SampleQuery& query) = 0;
  virtual base::Result<std::vector<std::string>> metric_keys(const std::string& run_id) = 0;
  // The keys that the newest 1,000 runs of an experiment have.
  virtual base::Result<RunKeys> keys(const std::string& experiment_id) = 0;
  // Called after each durable change with the experiment and the run, once for every changed value, on the thread that wrote: it must
  // return at once. One listener; the last one stays.
  using Listener = std::function<void(const std::string& experiment_id, const std::string& run_id)>;
  virtual void on_change(Listener listener) = 0;
  // The writer's clock, for finish_run.
  virtual std::int64_t now_us() const = 0;
};

}  // namespace maru::tracking
