#include "maru/tracking/tracking.h"

#include "artifacts.h"
#include "audit.h"
#include "logged_models.h"
#include "registry.h"
#include "runs.h"
#include "schema.h"
#include "transfer/transfer.h"
#include "trash.h"

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
  StoredTracking(store::Database& db, blob::BlobStore& blobs, base::Clock& clock,
                 std::unique_ptr<Traces> traces, std::unique_ptr<Webhooks> webhooks)
      : db_(db),
        runs_(db, clock),
        artifacts_(db, blobs, clock),
        registry_(db, blobs, clock),
        logged_models_(db, clock),
        traces_(std::move(traces)),
        webhooks_(std::move(webhooks)),
        transfer_({db, blobs, clock, runs_, artifacts_, logged_models_, registry_}),
        trash_(db, blobs, runs_) {}

  Status start() { return runs_.start(); }
  Runs& runs() override { return runs_; }
  Artifacts& artifacts() override { return artifacts_; }
  Registry& registry() override { return registry_; }
  LoggedModels& logged_models() override { return logged_models_; }
  Traces& traces() override { return *traces_; }
  Webhooks& webhooks() override { return *webhooks_; }
  Transfer& transfer() override { return transfer_; }
  Trash& trash() override { return trash_; }

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
  ArtifactTables artifacts_;
  RegistryTables registry_;
  LoggedModelTables logged_models_;
  std::unique_ptr<Traces> traces_;
  std::unique_ptr<Webhooks> webhooks_;
  TransferTables transfer_;
  TrashTables trash_;
};

}  // namespace

Result<std::unique_ptr<Tracking>> Tracking::open(store::Database& db, blob::BlobStore& blobs,
                                                 base::Clock& clock,
                                                 std::optional<base::SealKey> key) {
  TRY(db.migrate("tracking", migrations()));
  TRY(db.migrate("tracking.logged_models", logged_model_migrations()));
  TRY(db.migrate("tracking.registry", registry_migrations()));
  TRY(db.migrate("tracking.artifacts", artifact_migrations()));
  TRY(db.migrate("tracking.trash", trash_migrations()));
  TRY(db.migrate("tracking.transfer", transfer_migrations()));
  TRY_ASSIGN(auto traces, Traces::open(db, clock));
  TRY_ASSIGN(auto webhooks, Webhooks::open(db, clock, std::move(key)));
  auto tracking =
      std::make_unique<StoredTracking>(db, blobs, clock, std::move(traces), std::move(webhooks));
  TRY(tracking->start());
  return std::unique_ptr<Tracking>(std::move(tracking));
}

}  // namespace maru::tracking
