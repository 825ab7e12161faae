#pragma once
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/store/database.h"
#include "maru/tracking/runs.h"

namespace maru::tracking {

// Experiments, runs and metrics over the tables; one durable write a call. Thread safe.
class RunTables final : public Runs {
 public:
  RunTables(store::Database& db, base::Clock& clock) : db_(db), clock_(clock) {}
  base::Result<Experiment> ensure_experiment(const std::string& project,
                                             const std::string& name) override;
  base::Result<std::vector<Experiment>> list_experiments(const std::string& project) override;
  base::Result<Experiment> get_experiment(const std::string& id) override;
  base::Result<Run> create_run(const std::string& experiment_id, const std::string& name,
                               const std::string& source, const Text& tags) override;
  base::Status log(const std::string& run_id, const RunBatch& batch) override;
  base::Status finish_run(const std::string& run_id, const std::string& status) override;
  base::Result<Run> get_run(const std::string& run_id) override;
  base::Result<RunPage> search_runs(const std::string& project, const RunQuery& query) override;
  base::Result<std::vector<MetricPoint>> metric_history(const std::string& run_id,
                                                        const std::string& key) override;
  base::Result<std::vector<std::string>> metric_keys(const std::string& run_id) override;

 private:
  base::Status fill(Run& run);
  store::Database& db_;
  base::Clock& clock_;
};

}  // namespace maru::tracking
