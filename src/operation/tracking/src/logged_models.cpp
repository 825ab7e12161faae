#include "logged_models.h"

#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

#include "maru/base/id.h"
#include "maru/base/text.h"
#include "metric_store.h"
#include "mlflow_names.h"
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
  model_id TEXT NOT NULL, key TEXT NOT NULL, time_ms BIGINT NOT NULL, step BIGINT NOT NULL, run_id TEXT NOT NULL,
  dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, value DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (model_id, key, time_ms, step, run_id, dataset_name, dataset_digest));
)sql"}}};

// As for runs: NaN as text, infinities as the largest numbers.
Value value_cell(double value) {
  if (std::isnan(value)) return std::string("NaN");
  if (std::isinf(value)) return std::copysign(std::numeric_limits<double>::max(), value);
  return value;
}

tl::unexpected<base::Error> no_model(const std::string& id) {
  return base::fail(Code::kNotFound, "Logged model with ID '" + id + "' not found.");
}

constexpr std::size_t kMaxNameChars = 500;
constexpr std::size_t kMaxKeyChars = 255;

constexpr const char* kColumns =
    "SELECT m.id, m.experiment_id, m.name, m.model_type, m.source_run_id, m.status, "
    "m.status_message, m.created_us, m.updated_us, e.artifact_location FROM logged_models m JOIN "
    "experiments e ON e.id = m.experiment_id ";

LoggedModel model_of(const store::Row& row) {
  LoggedModel out;
  out.id = row.text(0);
  out.experiment_id = row.text(1);
  out.name = row.text(2);
  out.model_type = row.text(3);
  out.source_run_id = row.text(4);
  out.status = row.text(5);
  out.status_message = row.text(6);
  out.created_us = row.integer(7);
  out.updated_us = row.integer(8);
  const std::string& location = row.text(9);
  out.artifact_uri =
      below_uri(location.empty() ? "mlflow-artifacts:/" + out.experiment_id : location,
                "models/" + out.id + "/artifacts");
  return out;
}

// A parameter of a model never changes; saying the same again is harmless.
Status put_params(Writer& writer, const std::string& id, const Text& values) {
  for (const auto& [key, value] : values) {
    const auto cells = params(id, key, value);
    TRY_ASSIGN(const auto added,
               writer.execute("INSERT INTO logged_model_params (model_id, key, value) VALUES ($1, "
                              "$2, $3) ON CONFLICT DO NOTHING",
                              cells));
    if (added == 1) continue;
    const auto name = params(id, key);
    TRY_ASSIGN(const auto rows,
               writer.query(
                   "SELECT value FROM logged_model_params WHERE model_id = $1 AND key = $2", name));
    if (rows.at(0).text(0) != value)
      return base::fail(Code::kInvalidArgument,
                        "Changing param values is not allowed. Param with key='" + key +
                            "' was already logged with value='" + rows[0].text(0) +
                            "' for model ID='" + id + "'. Attempted logging new value '" + value +
                            "'.");
  }
  return {};
}

Status put_tags(Writer& writer, const std::string& id, const Text& tags) {
  for (const auto& [key, value] : tags) {
    const auto cells = params(id, key, value);
    TRY(
        writer.execute("INSERT INTO logged_model_tags (model_id, key, value) VALUES ($1, $2, $3) "
                       "ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value",
                       cells));
  }
  return {};
}

Status check_texts(const Text& pairs) {
  for (const auto& [key, value] : pairs) {
    if (key.empty() || !base::is_valid_utf8(key) || !base::is_valid_utf8(value) ||
        count_characters(key) > kMaxKeyChars || value.size() > kMaxValueBytes)
      return base::fail(Code::kInvalidArgument,
                        "a key has 1 to 255 characters and its value at most 65536 bytes: " +
                            base::replace_invalid_utf8(key.substr(0, 80)));
  }
  return {};
}

Status touch(Writer& writer, const std::string& id, std::int64_t now_us) {
  const auto cells = params(now_us, id);
  TRY_ASSIGN(const auto changed,
             writer.execute("UPDATE logged_models SET updated_us = $1 WHERE id = $2 AND state = "
                            "'active'",
                            cells));
  if (changed == 0) return no_model(id);
  return {};
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
    const auto cells = params(metric.model_id, metric.point.key, metric.point.time_ms,
                              metric.point.step, metric.run_id, metric.dataset_name,
                              metric.dataset_digest, value_cell(metric.point.value));
    TRY(writer.execute(
        "INSERT INTO logged_model_metrics (model_id, key, time_ms, step, run_id, dataset_name, "
        "dataset_digest, value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (model_id, "
        "key, time_ms, step, run_id, dataset_name, dataset_digest) DO UPDATE SET value = "
        "excluded.value",
        cells));
  }
  return {};
}

Result<LoggedModel> LoggedModelTables::create(const NewLoggedModel& model) {
  if (!model.name.empty()) TRY(check_logged_model_name(model.name));
  if (count_characters(model.name) > kMaxNameChars)
    return base::fail(Code::kInvalidArgument,
                      "'name' exceeds the maximum length of 500 characters");
  TRY(check_texts(model.params));
  TRY(check_texts(model.tags));
  const std::string digits = base::new_id(clock_), id = "m-" + digits;
  const std::string name =
      model.name.empty() ? "model-" + digits.substr(digits.size() - 8) : model.name;
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto key = params(model.experiment_id);
    TRY_ASSIGN(const auto rows, writer.query("SELECT state FROM experiments WHERE id = $1", key));
    if (rows.empty())
      return base::fail(Code::kNotFound,
                        "No Experiment with id=" + model.experiment_id + " exists");
    if (rows[0].text(0) != "active")
      return base::fail(Code::kInvalidArgument,
                        "The experiment " + model.experiment_id +
                            " must be in the 'active' state. Current state is " + rows[0].text(0) +
                            ".");
    const auto cells =
        params(id, model.experiment_id, name, model.model_type, model.source_run_id,
               std::string("pending"), std::string(), std::string("active"), clock_.now_us());
    TRY(
        writer.execute("INSERT INTO logged_models (id, experiment_id, name, model_type, "
                       "source_run_id, status, status_message, state, created_us, updated_us) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
                       cells));
    TRY(put_params(writer, id, model.params));
    return put_tags(writer, id, model.tags);
  }));
  return get(id);
}

Result<LoggedModel> LoggedModelTables::read(const std::string& id, bool deleted_too) {
  const auto key = params(id);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kColumns) + "WHERE m.id = $1" +
                                            (deleted_too ? "" : " AND m.state = 'active'"),
                                        key));
  if (rows.empty()) return no_model(id);
  LoggedModel out = model_of(rows[0]);
  TRY_ASSIGN(const auto param_rows,
             db_.query("SELECT key, value FROM logged_model_params WHERE model_id = $1", key));
  for (const auto& row : param_rows) out.params[row.text(0)] = row.text(1);
  TRY_ASSIGN(const auto tag_rows,
             db_.query("SELECT key, value FROM logged_model_tags WHERE model_id = $1", key));
  for (const auto& row : tag_rows) out.tags[row.text(0)] = row.text(1);
  TRY(db_.read([&](store::Reader& reader) -> Status {
    return reader.each(
        "SELECT key, time_ms, step, run_id, dataset_name, dataset_digest, value FROM "
        "logged_model_metrics WHERE model_id = $1 ORDER BY key, time_ms, step, run_id",
        key, [&](const store::Cursor& row) -> Status {
          ModelMetric metric;
          metric.model_id = id;
          metric.run_id = row.text(3);
          metric.point = {std::string(row.text(0)), read_metric(row, 6), row.integer(2),
                          row.integer(1)};
          metric.dataset_name = row.text(4);
          metric.dataset_digest = row.text(5);
          out.metrics.push_back(std::move(metric));
          return {};
        });
  }));
  return out;
}

Status LoggedModelTables::log_params(const std::string& id, const Text& values) {
  TRY(check_texts(values));
  return db_.write([&](Writer& writer) -> Status {
    TRY(touch(writer, id, clock_.now_us()));
    return put_params(writer, id, values);
  });
}

Result<LoggedModel> LoggedModelTables::set_status(const std::string& id,
                                                  const std::string& status) {
  if (status != "pending" && status != "ready" && status != "upload_failed")
    return base::fail(Code::kInvalidArgument, "not a status of a logged model: " + status);
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY(touch(writer, id, clock_.now_us()));
    const auto cells = params(status, id);
    TRY(writer.execute("UPDATE logged_models SET status = $1 WHERE id = $2", cells));
    return {};
  }));
  return get(id);
}

Status LoggedModelTables::set_tags(const std::string& id, const Text& tags) {
  TRY(check_texts(tags));
  return db_.write([&](Writer& writer) -> Status {
    TRY(touch(writer, id, clock_.now_us()));
    return put_tags(writer, id, tags);
  });
}

Status LoggedModelTables::remove_tag(const std::string& id, const std::string& key) {
  return db_.write([&](Writer& writer) -> Status {
    TRY(touch(writer, id, clock_.now_us()));
    const auto cells = params(id, key);
    TRY_ASSIGN(
        const auto removed,
        writer.execute("DELETE FROM logged_model_tags WHERE model_id = $1 AND key = $2", cells));
    if (removed == 0)
      return base::fail(Code::kNotFound,
                        "No tag with key '" + key + "' found for model with ID '" + id + "'.");
    return {};
  });
}

Status LoggedModelTables::remove(const std::string& id) {
  return db_.write([&](Writer& writer) -> Status {
    TRY(touch(writer, id, clock_.now_us()));
    const auto cells = params(id);
    TRY(writer.execute("UPDATE logged_models SET state = 'deleted' WHERE id = $1", cells));
    return {};
  });
}

}  // namespace maru::tracking
