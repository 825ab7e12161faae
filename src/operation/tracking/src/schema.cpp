#include "schema.h"

#include <array>

namespace maru::tracking {
namespace {

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
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
)sql"}}};

}  // namespace

std::span<const store::Migration> migrations() { return kMigrations; }

}  // namespace maru::tracking
