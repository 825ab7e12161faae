#include "trash.h"

#include <array>

namespace maru::tracking {
namespace {

using base::Result;
using base::Status;
using store::params;
using store::Writer;

// How many objects one write removes: the writer belongs to everybody.
constexpr std::size_t kBatch = 50;

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
CREATE TABLE freed_blobs (sha256 TEXT PRIMARY KEY);
)sql"}}};

// The artifacts of an owner go; their blobs become candidates.
Status free_artifacts(Writer& writer, const std::string& owner) {
  const auto key = params(owner);
  TRY(
      writer.execute("INSERT INTO freed_blobs (sha256) SELECT DISTINCT sha256 FROM artifacts WHERE "
                     "run_id = $1 ON CONFLICT DO NOTHING",
                     key));
  TRY(writer.execute("DELETE FROM artifacts WHERE run_id = $1", key));
  return {};
}

Status remove_run(Writer& writer, std::int64_t number, const std::string& id) {
  const auto key = params(number);
  for (const char* statement :
       {"DELETE FROM run_values WHERE run = $1", "DELETE FROM run_metrics WHERE run = $1",
        "DELETE FROM metric_chunks WHERE run = $1", "DELETE FROM run_datasets WHERE run = $1",
        "DELETE FROM run_models WHERE run = $1", "DELETE FROM runs WHERE number = $1"})
    TRY(writer.execute(statement, key));
  return free_artifacts(writer, id);
}

}  // namespace

std::span<const store::Migration> trash_migrations() { return kMigrations; }

Status TrashTables::remove_runs(std::int64_t before_us, TrashReport& report) {
  for (;;) {
    const auto cells = params(before_us);
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT number, id, experiment_id FROM runs WHERE state = 'deleted' AND "
                         "deleted_us < $1 ORDER BY number LIMIT " +
                             std::to_string(kBatch),
                         cells));
    if (rows.empty()) return {};
    // What the tail still holds of them is folded first, so that no point comes after its run is gone.
    TRY(runs_.fold_metrics());
    TRY(db_.write([&](Writer& writer) -> Status {
      for (const auto& row : rows) TRY(remove_run(writer, row.integer(0), row.text(1)));
      return {};
    }));
    for (const auto& row : rows) runs_.forget_run(row.integer(0), row.text(1), row.text(2));
    report.runs += rows.size();
  }
}

Status TrashTables::remove_models(std::int64_t before_us, TrashReport& report) {
  const auto cells = params(before_us);
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT id FROM logged_models WHERE state = 'deleted' AND updated_us < $1", cells));
  for (const auto& row : rows) {
    TRY(db_.write([&](Writer& writer) -> Status {
      const auto key = params(row.text(0));
      for (const char* statement : {"DELETE FROM logged_model_params WHERE model_id = $1",
                                    "DELETE FROM logged_model_tags WHERE model_id = $1",
                                    "DELETE FROM logged_model_metrics WHERE model_id = $1",
                                    "DELETE FROM logged_models WHERE id = $1"})
        TRY(writer.execute(statement, key));
      return free_artifacts(writer, row.text(0));
    }));
    ++report.models;
  }
  return {};
}

// An experiment goes when its last run has gone.
Status TrashTables::remove_experiments(std::int64_t before_us, TrashReport& report) {
  const auto cells = params(before_us);
  return db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(
        const auto rows,
        writer.query("SELECT id FROM experiments WHERE state = 'deleted' AND deleted_us < $1 "
                     "AND NOT EXISTS (SELECT 1 FROM runs WHERE experiment_id = "
                     "experiments.id)",
                     cells));
    for (const auto& row : rows) {
      const auto key = params(row.text(0));
      for (const char* statement : {"DELETE FROM experiment_tags WHERE experiment_id = $1",
                                    "DELETE FROM datasets_logged WHERE experiment_id = $1",
                                    "DELETE FROM experiments WHERE id = $1"})
        TRY(writer.execute(statement, key));
    }
    report.experiments += rows.size();
    return {};
  });
}

Status TrashTables::remove_blobs(const UsedElsewhere& used, TrashReport& report) {
  TRY_ASSIGN(const auto rows, db_.query("SELECT sha256 FROM freed_blobs ORDER BY sha256"));
  for (const auto& row : rows) {
    const auto key = params(row.text(0));
    TRY_ASSIGN(
        const auto named,
        db_.query("SELECT 1 FROM artifacts WHERE sha256 = $1 UNION ALL SELECT 1 FROM "
                  "version_files WHERE sha256 = $1 UNION ALL SELECT 1 FROM upload_parts WHERE "
                  "sha256 = $1 LIMIT 1",
                  key));
    TRY_ASSIGN(const bool elsewhere, used(row.text(0)));
    if (named.empty() && !elsewhere) {
      TRY_ASSIGN(const bool removed, blobs_.remove_unused(row.text(0), kYoungUs));
      if (removed) ++report.blobs;
      // Young ones stay candidates.
      if (!removed && blobs_.stat(row.text(0))) continue;
    }
    TRY(db_.write([&](Writer& writer) -> Status {
      TRY(writer.execute("DELETE FROM freed_blobs WHERE sha256 = $1", key));
      return {};
    }));
  }
  return {};
}

Result<TrashReport> TrashTables::empty(std::int64_t before_us, const UsedElsewhere& used) {
  const std::lock_guard lock(one_at_a_time_);
  TrashReport report;
  TRY(remove_runs(before_us, report));
  TRY(remove_models(before_us, report));
  TRY(remove_experiments(before_us, report));
  TRY(remove_blobs(used, report));
  return report;
}

}  // namespace maru::tracking
