#include "run_store.h"

#include <array>

#include "maru/base/text.h"

namespace maru::pipeline {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Value;

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
CREATE TABLE pipeline_epochs (name TEXT PRIMARY KEY, epoch BIGINT NOT NULL);
CREATE TABLE pipeline_runs (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, pipeline TEXT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL,
  created_us BIGINT NOT NULL, started_us BIGINT NOT NULL, finished_us BIGINT NOT NULL,
  spec TEXT NOT NULL, parameters TEXT NOT NULL, error TEXT NOT NULL);
CREATE INDEX pipeline_runs_by_time ON pipeline_runs (project, created_us);
CREATE INDEX pipeline_runs_by_pipeline ON pipeline_runs (project, pipeline, created_us);
CREATE INDEX pipeline_runs_by_state ON pipeline_runs (state);
CREATE TABLE pipeline_tasks (
  run_id TEXT NOT NULL, name TEXT NOT NULL, position BIGINT NOT NULL, state TEXT NOT NULL, attempts BIGINT NOT NULL, cached BIGINT NOT NULL,
  cache_key TEXT NOT NULL, queued_us BIGINT NOT NULL, started_us BIGINT NOT NULL, finished_us BIGINT NOT NULL, outputs TEXT NOT NULL,
  error TEXT NOT NULL, hint TEXT NOT NULL, error_code TEXT NOT NULL, epoch BIGINT NOT NULL, PRIMARY KEY (run_id, name));
CREATE TABLE pipeline_cache (key TEXT PRIMARY KEY, outputs TEXT NOT NULL, run_id TEXT NOT NULL, task TEXT NOT NULL, created_us BIGINT NOT NULL);
CREATE TABLE pipeline_schedules (
  project TEXT NOT NULL, name TEXT NOT NULL, cron TEXT NOT NULL, spec TEXT NOT NULL, parameters TEXT NOT NULL, enabled BIGINT NOT NULL,
  last_tick_us BIGINT NOT NULL, next_tick_us BIGINT NOT NULL, PRIMARY KEY (project, name));
)sql"}}};

constexpr const char* kRunColumns =
    "id, project, pipeline, cause, state, created_us, started_us, finished_us, error, spec, "
    "parameters";

State parse_state(const std::string& name) {
  for (const State state : {State::kPending, State::kQueued, State::kRunning, State::kSucceeded,
                            State::kFailed, State::kSkipped}) {
    if (state_name(state) == name) return state;
  }
  return State::kCancelled;
}

std::string text_of(State state) { return std::string(state_name(state)); }

Status update_run(store::Writer& writer, const Run& run) {
  const auto values =
      params(text_of(run.state), run.started_us, run.finished_us, run.error, run.id);
  TRY(
      writer.execute("UPDATE pipeline_runs SET state = $1, started_us = $2, finished_us = $3, "
                     "error = $4 WHERE id = $5",
                     values));
  return {};
}

Status upsert_task(store::Writer& writer, const Run& run, const TaskRun& task,
                   std::uint64_t epoch) {
  const auto values = params(
      text_of(task.state), std::int64_t{task.attempts}, std::int64_t{task.cached}, task.cache_key,
      task.queued_us, task.started_us, task.finished_us, task.outputs.dump(), task.error, task.hint,
      task.error_code, static_cast<std::int64_t>(epoch), run.id, task.name);
  TRY(writer.execute(
      "UPDATE pipeline_tasks SET state = $1, attempts = $2, cached = $3, cache_key = $4, queued_us "
      "= $5, started_us = $6, finished_us = $7, outputs = $8, error = $9, hint = $10, "
      "error_code = $11, epoch = $12 WHERE run_id = $13 AND name = $14",
      values));
  return {};
}

Result<Run> run_of(const store::Row& row) {
  Run run;
  run.id = row.text(0);
  run.project = row.text(1);
  run.pipeline = row.text(2);
  run.trigger = row.text(3);
  run.state = parse_state(row.text(4));
  run.created_us = row.integer(5);
  run.started_us = row.integer(6);
  run.finished_us = row.integer(7);
  run.error = row.text(8);
  TRY_ASSIGN(const Json spec, base::parse_json(row.text(9)));
  TRY_ASSIGN(run.spec, PipelineSpec::from_json(spec));
  TRY_ASSIGN(run.parameters, base::parse_json(row.text(10)));
  return run;
}

}  // namespace

Status RunStore::migrate() { return db_.migrate("pipeline", kMigrations); }

Result<std::uint64_t> RunStore::next_epoch() {
  std::int64_t epoch = 0;
  TRY(db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO pipeline_epochs (name, epoch) VALUES ('scheduler', 1) ON "
                       "CONFLICT (name) DO UPDATE SET epoch = pipeline_epochs.epoch + 1"));
    TRY_ASSIGN(const auto rows,
               writer.query("SELECT epoch FROM pipeline_epochs WHERE name = 'scheduler'"));
    epoch = rows.at(0).integer(0);
    return {};
  }));
  epoch_ = epoch;
  return static_cast<std::uint64_t>(epoch);
}

Status RunStore::check_epoch(store::Writer& writer) const {
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT epoch FROM pipeline_epochs WHERE name = 'scheduler'"));
  if (!rows.empty() && rows[0].integer(0) == epoch_) return {};
  return base::fail(Code::kAborted, "another scheduler has taken over this home", "stop this one");
}

Status RunStore::insert(const Run& run, const store::Database::Write& also) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(check_epoch(writer));
    if (also) TRY(also(writer));
    const auto values = params(run.id, run.project, run.pipeline, run.trigger, text_of(run.state),
                               run.created_us, std::int64_t{0}, std::int64_t{0},
                               run.spec.to_json().dump(), run.parameters.dump(), std::string());
    TRY(writer.execute(
        "INSERT INTO pipeline_runs (id, project, pipeline, cause, state, created_us, started_us, "
        "finished_us, spec, parameters, error) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        values));
    std::int64_t position = 0;
    for (const auto& task : run.tasks) {
      const auto cells = params(run.id, task.name, position++, text_of(task.state));
      TRY(writer.execute(
          "INSERT INTO pipeline_tasks (run_id, name, position, state, attempts, cached, cache_key, "
          "queued_us, started_us, finished_us, outputs, error, hint, error_code, epoch) "
          "VALUES ($1, $2, $3, $4, 0, 0, '', 0, 0, 0, '{}', '', '', '', 0)",
          cells));
    }
    return {};
  });
}

Status RunStore::save_run(const Run& run) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(check_epoch(writer));
    return update_run(writer, run);
  });
}

Status RunStore::save_task(const Run& run, const TaskRun& task, std::uint64_t epoch,
                           bool with_run) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(check_epoch(writer));
    TRY(upsert_task(writer, run, task, epoch));
    return with_run ? update_run(writer, run) : Status{};
  });
}

Status RunStore::commit_success(const Run& run, const TaskRun& task, std::uint64_t epoch,
                                std::int64_t now_us) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(check_epoch(writer));
    const auto key = params(run.id, task.name);
    TRY_ASSIGN(
        const auto rows,
        writer.query(
            "SELECT state, attempts, epoch FROM pipeline_tasks WHERE run_id = $1 AND name = $2",
            key));
    const bool mine = !rows.empty() && rows[0].text(0) == "running" &&
                      rows[0].integer(1) == task.attempts &&
                      rows[0].integer(2) == static_cast<std::int64_t>(epoch);
    if (!mine) return base::fail(Code::kAborted, "a newer attempt owns task " + task.name);
    TRY(upsert_task(writer, run, task, epoch));
    if (task.cache_key.empty()) return {};
    const auto entry = params(task.cache_key, task.outputs.dump(), run.id, task.name, now_us);
    TRY(
        writer.execute("INSERT INTO pipeline_cache (key, outputs, run_id, task, created_us) VALUES "
                       "($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING",
                       entry));
    return {};
  });
}

Result<Json> RunStore::cached(const std::string& key) {
  const auto values = params(key);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT outputs FROM pipeline_cache WHERE key = $1", values));
  if (rows.empty()) return base::fail(Code::kNotFound, "no cached outputs");
  return base::parse_json(rows[0].text(0));
}

Status RunStore::load_tasks(Run& run, bool with_documents) {
  const auto values = params(run.id);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT name, state, attempts, cached, cache_key, queued_us, started_us, "
                       "finished_us, outputs, error, hint, error_code FROM pipeline_tasks WHERE "
                       "run_id = $1 ORDER BY position",
                       values));
  for (const auto& row : rows) {
    TaskRun task;
    task.name = row.text(0);
    task.state = parse_state(row.text(1));
    task.attempts = static_cast<int>(row.integer(2));
    task.cached = row.integer(3) != 0;
    task.cache_key = row.text(4);
    task.queued_us = row.integer(5);
    task.started_us = row.integer(6);
    task.finished_us = row.integer(7);
    task.error = row.text(9);
    task.hint = row.text(10);
    task.error_code = row.text(11);
    for (const auto& spec : run.spec.tasks) {
      if (spec.name != task.name) continue;
      task.kind = spec.kind;
      task.after = spec.after;
      if (with_documents) task.params = spec.params;
    }
    if (with_documents) {
      TRY_ASSIGN(task.outputs, base::parse_json(row.text(8)));
    }
    run.tasks.push_back(std::move(task));
  }
  return {};
}

Result<Run> RunStore::load(const std::string& run_id) {
  const auto values = params(run_id);
  TRY_ASSIGN(const auto rows,
             db_.query(std::string("SELECT ") + kRunColumns + " FROM pipeline_runs WHERE id = $1",
                       values));
  if (rows.empty())
    return base::fail(Code::kNotFound, "no run has this id: " + run_id, "see `maru pipeline list`");
  TRY_ASSIGN(Run run, run_of(rows[0]));
  TRY(load_tasks(run, true));
  return run;
}

Result<std::vector<Run>> RunStore::list(const std::string& project, const std::string& pipeline,
                                        std::size_t limit, std::size_t offset) {
  std::string sql = std::string("SELECT ") + kRunColumns + " FROM pipeline_runs WHERE project = $1";
  auto values = params(project);
  if (!pipeline.empty()) {
    sql += " AND pipeline = $2";
    values.emplace_back(pipeline);
  }
  sql += " ORDER BY created_us DESC, id DESC LIMIT " + std::to_string(limit) + " OFFSET " +
         std::to_string(offset);
  TRY_ASSIGN(const auto rows, db_.query(sql, values));
  std::vector<Run> out;
  for (const auto& row : rows) {
    TRY_ASSIGN(Run run, run_of(row));
    TRY(load_tasks(run, false));
    out.push_back(std::move(run));
  }
  return out;
}

Result<std::vector<std::string>> RunStore::unfinished() {
  TRY_ASSIGN(const auto rows, db_.query("SELECT id FROM pipeline_runs WHERE state IN ('pending', "
                                        "'queued', 'running') ORDER BY created_us"));
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.text(0));
  return out;
}

}  // namespace maru::pipeline
