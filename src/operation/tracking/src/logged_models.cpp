#include "logged_models.h"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Value;
using store::Writer;

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
CREATE TABLE logged_models (
  id TEXT PRIMARY KEY, experiment_id TEXT NOT NULL, name TEXT NOT NULL, model_type TEXT NOT NULL, source_run_id TEXT NOT NULL,
  status TEXT NOT NULL, status_message TEXT NOT NULL, state TEXT NOT NULL, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL);
CREATE INDEX logged_models_by_time ON logged_models (experiment_id, created_us);
CREATE INDEX logged_models_by_run ON logged_models (source_run_id);
CREATE TABLE logged_model_params (model_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model_id, key));
CREATE TABLE logged_model_tags (model_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model_id, key));
CREATE TABLE logged_model_metrics (
  model_id TEXT NOT NULL, key TEXT NOT NULL, time_us BIGINT NOT NULL, step BIGINT NOT NULL, run_id TEXT NOT NULL,
  dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, value DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (model_id, key, time_us, step, run_id, dataset_name, dataset_digest));
)sql"}}};

// As for runs: NaN as text, infinities as the largest numbers.
Value value_cell(double value) {
  if (std::isnan(value)) return std::string("NaN");
  if (std::isinf(value)) return std::copysign(std::numeric_limits<double>::max(), value);
  return value;
}

}  // namespace

std::span<const store::Migration> logged_model_migrations() { return kMigrations; }

Status log_model_metrics(Writer& writer, std::span<const ModelMetric> points) {
  std::set<std::string_view> known;
  for (const auto& metric : points) {
    if (known.insert(metric.model_id).second) {
      const auto key = params(metric.model_id);
      TRY_ASSIGN(const auto rows, writer.query("SELECT 1 FROM logged_models WHERE id = $1", key));
      if (rows.empty())
        return base::fail(Code::kNotFound,
                          "Logged model with ID '" + metric.model_id + "' not found.");
    }
    TRY(check_key("metric", metric.point.key));
    const auto cells = params(metric.model_id, metric.point.key, metric.point.time_us,
                              metric.point.step, metric.run_id, metric.dataset_name,
                              metric.dataset_digest, value_cell(metric.point.value));
    TRY(writer.execute(
        "INSERT INTO logged_model_metrics (model_id, key, time_us, step, run_id, dataset_name, "
        "dataset_digest, value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (model_id, "
        "key, time_us, step, run_id, dataset_name, dataset_digest) DO UPDATE SET value = "
        "excluded.value",
        cells));
  }
  return {};
}

}  // namespace maru::tracking
