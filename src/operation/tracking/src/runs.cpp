#include "runs.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <limits>

#include "events.h"
#include "logged_models.h"
#include "maru/base/id.h"
#include "maru/base/json.h"
#include "maru/base/text.h"
#include "names.h"

// The part of RunTables that writes runs.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr std::size_t kMaxKnownRuns = 20'000;
constexpr const char* kRunNameTag = "mlflow.runName";

tl::unexpected<base::Error> no_run(const std::string& id) {
  return base::fail(Code::kNotFound,
                    "Run with id=" + base::replace_invalid_utf8(id.substr(0, 80)) + " not found");
}

tl::unexpected<base::Error> not_active(const std::string& run_id) {
  return base::fail(
      Code::kInvalidArgument,
      "The run " + run_id + " must be in the 'active' state. Current state is deleted.");
}

Status put_text(Writer& writer, std::int64_t run, ValueKind kind, const std::string& key,
                const std::string& value) {
  const auto cells = params(run, static_cast<std::int64_t>(kind), key, value);
  TRY(writer.execute(
      "INSERT INTO run_values (run, kind, key, value) VALUES ($1, $2, $3, $4) ON CONFLICT (run, "
      "kind, key) DO UPDATE SET value = excluded.value",
      cells));
  return {};
}

// A parameter never changes; saying the same again is harmless.
Status put_param(Writer& writer, std::int64_t run, const std::string& run_id,
                 const std::string& key, const std::string& value) {
  const auto cells = params(run, key, value);
  TRY_ASSIGN(const auto added,
             writer.execute("INSERT INTO run_values (run, kind, key, value) VALUES ($1, 1, $2, $3) "
                            "ON CONFLICT (run, kind, key) DO NOTHING",
                            cells));
  if (added == 1) return {};
  const auto name = params(run, key);
  TRY_ASSIGN(
      const auto rows,
      writer.query("SELECT value FROM run_values WHERE run = $1 AND kind = 1 AND key = $2", name));
  if (rows.at(0).text(0) == value) return {};
  return base::fail(Code::kInvalidArgument,
                    "Changing param values is not allowed. Param with key='" + key +
                        "' was already logged with value='" + rows.at(0).text(0) +
                        "' for run ID='" + run_id + "'. Attempted logging new value '" + value +
                        "'.");
}

Status check_batch(const RunBatch& batch) {
  const std::size_t entries =
      batch.params.size() + batch.tags.size() + batch.metrics.size() + batch.scoped.size();
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
  for (const auto& metric : batch.scoped) TRY(check_key("metric", metric.point.key));
  return {};
}

TailEntry entry_of(const RunBatch& batch) {
  TailEntry entry;
  std::unordered_map<std::string_view, std::size_t> place;
  const auto add = [&](const MetricPoint& point) {
    // Most batches are about one key, or each point has its own: look at the last series first.
    const bool same = !entry.series.empty() && entry.series.back().key == point.key;
    std::size_t at = entry.series.size() - 1;
    if (!same) {
      const auto [found, fresh] = place.try_emplace(point.key, entry.series.size());
      at = found->second;
      if (fresh) entry.series.push_back({point.key, {}});
    }
    entry.series[at].points.push_back({point.value, point.step, point.time_ms});
  };
  for (const auto& point : batch.metrics) add(point);
  for (const auto& metric : batch.scoped) add(metric.point);
  return entry;
}

// All points of a batch are one row; a run's name is a tag and a column, a model's metric a row beside.
store::Database::Changes changes_of(const RunBatch& batch) {
  const std::size_t statements =
      (batch.metrics.empty() ? 0 : 1) + batch.params.size() + batch.tags.size();
  const bool one = statements <= 1 && batch.scoped.empty() && !batch.tags.contains(kRunNameTag);
  return one ? store::Database::Changes::kOneStatement : store::Database::Changes::kAny;
}

Status write_row(Writer& writer, const RunRow& run) {
  const auto cells = params(run.name, run.status, run.end_us, run.number);
  TRY(writer.execute("UPDATE runs SET name = $1, status = $2, end_us = $3 WHERE number = $4",
                     cells));
  return {};
}

RunChange text_change(const RunRow& row, ValueKind kind, const std::string& key,
                      const std::string& value) {
  RunChange change;
  change.kind = RunChange::Kind::kText;
  change.row.id = row.id;
  change.row.number = row.number;
  change.row.experiment_id = row.experiment_id;
  change.value_kind = kind;
  change.key = key;
  change.value = value;
  return change;
}

}  // namespace

struct RunTables::Pending {
  std::string run_id;
  std::function<void(Status)> done;
  RunBatch batch;
  TailEntry entry;
  std::int64_t entry_number = 0;
  Writable run;
  bool rename = false;
  RunRow renamed;
};

Status Runs::finish_run(const std::string& run_id, const std::string& status) {
  const auto done = update_run(run_id, {.status = status, .end_us = now_us()});
  if (!done) return tl::unexpected(done.error());
  return {};
}

Status RunTables::start() {
  const std::int64_t now_us = clock_.now_us();
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto cells = params(now_us);
    TRY(writer.execute(
        "INSERT INTO experiments (id, project, name, state, created_us, updated_us) "
        "VALUES ('0', 'default', 'Default', 'active', $1, $1) ON CONFLICT DO NOTHING",
        cells));
    return {};
  }));
  TRY(adopt_point_rows());
  return metrics_.start();
}

// Homes of the first layout kept a row a point. They become entries of the tail, which is folded like any other.
Status RunTables::adopt_point_rows() {
  TRY_ASSIGN(
      const auto runs,
      db_.query("SELECT DISTINCT r.number, p.run_id FROM metric_points p JOIN runs r ON r.id "
                "= p.run_id"));
  for (const auto& run : runs) {
    TRY(db_.write([&](Writer& writer) -> Status {
      const auto key = params(run.text(1));
      TRY_ASSIGN(
          const auto rows,
          writer.query("SELECT key, value, step, time_us FROM metric_points WHERE run_id = $1 "
                       "ORDER BY key, step",
                       key));
      RunBatch batch;
      for (const auto& row : rows) {
        const bool nan = std::holds_alternative<std::string>(row.cells()[1]);
        batch.metrics.push_back({row.text(0),
                                 nan ? std::numeric_limits<double>::quiet_NaN() : row.real(1),
                                 row.integer(2), row.integer(3) / 1000});
      }
      TailEntry entry = entry_of(batch);
      entry.run = run.integer(0);
      TRY_ASSIGN(const auto last,
                 writer.query("SELECT COALESCE(MAX(number), 0) + 1 FROM metric_tail"));
      const auto cells = params(last.at(0).integer(0), store::Blob{encode_entry(entry)});
      TRY(writer.execute("INSERT INTO metric_tail (number, data) VALUES ($1, $2)", cells));
      TRY(writer.execute("DELETE FROM metric_points WHERE run_id = $1", key));
      return {};
    }));
  }
  return {};
}

Status RunTables::commit(store::Database::Write write, const std::function<void()>& applied) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable ready;
    bool finished = false;
    Status outcome;
  } waiting;
  db_.write_async(std::move(write), [&](Status outcome) {
    if (outcome) applied();
    const std::lock_guard lock(waiting.mutex);
    waiting.outcome = std::move(outcome);
    waiting.finished = true;
    waiting.ready.notify_one();
  });
  std::unique_lock lock(waiting.mutex);
  waiting.ready.wait(lock, [&] { return waiting.finished; });
  return std::move(waiting.outcome);
}

void RunTables::remember(const std::string& run_id, const Writable& facts) {
  const std::lock_guard lock(known_mutex_);
  if (known_.size() >= kMaxKnownRuns) known_.clear();
  known_[run_id] = facts;
}

void RunTables::forget(const std::string& run_id) {
  const std::lock_guard lock(known_mutex_);
  known_.erase(run_id);
}

Result<RunTables::Writable> RunTables::writable(Writer& writer, const std::string& run_id) {
  {
    const std::lock_guard lock(known_mutex_);
    const auto found = known_.find(run_id);
    if (found != known_.end()) {
      if (!found->second.active) return not_active(run_id);
      return found->second;
    }
  }
  const auto key = params(run_id);
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT number, experiment_id, state FROM runs WHERE id = $1", key));
  if (rows.empty()) return no_run(run_id);
  const Writable facts{rows[0].integer(0), rows[0].text(1), rows[0].text(2) == "active"};
  remember(run_id, facts);
  if (!facts.active) return not_active(run_id);
  return facts;
}

Result<RunRow> RunTables::run_row(Writer& writer, const std::string& run_id) {
  const auto key = params(run_id);
  TRY_ASSIGN(
      const auto rows,
      writer.query("SELECT number, id, experiment_id, name, status, source, user_name, state, "
                   "artifact_uri, start_us, end_us, has_inputs FROM runs WHERE id = $1",
                   key));
  if (rows.empty()) return no_run(run_id);
  const auto& row = rows[0];
  RunRow out;
  out.number = row.integer(0);
  out.id = row.text(1);
  out.experiment_id = row.text(2);
  out.name = row.text(3);
  out.status = row.text(4);
  out.source = row.text(5);
  out.user = row.text(6);
  out.state = row.text(7);
  out.artifact_uri = row.text(8);
  out.start_us = row.integer(9);
  out.end_us = row.integer(10);
  out.has_inputs = row.integer(11) != 0;
  return out;
}

Result<Run> RunTables::create_run(const NewRun& wanted) {
  TRY_ASSIGN(const Experiment experiment, get_experiment(wanted.experiment_id));
  if (experiment.state != "active")
    return base::fail(Code::kInvalidArgument,
                      "The experiment " + experiment.id +
                          " must be in the 'active' state. Current state is deleted.");
  if (!wanted.name.empty()) TRY(check_label("run name", wanted.name));
  Text tags = wanted.tags;
  if (!wanted.name.empty()) tags.emplace(kRunNameTag, wanted.name);
  TRY(check_batch({{}, tags, {}}));
  RunRow row;
  row.id = base::new_id(clock_);
  row.experiment_id = experiment.id;
  row.name = wanted.name;
  row.status = "RUNNING";
  row.source = wanted.source;
  row.user = wanted.user;
  row.state = "active";
  row.artifact_uri = below_uri(experiment.artifact_location, row.id + "/artifacts");
  row.start_us = wanted.start_us.value_or(clock_.now_us());
  const auto insert = [&](Writer& writer) -> Status {
    const auto cells = params(row.id, row.experiment_id, row.name, row.source, row.user,
                              row.artifact_uri, row.start_us);
    TRY_ASSIGN(const auto added,
               writer.query("INSERT INTO runs (id, experiment_id, name, status, source, "
                            "user_name, state, artifact_uri, start_us, end_us, deleted_us, "
                            "has_inputs) VALUES ($1, $2, $3, 'RUNNING', $4, $5, 'active', $6, $7, "
                            "0, 0, 0) RETURNING number",
                            cells));
    row.number = added.at(0).integer(0);
    for (const auto& [key, value] : tags)
      TRY(put_text(writer, row.number, ValueKind::kTag, key, value));
    return tell_run(writer, clock_.now_us(), "created",
                    {row.id, row.experiment_id, row.name, row.status});
  };
  TRY(commit(insert, [&] {
    remember(row.id, {row.number, row.experiment_id, true});
    RunChange made;
    made.row = row;
    index_.apply(std::move(made));
    for (const auto& [key, value] : tags)
      index_.apply(text_change(row, ValueKind::kTag, key, value));
  }));
  Run run;
  run.id = row.id;
  run.experiment_id = row.experiment_id;
  run.name = row.name;
  run.status = row.status;
  run.source = row.source;
  run.start_us = row.start_us;
  run.user = row.user;
  run.state = row.state;
  run.artifact_uri = row.artifact_uri;
  run.tags = std::move(tags);
  return run;
}

Result<Run> RunTables::update_run(const std::string& run_id, const RunUpdate& update) {
  static constexpr std::array<std::string_view, 5> kStatuses = {"RUNNING", "SCHEDULED", "FINISHED",
                                                                "FAILED", "KILLED"};
  if (update.status &&
      std::find(kStatuses.begin(), kStatuses.end(), *update.status) == kStatuses.end())
    return base::fail(
        Code::kInvalidArgument,
        "not a run status: " + base::replace_invalid_utf8(update.status->substr(0, 60)),
        "RUNNING, SCHEDULED, FINISHED, FAILED or KILLED");
  const bool rename = update.name && !update.name->empty();
  if (rename) TRY(check_label("run name", *update.name));
  RunRow row;
  const auto change = [&](Writer& writer) -> Status {
    TRY_ASSIGN(row, run_row(writer, run_id));
    if (row.state != "active") return not_active(run_id);
    if (rename) {
      row.name = *update.name;
      TRY(put_text(writer, row.number, ValueKind::kTag, kRunNameTag, row.name));
    }
    if (update.status) row.status = *update.status;
    if (update.end_us) row.end_us = *update.end_us;
    TRY(tell_run(writer, clock_.now_us(), "updated",
                 {row.id, row.experiment_id, row.name, row.status}));
    return write_row(writer, row);
  };
  TRY(commit(change, [&] {
    RunChange made;
    made.row = row;
    index_.apply(std::move(made));
    if (rename) index_.apply(text_change(row, ValueKind::kTag, kRunNameTag, row.name));
  }));
  return get_run(run_id);
}

Status RunTables::change_run_state(const std::string& run_id, bool deleted) {
  RunRow row;
  const auto change = [&](Writer& writer) -> Status {
    TRY_ASSIGN(row, run_row(writer, run_id));
    row.state = deleted ? "deleted" : "active";
    const auto cells = params(row.state, deleted ? clock_.now_us() : 0, row.number);
    TRY(writer.execute("UPDATE runs SET state = $1, deleted_us = $2 WHERE number = $3", cells));
    if (!deleted) return {};
    return tell_run(writer, clock_.now_us(), "deleted",
                    {row.id, row.experiment_id, row.name, row.status});
  };
  return commit(change, [&] {
    forget(run_id);
    RunChange made;
    made.row = row;
    index_.apply(std::move(made));
  });
}

void RunTables::forget_run(std::int64_t number, const std::string& id,
                           const std::string& experiment_id) {
  forget(id);
  metrics_.forget(number);
  index_.drop(experiment_id);
}

Status RunTables::delete_run(const std::string& run_id) { return change_run_state(run_id, true); }
Status RunTables::restore_run(const std::string& run_id) { return change_run_state(run_id, false); }

Status RunTables::write_batch(Writer& writer, Pending& pending) {
  TRY_ASSIGN(pending.run, writable(writer, pending.run_id));
  for (const auto& [key, value] : pending.batch.params)
    TRY(put_param(writer, pending.run.number, pending.run_id, key, value));
  for (const auto& [key, value] : pending.batch.tags) {
    TRY(put_text(writer, pending.run.number, ValueKind::kTag, key, value));
    if (key != kRunNameTag) continue;
    TRY_ASSIGN(pending.renamed, run_row(writer, pending.run_id));
    pending.renamed.name = value;
    pending.rename = true;
    TRY(write_row(writer, pending.renamed));
  }
  if (!pending.batch.scoped.empty()) {
    std::vector<ModelMetric> points;
    for (const auto& metric : pending.batch.scoped)
      points.push_back({metric.model_id, pending.run_id, metric.point, metric.dataset_name,
                        metric.dataset_digest});
    TRY(log_model_metrics(writer, points));
  }
  pending.entry.run = pending.run.number;
  if (pending.entry.series.empty()) return {};
  TRY_ASSIGN(pending.entry_number, metrics_.append(writer, pending.entry));
  return {};
}

void RunTables::log_async(const std::string& run_id, RunBatch batch,
                          std::function<void(Status)> done) {
  if (Status good = check_batch(batch); !good) return done(std::move(good));
  auto pending = std::make_shared<Pending>();
  pending->run_id = run_id;
  pending->done = std::move(done);
  pending->entry = entry_of(batch);
  pending->batch = std::move(batch);
  db_.write_async([this, pending](Writer& writer) { return write_batch(writer, *pending); },
                  [this, pending](Status outcome) {
                    if (outcome) batch_applied(*pending);
                    pending->done(std::move(outcome));
                  },
                  changes_of(pending->batch));
}

void RunTables::batch_applied(const Pending& pending) {
  RunRow row;
  row.id = pending.run_id;
  row.number = pending.run.number;
  row.experiment_id = pending.run.experiment_id;
  if (!pending.entry.series.empty()) metrics_.applied(pending.entry, pending.entry_number);
  for (const auto& series : pending.entry.series) {
    RunChange change;
    change.kind = RunChange::Kind::kMetric;
    change.row = row;
    change.key = series.key;
    change.point = *std::max_element(series.points.begin(), series.points.end(), earlier);
    index_.apply(std::move(change));
  }
  for (const auto& [key, value] : pending.batch.params)
    index_.apply(text_change(row, ValueKind::kParam, key, value));
  for (const auto& [key, value] : pending.batch.tags)
    index_.apply(text_change(row, ValueKind::kTag, key, value));
  if (!pending.rename) return;
  RunChange renamed;
  renamed.row = pending.renamed;
  index_.apply(std::move(renamed));
}

Status RunTables::log(const std::string& run_id, const RunBatch& batch) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable ready;
    bool finished = false;
    Status outcome;
  } waiting;
  log_async(run_id, batch, [&](Status outcome) {
    const std::lock_guard lock(waiting.mutex);
    waiting.outcome = std::move(outcome);
    waiting.finished = true;
    waiting.ready.notify_one();
  });
  std::unique_lock lock(waiting.mutex);
  waiting.ready.wait(lock, [&] { return waiting.finished; });
  return std::move(waiting.outcome);
}

Status RunTables::delete_tag(const std::string& run_id, const std::string& key) {
  RunRow row;
  const auto remove = [&](Writer& writer) -> Status {
    TRY_ASSIGN(row, run_row(writer, run_id));
    if (row.state != "active") return not_active(run_id);
    const auto cells = params(row.number, key);
    TRY_ASSIGN(
        const auto removed,
        writer.execute("DELETE FROM run_values WHERE run = $1 AND kind = 2 AND key = $2", cells));
    if (removed == 0)
      return base::fail(Code::kNotFound,
                        "No tag with name: " + base::replace_invalid_utf8(key.substr(0, 250)) +
                            " in run with id " + run_id);
    return {};
  };
  return commit(remove, [&] {
    RunChange change = text_change(row, ValueKind::kTag, key, "");
    change.kind = RunChange::Kind::kRemoveText;
    index_.apply(std::move(change));
  });
}

namespace {

Result<std::int64_t> put_dataset(Writer& writer, const std::string& experiment_id,
                                 const Dataset& dataset) {
  const auto key = params(experiment_id, dataset.name, dataset.digest);
  constexpr const char* kFind =
      "SELECT number FROM datasets_logged WHERE experiment_id = $1 AND name = $2 AND digest = $3";
  TRY_ASSIGN(const auto known, writer.query(kFind, key));
  if (!known.empty()) return known[0].integer(0);
  const auto cells = params(experiment_id, dataset.name, dataset.digest, dataset.source_type,
                            dataset.source, dataset.schema, dataset.profile);
  TRY_ASSIGN(const auto added,
             writer.query("INSERT INTO datasets_logged (experiment_id, name, digest, source_type, "
                          "source, columns, profile) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING "
                          "number",
                          cells));
  return added.at(0).integer(0);
}

Status put_model(Writer& writer, std::int64_t run, const char* direction, const std::string& model,
                 std::int64_t step) {
  const auto cells = params(run, std::string(direction), model, step);
  TRY(
      writer.execute("INSERT INTO run_models (run, direction, model_id, step) VALUES ($1, $2, $3, "
                     "$4) ON CONFLICT (run, direction, model_id) DO UPDATE SET step = "
                     "excluded.step",
                     cells));
  return {};
}

Status mark_inputs(Writer& writer, std::int64_t run) {
  const auto cells = params(run);
  TRY(writer.execute("UPDATE runs SET has_inputs = 1 WHERE number = $1", cells));
  return {};
}

}  // namespace

Status RunTables::log_inputs(const std::string& run_id, const std::vector<DatasetInput>& datasets,
                             const std::vector<std::string>& models) {
  return db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(const Writable run, writable(writer, run_id));
    for (const auto& input : datasets) {
      TRY_ASSIGN(const std::int64_t number, put_dataset(writer, run.experiment_id, input.dataset));
      base::Json tags = base::Json::object();
      for (const auto& [key, value] : input.tags) tags.set(key, value);
      const auto cells = params(run.number, number, tags.dump());
      TRY(
          writer.execute("INSERT INTO run_datasets (run, dataset, tags) VALUES ($1, $2, $3) ON "
                         "CONFLICT (run, dataset) DO UPDATE SET tags = excluded.tags",
                         cells));
    }
    for (const auto& model : models) TRY(put_model(writer, run.number, "in", model, 0));
    return mark_inputs(writer, run.number);
  });
}

Status RunTables::log_outputs(const std::string& run_id, const std::vector<ModelOutput>& models) {
  return db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(const Writable run, writable(writer, run_id));
    for (const auto& model : models)
      TRY(put_model(writer, run.number, "out", model.model_id, model.step));
    return mark_inputs(writer, run.number);
  });
}

}  // namespace maru::tracking
