#pragma once
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "maru/base/clock.h"
#include "maru/store/database.h"
#include "maru/tracking/artifacts.h"
#include "maru/tracking/filter.h"
#include "maru/tracking/runs.h"
#include "metric_store.h"
#include "run_index.h"
#include "run_row.h"

namespace maru::tracking {

// A run with all that belongs to it.
struct WholeRun {
  Run run;  // `latest` is not filled
  std::vector<TailEntry::Series>
      series;                       // by key; points without repetitions, by (step, time, value)
  std::vector<Artifact> artifacts;  // by path
};

// Experiments and runs over the tables, metric points through MetricStore, searches through RunIndex. Thread safe.
class RunTables final : public Runs {
 public:
  RunTables(store::Database& db, base::Clock& clock)
      : db_(db), clock_(clock), metrics_(db), index_(db, metrics_, clock) {}
  base::Status start();  // once, after the tables exist

  base::Result<Experiment> ensure_experiment(const std::string& project,
                                             const std::string& name) override;
  base::Result<Experiment> create_experiment(const std::string& project, const std::string& name,
                                             const std::string& artifact_location,
                                             const Text& tags) override;
  base::Result<std::vector<Experiment>> list_experiments(const std::string& project) override;
  base::Result<Experiment> get_experiment(const std::string& id) override;
  base::Result<Experiment> find_experiment(const std::string& project,
                                           const std::string& name) override;
  base::Result<ExperimentPage> search_experiments(const std::string& project,
                                                  const ExperimentQuery& query) override;
  base::Status rename_experiment(const std::string& id, const std::string& name) override;
  base::Status delete_experiment(const std::string& id) override;
  base::Status restore_experiment(const std::string& id) override;
  base::Status set_experiment_tag(const std::string& id, const std::string& key,
                                  const std::string& value) override;
  base::Status delete_experiment_tag(const std::string& id, const std::string& key) override;

  base::Result<Run> create_run(const NewRun& run) override;
  base::Result<Run> update_run(const std::string& run_id, const RunUpdate& update) override;
  base::Status delete_run(const std::string& run_id) override;
  base::Status restore_run(const std::string& run_id) override;
  base::Result<Run> get_run(const std::string& run_id) override;
  base::Result<RunPage> search_runs(const std::string& project, const RunQuery& query) override;

  base::Status log(const std::string& run_id, const RunBatch& batch) override;
  void log_async(const std::string& run_id, RunBatch batch,
                 std::function<void(base::Status)> done) override;
  base::Status delete_tag(const std::string& run_id, const std::string& key) override;
  base::Status log_inputs(const std::string& run_id, const std::vector<DatasetInput>& datasets,
                          const std::vector<std::string>& models) override;
  base::Status log_outputs(const std::string& run_id,
                           const std::vector<ModelOutput>& models) override;
  base::Result<std::vector<DatasetSummary>> dataset_summaries(
      const std::vector<std::string>& experiment_ids) override;
  base::Result<std::vector<HistoryPoint>> metric_history(const std::string& run_id,
                                                         const std::string& key) override;
  base::Result<std::vector<SampledPoint>> sample_metric(const SampleQuery& query) override;
  base::Result<std::vector<std::string>> metric_keys(const std::string& run_id) override;
  base::Result<RunKeys> keys(const std::string& experiment_id) override;
  void on_change(Listener listener) override;
  std::int64_t now_us() const override { return clock_.now_us(); }

  // For the trash: folds what the tail holds, and forgets a run whose rows are gone.
  base::Status fold_metrics() { return metrics_.fold(); }
  void forget_run(std::int64_t number, const std::string& id, const std::string& experiment_id);

  // What was recorded elsewhere (run_import.cpp). An experiment joins the one that has its id and time of creation, or its name; else it
  // keeps its id where that is free. `fresh` tells whether it was made.
  base::Result<Experiment> adopt_experiment(const Experiment& wanted, bool& fresh);
  // One transaction, with what `also` writes: runs that are not there are made with their ids and times, others take what is new.
  base::Status adopt_runs(const std::vector<WholeRun>& runs, const store::Database::Write& also);
  base::Result<WholeRun> whole_run(const std::string& run_id);

 private:
  // What writing to a run needs to know of it.
  struct Writable {
    std::int64_t number = 0;
    std::string experiment_id;
    bool active = true;
  };
  struct Pending;  // one batch on its way through the writer

  base::Status adopt_point_rows();
  base::Status change_experiment_state(const std::string& id, bool deleted);
  base::Status change_run_state(const std::string& run_id, bool deleted);
  base::Result<Writable> writable(store::Writer& writer, const std::string& run_id);
  base::Result<RunRow> run_row(store::Writer& writer, const std::string& run_id);
  void remember(const std::string& run_id, const Writable& facts);
  void forget(const std::string& run_id);
  base::Status write_batch(store::Writer& writer, Pending& pending);
  void batch_applied(const Pending& pending);
  base::Status adopt_run(store::Writer& writer, const WholeRun& whole);
  base::Result<std::int64_t> number_of(const std::string& run_id);
  base::Result<std::vector<Run>> read_runs(const std::vector<std::int64_t>& numbers, bool values);
  // Runs `write` on the writer thread; when it is durable, `applied` runs there too, before this returns.
  base::Status commit(store::Database::Write write, const std::function<void()>& applied);

  store::Database& db_;
  base::Clock& clock_;
  MetricStore metrics_;
  RunIndex index_;
  std::mutex known_mutex_;
  std::unordered_map<std::string, Writable> known_;
};

// The page of a search, as run numbers in order. Defined in run_search.cpp.
struct FoundRuns {
  std::vector<std::int64_t> numbers;
  std::uint64_t total = 0;
  std::string next_after;
};
base::Result<FoundRuns> find_runs(store::Database& db, RunIndex& index,
                                  const std::vector<std::string>& experiments,
                                  const RunQuery& query);

}  // namespace maru::tracking
