#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/tracking/runs.h"

namespace maru::tracking {

// A value of a metric that a run measured of a logged model, on a dataset when one is named.
struct ModelMetric {
  std::string model_id, run_id;
  MetricPoint point;
  std::string dataset_name, dataset_digest;
};

// A model as a run produced it (MLflow's LoggedModel), before anybody registers it. Its files are artifacts of the owner `id`.
struct LoggedModel {
  std::string id;  // "m-" and 32 hex digits
  std::string experiment_id, name, model_type, source_run_id;
  std::string status;  // pending | ready | upload_failed
  std::string status_message;
  std::string artifact_uri;  // where its files are
  std::int64_t created_us = 0, updated_us = 0;
  Text params, tags;
  std::vector<ModelMetric> metrics;  // every point, by key, time and step
};

struct NewLoggedModel {
  std::string experiment_id, name, model_type, source_run_id;
  Text params, tags;
};

struct DatasetRef {
  std::string name;
  std::string digest;  // "": any
};

struct LoggedModelOrder {
  std::string field;  // an attribute, or "metrics.<key>"
  bool ascending = true;
  DatasetRef dataset;  // name "": any
};

struct LoggedModelQuery {
  std::vector<std::string> experiment_ids;
  std::string filter;                // MLflow's grammar (mlflow.md §1.10)
  std::vector<DatasetRef> datasets;  // metrics count only when they were measured on one of these
  std::vector<LoggedModelOrder> order_by;
  std::size_t limit = 50;
  std::size_t offset = 0;
};
struct LoggedModelPage {
  std::vector<LoggedModel> models;
  bool more = false;
};

// Logged models with their parameters, tags and metrics. Every successful write is durable. A deleted model is hidden, its files stay
// until the collector takes them. Thread safe.
class LoggedModels {
 public:
  virtual ~LoggedModels() = default;
  // An empty name is replaced by a generated one. kNotFound for an unknown experiment or run, kRefused for a deleted experiment.
  virtual base::Result<LoggedModel> create(const NewLoggedModel& model) = 0;
  virtual base::Result<LoggedModel> get(const std::string& id) = 0;      // kNotFound when deleted
  virtual base::Result<LoggedModel> get_any(const std::string& id) = 0;  // deleted ones too
  virtual base::Result<LoggedModelPage> search(const LoggedModelQuery& query) = 0;
  virtual base::Status log_params(const std::string& id, const Text& params) = 0;
  virtual base::Result<LoggedModel> set_status(const std::string& id,
                                               const std::string& status) = 0;
  virtual base::Status set_tags(const std::string& id, const Text& tags) = 0;
  virtual base::Status remove_tag(const std::string& id, const std::string& key) = 0;
  virtual base::Status remove(const std::string& id) = 0;
};

}  // namespace maru::tracking
