#include "trash.h"

#include <algorithm>
#include <array>
#include <map>

#include "maru/base/json.h"
#include "maru/tracking/artifacts.h"

namespace maru::tracking {
namespace {

using base::Result;
using base::Status;
using store::params;
using store::Writer;

// How many objects one write removes: the writer belongs to everybody.
constexpr std::size_t kBatch = 50;
constexpr const char* kSourceRun = "mlflow.sourceRun";

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

// Files that clients put beside a trace.
Status free_trace_files(Writer& writer, const std::string& folder) {
  const auto range = params(Artifacts::kFreeOwner, folder + "/", folder + "0");  // '0' follows '/'
  TRY(
      writer.execute("INSERT INTO freed_blobs (sha256) SELECT DISTINCT sha256 FROM artifacts WHERE "
                     "run_id = $1 AND path > $2 AND path < $3 ON CONFLICT DO NOTHING",
                     range));
  TRY(writer.execute("DELETE FROM artifacts WHERE run_id = $1 AND path > $2 AND path < $3", range));
  return {};
}

Status remove_trace(Writer& writer, std::int64_t number, const std::string& folder) {
  const auto key = params(number);
  for (const char* statement :
       {"DELETE FROM trace_spans WHERE trace = $1", "DELETE FROM trace_runs WHERE trace = $1",
        "DELETE FROM trace_assessments WHERE trace = $1", "DELETE FROM traces WHERE number = $1"})
    TRY(writer.execute(statement, key));
  return free_trace_files(writer, folder);
}

// The registered version, not deleted, whose files are below the column `place` of an outer row; NULL when there is none.
std::string keeper(const std::string& place) {
  return "(SELECT MIN(v.model || '/' || v.version) FROM model_versions v WHERE v.state <> "
         "'deleted' AND v.storage <> '' AND (v.storage = " +
         place + " OR substr(v.storage, 1, length(" + place + ") + 1) = " + place + " || '/'))";
}

// Where the files of a logged model are; the experiment is joined as `e`.
const std::string kModelPlace =
    "(CASE WHEN e.artifact_location = '' THEN 'mlflow-artifacts:/' || e.id ELSE "
    "e.artifact_location END || '/models/' || m.id || '/artifacts')";

Status remove_model(Writer& writer, const std::string& id) {
  const auto key = params(id);
  for (const char* statement : {"DELETE FROM logged_model_params WHERE model_id = $1",
                                "DELETE FROM logged_model_tags WHERE model_id = $1",
                                "DELETE FROM logged_model_metrics WHERE model_id = $1",
                                "DELETE FROM logged_models WHERE id = $1"})
    TRY(writer.execute(statement, key));
  return free_artifacts(writer, id);
}

Status remove_run(Writer& writer, std::int64_t number, const std::string& id) {
  const auto key = params(number);
  for (const char* statement :
       {"DELETE FROM run_values WHERE run = $1", "DELETE FROM run_metrics WHERE run = $1",
        "DELETE FROM metric_chunks WHERE run = $1", "DELETE FROM run_datasets WHERE run = $1",
        "DELETE FROM run_models WHERE run = $1", "DELETE FROM runs WHERE number = $1"})
    TRY(writer.execute(statement, key));
  const auto name = params(id);
  for (const char* table : {"trace_runs", "trace_runs_early"})
    TRY(writer.execute("DELETE FROM " + std::string(table) + " WHERE run_id = $1", name));
  return free_artifacts(writer, id);
}

}  // namespace

std::span<const store::Migration> trash_migrations() { return kMigrations; }

Status TrashTables::remove_runs(std::int64_t before_us, TrashReport& report) {
  for (;;) {
    const auto cells = params(before_us);
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT number, id, experiment_id FROM runs WHERE state = 'deleted' AND "
                         "deleted_us < $1 AND " +
                             keeper("runs.artifact_uri") + " IS NULL ORDER BY number LIMIT " +
                             std::to_string(kBatch),
                         cells));
    if (rows.empty()) return {};
    std::map<std::string, std::set<std::string>> by_experiment;
    for (const auto& row : rows) by_experiment[row.text(2)].insert(row.text(1));
    for (const auto& [experiment, runs] : by_experiment)
      TRY(remove_traces(experiment, &runs, report));
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

// The traces of an experiment: all, or those that were made in one of these runs.
Status TrashTables::remove_traces(const std::string& experiment_id,
                                  const std::set<std::string>* runs, TrashReport& report) {
  std::vector<std::pair<std::int64_t, std::string>> gone;
  const auto experiment = params(experiment_id);
  TRY(db_.read([&](store::Reader& reader) {
    return reader.each("SELECT number, id, metadata FROM traces WHERE experiment_id = $1",
                       experiment, [&](const store::Cursor& cursor) -> Status {
                         bool wanted = runs == nullptr;
                         if (!wanted) {
                           const auto metadata = base::parse_json(cursor.text(2));
                           wanted = metadata && runs->contains((*metadata)[kSourceRun].as_string());
                         }
                         if (wanted) gone.emplace_back(cursor.integer(0), cursor.text(1));
                         return {};
                       });
  }));
  for (std::size_t at = 0; at < gone.size(); at += kBatch) {
    const std::size_t end = std::min(gone.size(), at + kBatch);
    TRY(db_.write([&](Writer& writer) -> Status {
      for (std::size_t i = at; i < end; ++i)
        TRY(remove_trace(writer, gone[i].first, experiment_id + "/traces/" + gone[i].second));
      return {};
    }));
  }
  report.traces += gone.size();
  return {};
}

// Links to traces that never came.
Status TrashTables::remove_early_links(std::int64_t before_us) {
  return db_.write([&](Writer& writer) -> Status {
    const auto cells = params(before_us);
    TRY(writer.execute("DELETE FROM trace_runs_early WHERE created_us < $1", cells));
    return {};
  });
}

Status TrashTables::remove_models(std::int64_t before_us, TrashReport& report) {
  const auto cells = params(before_us);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT m.id FROM logged_models m JOIN experiments e ON e.id = "
                       "m.experiment_id WHERE ((m.state = 'deleted' AND m.updated_us < $1) OR "
                       "(e.state = 'deleted' AND e.deleted_us < $1)) AND " +
                           keeper(kModelPlace) + " IS NULL",
                       cells));
  for (const auto& row : rows) {
    TRY(db_.write([&](Writer& writer) { return remove_model(writer, row.text(0)); }));
    ++report.models;
  }
  return {};
}

// An experiment goes when its last run and logged model have gone, with its traces.
Status TrashTables::remove_experiments(std::int64_t before_us, TrashReport& report) {
  constexpr const char* kGone =
      "SELECT id FROM experiments WHERE state = 'deleted' AND deleted_us < $1 AND NOT EXISTS "
      "(SELECT 1 FROM runs WHERE experiment_id = experiments.id) AND NOT EXISTS (SELECT 1 FROM "
      "logged_models WHERE experiment_id = experiments.id)";
  const auto cells = params(before_us);
  TRY_ASSIGN(const auto going, db_.query(kGone, cells));
  for (const auto& row : going) TRY(remove_traces(row.text(0), nullptr, report));
  return db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(const auto rows, writer.query(kGone, cells));
    for (const auto& row : rows) {
      const std::string id = row.text(0);
      const auto key = params(id);
      // Spans that came meanwhile.
      TRY_ASSIGN(const auto late,
                 writer.query("SELECT number, id FROM traces WHERE experiment_id = $1", key));
      for (const auto& trace : late)
        TRY(remove_trace(writer, trace.integer(0), id + "/traces/" + trace.text(1)));
      for (const char* statement : {"DELETE FROM experiment_tags WHERE experiment_id = $1",
                                    "DELETE FROM datasets_logged WHERE experiment_id = $1",
                                    "DELETE FROM experiments WHERE id = $1"})
        TRY(writer.execute(statement, key));
      TRY(free_trace_files(writer, id + "/traces"));
    }
    report.experiments += rows.size();
    return {};
  });
}

Result<bool> TrashTables::uses(const std::string& sha256) {
  TRY_ASSIGN(const auto named,
             db_.query("SELECT 1 FROM artifacts WHERE sha256 = $1 UNION ALL SELECT 1 FROM "
                       "version_files WHERE sha256 = $1 UNION ALL SELECT 1 FROM upload_parts WHERE "
                       "sha256 = $1 LIMIT 1",
                       params(sha256)));
  return !named.empty();
}

Status TrashTables::remove_blobs(const UsedElsewhere& used, TrashReport& report) {
  TRY_ASSIGN(const auto rows, db_.query("SELECT sha256 FROM freed_blobs ORDER BY sha256"));
  for (const auto& row : rows) {
    const auto key = params(row.text(0));
    TRY_ASSIGN(const bool named, uses(row.text(0)));
    TRY_ASSIGN(const bool elsewhere, used(row.text(0)));
    if (!named && !elsewhere) {
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

Result<std::vector<TrashItem>> TrashTables::list(std::size_t limit) {
  const auto cells = params(static_cast<std::int64_t>(limit));
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT 'experiment', id, name, id, deleted_us, NULL FROM experiments WHERE state "
                "= 'deleted' UNION ALL SELECT 'run', id, name, experiment_id, deleted_us, " +
                    keeper("runs.artifact_uri") +
                    " FROM runs WHERE state = 'deleted' UNION ALL SELECT 'model', m.id, m.name, "
                    "m.experiment_id, m.updated_us, " +
                    keeper(kModelPlace) +
                    " FROM logged_models m JOIN experiments e ON e.id = m.experiment_id WHERE "
                    "m.state = 'deleted' ORDER BY 5 DESC, 2 LIMIT $1",
                cells));
  std::vector<TrashItem> out;
  for (const auto& row : rows)
    out.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4),
                   row.null(5) ? "" : row.text(5)});
  return out;
}

Result<TrashReport> TrashTables::empty(std::int64_t before_us, const UsedElsewhere& used) {
  const std::lock_guard lock(one_at_a_time_);
  TrashReport report;
  TRY(remove_runs(before_us, report));
  TRY(remove_models(before_us, report));
  TRY(remove_experiments(before_us, report));
  TRY(remove_early_links(before_us));
  TRY(remove_blobs(used, report));
  return report;
}

}  // namespace maru::tracking
