#include "runs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "maru/base/id.h"
#include "maru/base/text.h"
#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Value;
using store::Writer;

Experiment experiment_of(const store::Row& row) {
  Experiment out;
  out.id = row.text(0);
  out.project = row.text(1);
  out.name = row.text(2);
  out.state = row.text(3);
  out.created_us = row.integer(4);
  out.updated_us = row.integer(5);
  return out;
}
constexpr const char* kExperimentColumns =
    "SELECT id, project, name, state, created_us, updated_us FROM experiments ";

Run run_of(const store::Row& row) {
  Run out;
  out.id = row.text(0);
  out.experiment_id = row.text(1);
  out.name = row.text(2);
  out.status = row.text(3);
  out.source = row.text(4);
  out.start_us = row.integer(5);
  out.end_us = row.integer(6);
  return out;
}
constexpr const char* kRunColumns =
    "SELECT r.id, r.experiment_id, r.name, r.status, r.source, r.start_us, r.end_us ";

Status put_tags(Writer& writer, const std::string& run_id, const Text& tags) {
  for (const auto& [key, value] : tags) {
    const auto cells = params(run_id, key, value);
    TRY(
        writer.execute("INSERT INTO run_tags (run_id, key, value) VALUES ($1, $2, $3) ON CONFLICT "
                       "(run_id, key) DO UPDATE SET value = excluded.value",
                       cells));
  }
  return {};
}

// A parameter never changes; saying the same again is harmless.
Status put_params(Writer& writer, const std::string& run_id, const Text& values) {
  for (const auto& [key, value] : values) {
    const auto cells = params(run_id, key, value);
    TRY_ASSIGN(const auto added,
               writer.execute("INSERT INTO run_params (run_id, key, value) VALUES ($1, $2, $3) ON "
                              "CONFLICT (run_id, key) DO NOTHING",
                              cells));
    if (added == 1) continue;
    const auto name = params(run_id, key);
    TRY_ASSIGN(const auto rows,
               writer.query("SELECT value FROM run_params WHERE run_id = $1 AND key = $2", name));
    if (rows.at(0).text(0) != value)
      return base::fail(Code::kInvalidArgument,
                        "parameter is already logged with another value: " + key,
                        "parameters of a run never change; use a tag or a new run");
  }
  return {};
}

// SQLite would keep NaN as NULL. As text it stays what it is, sorts after every number, and is PostgreSQL's spelling of it too.
Value metric_cell(double value) {
  return std::isnan(value) ? Value(std::string("NaN")) : Value(value);
}

double metric_of(const store::Row& row, std::size_t i) {
  return std::holds_alternative<std::string>(row.cells()[i])
             ? std::numeric_limits<double>::quiet_NaN()
             : row.real(i);
}

bool later(const MetricPoint& a, const MetricPoint& b) {
  if (a.step != b.step) return a.step > b.step;
  if (a.time_us != b.time_us) return a.time_us > b.time_us;
  return std::isnan(a.value) ? !std::isnan(b.value) : a.value > b.value;
}

Status put_metrics(Writer& writer, const std::string& run_id,
                   const std::vector<MetricPoint>& points) {
  std::map<std::string_view, const MetricPoint*> newest;
  for (const auto& point : points) {
    const auto cells =
        params(run_id, point.key, point.step, point.time_us, metric_cell(point.value));
    TRY(
        writer.execute("INSERT INTO metric_points (run_id, key, step, time_us, value) VALUES ($1, "
                       "$2, $3, $4, $5) ON CONFLICT DO NOTHING",
                       cells));
    const MetricPoint*& best = newest[point.key];
    if (best == nullptr || later(point, *best)) best = &point;
  }
  for (const auto& [key, point] : newest) {
    const auto cells =
        params(run_id, point->key, point->step, point->time_us, metric_cell(point->value));
    TRY(writer.execute(
        "INSERT INTO latest_metrics (run_id, key, step, time_us, value) VALUES ($1, $2, $3, $4, "
        "$5) ON CONFLICT (run_id, key) DO UPDATE SET step = excluded.step, time_us = "
        "excluded.time_us, "
        "value = excluded.value WHERE excluded.step > latest_metrics.step OR (excluded.step = "
        "latest_metrics.step AND (excluded.time_us > latest_metrics.time_us OR "
        "(excluded.time_us = latest_metrics.time_us AND excluded.value > latest_metrics.value)))",
        cells));
  }
  return {};
}

Status check_run(Writer& writer, const std::string& run_id) {
  const auto key = params(run_id);
  TRY_ASSIGN(const auto rows, writer.query("SELECT id FROM runs WHERE id = $1", key));
  if (rows.empty()) return base::fail(Code::kNotFound, "no run has this id: " + run_id);
  return {};
}

Status check_batch(const RunBatch& batch) {
  const std::size_t entries = batch.params.size() + batch.tags.size() + batch.metrics.size();
  if (entries > kMaxBatchEntries)
    return base::fail(Code::kTooLarge, "too many entries in one batch: " + std::to_string(entries),
                      "send at most " + std::to_string(kMaxBatchEntries));
  for (const auto* pairs : {&batch.params, &batch.tags}) {
    for (const auto& [key, value] : *pairs) {
      TRY(check_key(pairs == &batch.params ? "parameter" : "tag", key));
      if (value.size() > kMaxValueBytes)
        return base::fail(Code::kTooLarge, "value is longer than 64 KiB: " + key,
                          "log it as an artifact");
    }
  }
  for (const auto& point : batch.metrics) TRY(check_key("metric", point.key));
  return {};
}

// The ORDER BY of a search; the key of a metric or parameter becomes parameter $N.
struct Order {
  std::string join, by;
};

Result<Order> order_of(const RunQuery& query, std::vector<Value>& values) {
  const std::string direction = query.descending ? " DESC" : " ASC";
  for (const auto& [prefix, table] :
       {std::pair<std::string, std::string>{"metric:", "latest_metrics"},
        {"param:", "run_params"}}) {
    if (query.order_by.rfind(prefix, 0) != 0) continue;
    values.emplace_back(query.order_by.substr(prefix.size()));
    return Order{" LEFT JOIN " + table + " o ON o.run_id = r.id AND o.key = $" +
                     std::to_string(values.size()),
                 std::string(" ORDER BY (o.value IS NULL), ") +
                     (table == "latest_metrics" ? "(o.value = 'NaN'), " : "") + "o.value" +
                     direction + ", r.start_us DESC, r.id"};
  }
  for (const char* column : {"start_us", "end_us", "name", "status"}) {
    if (query.order_by == column)
      return Order{"", " ORDER BY r." + query.order_by + direction + ", r.id" + direction};
  }
  return base::fail(Code::kInvalidArgument, "runs cannot be ordered by: " + query.order_by,
                    "start_us, end_us, name, status, metric:KEY or param:KEY");
}

}  // namespace

Result<Experiment> RunTables::ensure_experiment(const std::string& project,
                                                const std::string& name) {
  TRY(check_name("experiment name", name));
  const auto key = params(project, name);
  const std::string find = std::string(kExperimentColumns) + "WHERE project = $1 AND name = $2";
  TRY_ASSIGN(const auto found, db_.query(find, key));
  if (!found.empty()) return experiment_of(found[0]);
  Experiment out;
  TRY(db_.write([&](Writer& writer) -> Status {
    const std::int64_t now_us = clock_.now_us();
    const auto cells = params(base::new_id(clock_), project, name, now_us, now_us);
    TRY(writer.execute(
        "INSERT INTO experiments (id, project, name, state, created_us, updated_us) VALUES ($1, "
        "$2, $3, 'active', $4, $5) ON CONFLICT (project, name) DO NOTHING",
        cells));
    TRY_ASSIGN(const auto rows, writer.query(find, key));
    out = experiment_of(rows.at(0));
    return {};
  }));
  return out;
}

Result<std::vector<Experiment>> RunTables::list_experiments(const std::string& project) {
  const auto key = params(project);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kExperimentColumns) +
                                            "WHERE project = $1 AND state = 'active' ORDER BY name",
                                        key));
  std::vector<Experiment> out;
  for (const auto& row : rows) out.push_back(experiment_of(row));
  return out;
}

Result<Experiment> RunTables::get_experiment(const std::string& id) {
  const auto key = params(id);
  TRY_ASSIGN(const auto rows, db_.query(std::string(kExperimentColumns) + "WHERE id = $1", key));
  if (rows.empty()) return base::fail(Code::kNotFound, "no experiment has this id: " + id);
  return experiment_of(rows[0]);
}

Result<Run> RunTables::create_run(const std::string& experiment_id, const std::string& name,
                                  const std::string& source, const Text& tags) {
  TRY(get_experiment(experiment_id));
  if (!name.empty()) TRY(check_key("run name", name));
  TRY(check_batch({{}, tags, {}}));
  Run run;
  run.id = base::new_id(clock_);
  run.experiment_id = experiment_id;
  run.name = name;
  run.status = "RUNNING";
  run.source = source;
  run.start_us = clock_.now_us();
  run.tags = tags;
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto cells = params(run.id, experiment_id, name, source, run.start_us);
    TRY(
        writer.execute("INSERT INTO runs (id, experiment_id, name, status, source, start_us, "
                       "end_us) VALUES ($1, $2, $3, 'RUNNING', $4, $5, 0)",
                       cells));
    return put_tags(writer, run.id, tags);
  }));
  return run;
}

Status RunTables::log(const std::string& run_id, const RunBatch& batch) {
  TRY(check_batch(batch));
  return db_.write([&](Writer& writer) -> Status {
    TRY(check_run(writer, run_id));
    TRY(put_params(writer, run_id, batch.params));
    TRY(put_tags(writer, run_id, batch.tags));
    return put_metrics(writer, run_id, batch.metrics);
  });
}

Status RunTables::finish_run(const std::string& run_id, const std::string& status) {
  static constexpr std::array<std::string_view, 5> kStatuses = {"RUNNING", "SCHEDULED", "FINISHED",
                                                                "FAILED", "KILLED"};
  if (std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) {
    return base::fail(Code::kInvalidArgument,
                      "not a run status: " + base::replace_invalid_utf8(status.substr(0, 60)),
                      "RUNNING, SCHEDULED, FINISHED, FAILED or KILLED");
  }
  return db_.write([&](Writer& writer) -> Status {
    TRY(check_run(writer, run_id));
    const auto cells = params(status, clock_.now_us(), run_id);
    TRY(writer.execute("UPDATE runs SET status = $1, end_us = $2 WHERE id = $3", cells));
    return {};
  });
}

Status RunTables::fill(Run& run) {
  const auto key = params(run.id);
  TRY_ASSIGN(const auto param_rows,
             db_.query("SELECT key, value FROM run_params WHERE run_id = $1", key));
  for (const auto& row : param_rows) run.params[row.text(0)] = row.text(1);
  TRY_ASSIGN(const auto tag_rows,
             db_.query("SELECT key, value FROM run_tags WHERE run_id = $1", key));
  for (const auto& row : tag_rows) run.tags[row.text(0)] = row.text(1);
  TRY_ASSIGN(
      const auto metric_rows,
      db_.query("SELECT key, value, step, time_us FROM latest_metrics WHERE run_id = $1", key));
  for (const auto& row : metric_rows)
    run.latest[row.text(0)] = {row.text(0), metric_of(row, 1), row.integer(2), row.integer(3)};
  return {};
}

Result<Run> RunTables::get_run(const std::string& run_id) {
  const auto key = params(run_id);
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kRunColumns) + "FROM runs r WHERE r.id = $1", key));
  if (rows.empty()) return base::fail(Code::kNotFound, "no run has this id: " + run_id);
  Run run = run_of(rows[0]);
  TRY(fill(run));
  return run;
}

Result<RunPage> RunTables::search_runs(const std::string& project, const RunQuery& query) {
  std::vector<Value> values = params(project);
  std::string where = " WHERE e.project = $1";
  if (!query.experiment_ids.empty()) {
    where += " AND r.experiment_id IN (";
    for (const auto& id : query.experiment_ids) {
      values.emplace_back(id);
      where += (where.back() == '(' ? "$" : ", $") + std::to_string(values.size());
    }
    where += ")";
  }
  if (!query.name_contains.empty()) {
    std::string pattern = "%";
    for (const char c : query.name_contains) {
      if (c == '%' || c == '_' || c == '!') pattern += '!';
      pattern += c;
    }
    values.emplace_back(pattern + "%");
    where += " AND lower(r.name) LIKE lower($" + std::to_string(values.size()) + ") ESCAPE '!'";
  }
  const std::string from = "FROM runs r JOIN experiments e ON e.id = r.experiment_id";
  RunPage page;
  TRY_ASSIGN(const auto total, db_.query("SELECT COUNT(*) " + from + where, values));
  page.total = static_cast<std::uint64_t>(total.at(0).integer(0));
  TRY_ASSIGN(const Order order, order_of(query, values));
  const std::string sql = std::string(kRunColumns) + from + order.join + where + order.by +
                          " LIMIT " + std::to_string(query.limit) + " OFFSET " +
                          std::to_string(query.offset);
  TRY_ASSIGN(const auto rows, db_.query(sql, values));
  for (const auto& row : rows) {
    Run run = run_of(row);
    TRY(fill(run));
    page.runs.push_back(std::move(run));
  }
  return page;
}

Result<std::vector<MetricPoint>> RunTables::metric_history(const std::string& run_id,
                                                           const std::string& key) {
  const auto cells = params(run_id, key);
  TRY_ASSIGN(const auto rows, db_.query("SELECT value, step, time_us FROM metric_points WHERE "
                                        "run_id = $1 AND key = $2 ORDER BY step, time_us, value",
                                        cells));
  std::vector<MetricPoint> out;
  for (const auto& row : rows)
    out.push_back({key, metric_of(row, 0), row.integer(1), row.integer(2)});
  return out;
}

Result<std::vector<std::string>> RunTables::metric_keys(const std::string& run_id) {
  const auto cells = params(run_id);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT key FROM latest_metrics WHERE run_id = $1 ORDER BY key", cells));
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.text(0));
  return out;
}

}  // namespace maru::tracking
