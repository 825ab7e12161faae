#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"

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

struct Artifact {
  std::string path;  // "model/MLmodel": relative, '/'-separated, never "..", unique in its run
  std::string sha256;
  std::uint64_t bytes = 0;
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

struct ModelVersion {
  std::string model;
  int version = 0;
  std::string state;  // pending | ready | failed | archived
  std::string run_id, snapshot;
  base::Json metrics;  // {"roc_auc": {"value","low","high"}, ...}
  base::Json gates;    // [{"name","ok","value","bound","reason"}]
  base::Json card;     // what the model card shows (evaluation report)
  std::string description, reason;
  std::int64_t created_us = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> aliases;
};

struct Model {
  std::string project, name, task, description;
  std::int64_t created_us = 0, updated_us = 0;
  std::vector<ModelVersion> versions;  // newest first
  std::map<std::string, int> aliases;
};

struct AliasChange {
  std::string alias;
  int from = 0, to = 0;  // 0: none
  std::string reason, principal;
  std::int64_t time_us = 0;
};

struct AuditEntry {
  std::int64_t time_us = 0;
  std::string principal, action, object, detail;
};

// Experiments, runs, metrics, artifacts, the model registry and the audit trail. Every successful write is durable (store::Database::write).
// Names: 1..250 bytes of valid UTF-8 without '/', control characters or leading/trailing space. Thread safe.
class Tracking {
 public:
  static base::Result<std::unique_ptr<Tracking>> open(store::Database& db, blob::BlobStore& blobs,
                                                      base::Clock& clock);
  virtual ~Tracking() = default;

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

  virtual base::Status put_artifact(const std::string& run_id, const std::string& path,
                                    std::string_view bytes) = 0;
  virtual base::Result<std::vector<Artifact>> list_artifacts(const std::string& run_id) = 0;
  virtual base::Result<std::string> read_artifact(const std::string& run_id,
                                                  const std::string& path) = 0;

  // Registers the files below `folder` as the next version of `model` (created when absent): blobs first, then one transaction. State "ready".
  virtual base::Result<ModelVersion> register_version(const std::string& project,
                                                      const std::string& model,
                                                      const std::string& task,
                                                      const std::string& folder,
                                                      const ModelVersion& facts) = 0;
  virtual base::Result<std::vector<Model>> list_models(const std::string& project) = 0;
  virtual base::Result<Model> get_model(const std::string& project,
                                        const std::string& name) = 0;  // kNotFound with near names
  virtual base::Result<std::vector<Artifact>> version_files(const std::string& project,
                                                            const std::string& model,
                                                            int version) = 0;
  // Writes the version's files below `folder` (hash verified).
  virtual base::Status export_version(const std::string& project, const std::string& model,
                                      int version, const std::string& folder) = 0;
  // "" -> champion, else newest ready; "3" -> 3; an alias -> its version.
  virtual base::Result<int> resolve(const std::string& project, const std::string& model,
                                    const std::string& selector) = 0;
  // Atomic; version 0 removes the alias. Recorded in the alias history and the audit trail.
  virtual base::Status set_alias(const std::string& project, const std::string& model,
                                 const std::string& alias, int version, const std::string& reason,
                                 const std::string& principal) = 0;
  virtual base::Result<std::vector<AliasChange>> alias_history(const std::string& project,
                                                               const std::string& model,
                                                               std::size_t limit) = 0;
  virtual base::Status update_version(
      const std::string& project, const std::string& model, int version,
      const base::Json& changes) = 0;  // metrics, gates, card, description, state, reason

  virtual base::Status audit(const AuditEntry& entry) = 0;
  virtual base::Result<std::vector<AuditEntry>> audit_log(std::size_t limit) = 0;
  // Walks the hash chain of all entries: their number, or kDataLoss that names the first changed, missing or inserted one.
  virtual base::Result<std::uint64_t> verify_audit() = 0;

  // Small durable documents of other rooms' wiring ("endpoint", "monitor" configurations), by kind and name.
  virtual base::Status put_document(const std::string& project, const std::string& kind,
                                    const std::string& name, const base::Json& value) = 0;
  virtual base::Result<base::Json> get_document(const std::string& project, const std::string& kind,
                                                const std::string& name) = 0;
  virtual base::Result<std::vector<std::pair<std::string, base::Json>>> list_documents(
      const std::string& project, const std::string& kind) = 0;
  virtual base::Status remove_document(const std::string& project, const std::string& kind,
                                       const std::string& name) = 0;
};

}  // namespace maru::tracking
