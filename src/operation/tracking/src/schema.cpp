#include "schema.h"

#include <array>

namespace maru::tracking {
namespace {

constexpr std::array<store::Migration, 2> kMigrations = {{{1, R"sql(
CREATE TABLE experiments (id TEXT PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, UNIQUE (project, name));
CREATE TABLE runs (
  id TEXT PRIMARY KEY, experiment_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL,
  start_us BIGINT NOT NULL, end_us BIGINT NOT NULL);
CREATE INDEX runs_by_start ON runs (experiment_id, start_us);
CREATE TABLE run_params (run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, key));
CREATE TABLE run_tags (run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, key));
CREATE TABLE metric_points (run_id TEXT NOT NULL, key TEXT NOT NULL, step BIGINT NOT NULL, time_us BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, PRIMARY KEY (run_id, key, step, time_us, value));
CREATE TABLE latest_metrics (run_id TEXT NOT NULL, key TEXT NOT NULL, step BIGINT NOT NULL, time_us BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, PRIMARY KEY (run_id, key));
CREATE INDEX latest_metrics_by_value ON latest_metrics (key, value);
CREATE TABLE artifacts (run_id TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (run_id, path));
CREATE TABLE models (project TEXT NOT NULL, name TEXT NOT NULL, task TEXT NOT NULL, description TEXT NOT NULL, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, PRIMARY KEY (project, name));
CREATE TABLE model_versions (
  project TEXT NOT NULL, model TEXT NOT NULL, version BIGINT NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL, snapshot TEXT NOT NULL,
  metrics TEXT NOT NULL, gates TEXT NOT NULL, card TEXT NOT NULL, description TEXT NOT NULL, reason TEXT NOT NULL, created_us BIGINT NOT NULL,
  bytes BIGINT NOT NULL, PRIMARY KEY (project, model, version));
CREATE TABLE version_files (project TEXT NOT NULL, model TEXT NOT NULL, version BIGINT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (project, model, version, path));
CREATE TABLE model_aliases (project TEXT NOT NULL, model TEXT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (project, model, alias));
CREATE TABLE alias_changes (
  project TEXT NOT NULL, model TEXT NOT NULL, number BIGINT NOT NULL, alias TEXT NOT NULL, from_version BIGINT NOT NULL, to_version BIGINT NOT NULL,
  reason TEXT NOT NULL, principal TEXT NOT NULL, time_us BIGINT NOT NULL, PRIMARY KEY (project, model, number));
CREATE TABLE audit_entries (number BIGINT PRIMARY KEY, time_us BIGINT NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, chain TEXT NOT NULL);
CREATE TABLE documents (project TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (project, kind, name));
)sql"},
                                                          {2, R"sql(
ALTER TABLE experiments ADD COLUMN artifact_location TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN deleted_us BIGINT NOT NULL DEFAULT 0;
CREATE TABLE experiment_tags (experiment_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (experiment_id, key)) WITHOUT ROWID;
CREATE TABLE tracked_runs (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, experiment_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL,
  user_name TEXT NOT NULL, state TEXT NOT NULL, artifact_uri TEXT NOT NULL, start_us BIGINT NOT NULL, end_us BIGINT NOT NULL, deleted_us BIGINT NOT NULL,
  has_inputs BIGINT NOT NULL);
CREATE INDEX runs_by_experiment ON tracked_runs (experiment_id, number);
INSERT INTO tracked_runs (number, id, experiment_id, name, status, source, user_name, state, artifact_uri, start_us, end_us, deleted_us, has_inputs)
  SELECT ROW_NUMBER() OVER (ORDER BY start_us, id), id, experiment_id, name, status, source, '', 'active', 'mlflow-artifacts:/' || experiment_id || '/' || id || '/artifacts', start_us, end_us, 0, 0 FROM runs;
CREATE TABLE run_values (run BIGINT NOT NULL, kind BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, kind, key)) WITHOUT ROWID;
INSERT INTO run_values (run, kind, key, value) SELECT t.number, 1, p.key, p.value FROM run_params p JOIN tracked_runs t ON t.id = p.run_id;
INSERT INTO run_values (run, kind, key, value) SELECT t.number, 2, p.key, p.value FROM run_tags p JOIN tracked_runs t ON t.id = p.run_id;
CREATE TABLE run_metrics (run BIGINT NOT NULL, key TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, step BIGINT NOT NULL, time_ms BIGINT NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE TABLE metric_chunks (run BIGINT NOT NULL, key TEXT NOT NULL, chunk BIGINT NOT NULL, points BIGINT NOT NULL, data BYTEA NOT NULL, PRIMARY KEY (run, key, chunk)) WITHOUT ROWID;
CREATE TABLE metric_tail (number INTEGER PRIMARY KEY, data BYTEA NOT NULL);
CREATE TABLE datasets_logged (
  number INTEGER PRIMARY KEY, experiment_id TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, source_type TEXT NOT NULL, source TEXT NOT NULL,
  columns TEXT NOT NULL, profile TEXT NOT NULL, UNIQUE (experiment_id, name, digest));
CREATE TABLE run_datasets (run BIGINT NOT NULL, dataset BIGINT NOT NULL, tags TEXT NOT NULL, PRIMARY KEY (run, dataset)) WITHOUT ROWID;
CREATE TABLE run_models (run BIGINT NOT NULL, direction TEXT NOT NULL, model_id TEXT NOT NULL, step BIGINT NOT NULL, PRIMARY KEY (run, direction, model_id)) WITHOUT ROWID;
DROP TABLE run_params;
DROP TABLE run_tags;
DROP TABLE latest_metrics;
DROP TABLE runs;
ALTER TABLE tracked_runs RENAME TO runs;
)sql"}}};

}  // namespace

std::span<const store::Migration> migrations() { return kMigrations; }

}  // namespace maru::tracking
