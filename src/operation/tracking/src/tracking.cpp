#include "maru/tracking/tracking.h"

#include "audit.h"
#include "registry.h"
#include "runs.h"
#include "schema.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

class StoredTracking final : public Tracking {
 public:
  StoredTracking(store::Database& db, blob::BlobStore& blobs, base::Clock& clock)
      : db_(db), runs_(db, blobs, clock), registry_(db, blobs, clock) {}

  Result<Experiment> ensure_experiment(const std::string& project,
                                       const std::string& name) override {
    return runs_.ensure_experiment(project, name);
  }
  Result<std::vector<Experiment>> list_experiments(const std::string& project) override {
    return runs_.list_experiments(project);
  }
  Result<Experiment> get_experiment(const std::string& id) override {
    return runs_.get_experiment(id);
  }
  Result<Run> create_run(const std::string& experiment_id, const std::string& name,
                         const std::string& source, const Text& tags) override {
    return runs_.create_run(experiment_id, name, source, tags);
  }
  Status log(const std::string& run_id, const RunBatch& batch) override {
    return runs_.log(run_id, batch);
  }
  Status finish_run(const std::string& run_id, const std::string& status) override {
    return runs_.finish_run(run_id, status);
  }
  Result<Run> get_run(const std::string& run_id) override { return runs_.get_run(run_id); }
  Result<RunPage> search_runs(const std::string& project, const RunQuery& query) override {
    return runs_.search_runs(project, query);
  }
  Result<std::vector<MetricPoint>> metric_history(const std::string& run_id,
                                                  const std::string& key) override {
    return runs_.metric_history(run_id, key);
  }
  Result<std::vector<std::string>> metric_keys(const std::string& run_id) override {
    return runs_.metric_keys(run_id);
  }
  Status put_artifact(const std::string& run_id, const std::string& path,
                      std::string_view bytes) override {
    return runs_.put_artifact(run_id, path, bytes);
  }
  Result<std::vector<Artifact>> list_artifacts(const std::string& run_id) override {
    return runs_.list_artifacts(run_id);
  }
  Result<std::string> read_artifact(const std::string& run_id, const std::string& path) override {
    return runs_.read_artifact(run_id, path);
  }

  Result<ModelVersion> register_version(const std::string& project, const std::string& model,
                                        const std::string& task, const std::string& folder,
                                        const ModelVersion& facts) override {
    return registry_.register_version(project, model, task, folder, facts);
  }
  Result<std::vector<Model>> list_models(const std::string& project) override {
    return registry_.list_models(project);
  }
  Result<Model> get_model(const std::string& project, const std::string& name) override {
    return registry_.get_model(project, name);
  }
  Result<std::vector<Artifact>> version_files(const std::string& project, const std::string& model,
                                              int version) override {
    return registry_.version_files(project, model, version);
  }
  Status export_version(const std::string& project, const std::string& model, int version,
                        const std::string& folder) override {
    return registry_.export_version(project, model, version, folder);
  }
  Result<int> resolve(const std::string& project, const std::string& model,
                      const std::string& selector) override {
    return registry_.resolve(project, model, selector);
  }
  Status set_alias(const std::string& project, const std::string& model, const std::string& alias,
                   int version, const std::string& reason, const std::string& principal) override {
    return registry_.set_alias(project, model, alias, version, reason, principal);
  }
  Result<std::vector<AliasChange>> alias_history(const std::string& project,
                                                 const std::string& model,
                                                 std::size_t limit) override {
    return registry_.alias_history(project, model, limit);
  }
  Status update_version(const std::string& project, const std::string& model, int version,
                        const Json& changes) override {
    return registry_.update_version(project, model, version, changes);
  }

  Status audit(const AuditEntry& entry) override {
    return db_.write([&](Writer& writer) { return append_audit(writer, entry); });
  }
  Result<std::uint64_t> verify_audit() override { return check_audit(db_); }

  Result<std::vector<AuditEntry>> audit_log(std::size_t limit) override {
    TRY_ASSIGN(const auto rows, db_.query("SELECT time_us, principal, action, object, detail FROM "
                                          "audit_entries ORDER BY number DESC LIMIT " +
                                          std::to_string(limit)));
    std::vector<AuditEntry> out;
    for (const auto& row : rows)
      out.push_back({row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4)});
    return out;
  }

  Status put_document(const std::string& project, const std::string& kind, const std::string& name,
                      const Json& value) override {
    return db_.write([&](Writer& writer) -> Status {
      const auto cells = params(project, kind, name, value.dump());
      TRY(writer.execute(
          "INSERT INTO documents (project, kind, name, value) VALUES ($1, $2, $3, $4) ON CONFLICT "
          "(project, kind, name) DO UPDATE SET value = excluded.value",
          cells));
      return {};
    });
  }

  Result<Json> get_document(const std::string& project, const std::string& kind,
                            const std::string& name) override {
    const auto key = params(project, kind, name);
    TRY_ASSIGN(
        const auto rows,
        db_.query("SELECT value FROM documents WHERE project = $1 AND kind = $2 AND name = $3",
                  key));
    if (rows.empty()) return base::fail(Code::kNotFound, "no " + kind + " has this name: " + name);
    return base::parse_json(rows[0].text(0));
  }

  Result<std::vector<std::pair<std::string, Json>>> list_documents(
      const std::string& project, const std::string& kind) override {
    const auto key = params(project, kind);
    TRY_ASSIGN(
        const auto rows,
        db_.query(
            "SELECT name, value FROM documents WHERE project = $1 AND kind = $2 ORDER BY name",
            key));
    std::vector<std::pair<std::string, Json>> out;
    for (const auto& row : rows) {
      TRY_ASSIGN(Json value, base::parse_json(row.text(1)));
      out.emplace_back(row.text(0), std::move(value));
    }
    return out;
  }

  Status remove_document(const std::string& project, const std::string& kind,
                         const std::string& name) override {
    return db_.write([&](Writer& writer) -> Status {
      const auto key = params(project, kind, name);
      TRY(writer.execute("DELETE FROM documents WHERE project = $1 AND kind = $2 AND name = $3",
                         key));
      return {};
    });
  }

 private:
  store::Database& db_;
  RunTables runs_;
  RegistryTables registry_;
};

}  // namespace

Result<std::unique_ptr<Tracking>> Tracking::open(store::Database& db, blob::BlobStore& blobs,
                                                 base::Clock& clock) {
  TRY(db.migrate("tracking", migrations()));
  return std::unique_ptr<Tracking>(std::make_unique<StoredTracking>(db, blobs, clock));
}

}  // namespace maru::tracking
