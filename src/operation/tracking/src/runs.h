#pragma once
#include <string>
#include <vector>

#include "maru/tracking/tracking.h"

namespace maru::tracking {

// Experiments, runs, metrics and run artifacts over the tables; one durable write a call. Thread safe.
class RunTables {
 public:
  RunTables(store::Database& db, blob::BlobStore& blobs, base::Clock& clock)
      : db_(db), blobs_(blobs), clock_(clock) {}
  base::Result<Experiment> ensure_experiment(const std::string& project, const std::string& name);
  base::Result<std::vector<Experiment>> list_experiments(const std::string& project);
  base::Result<Experiment> get_experiment(const std::string& id);
  base::Result<Run> create_run(const std::string& experiment_id, const std::string& name,
                               const std::string& source, const Text& tags);
  base::Status log(const std::string& run_id, const RunBatch& batch);
  base::Status finish_run(const std::string& run_id, const std::string& status);
  base::Result<Run> get_run(const std::string& run_id);
  base::Result<RunPage> search_runs(const std::string& project, const RunQuery& query);
  base::Result<std::vector<MetricPoint>> metric_history(const std::string& run_id,
                                                        const std::string& key);
  base::Result<std::vector<std::string>> metric_keys(const std::string& run_id);
  base::Status put_artifact(const std::string& run_id, const std::string& path,
                            std::string_view bytes);
  base::Result<std::vector<Artifact>> list_artifacts(const std::string& run_id);
  base::Result<std::string> read_artifact(const std::string& run_id, const std::string& path);

 private:
  base::Status fill(Run& run);
  store::Database& db_;
  blob::BlobStore& blobs_;
  base::Clock& clock_;
};

}  // namespace maru::tracking
