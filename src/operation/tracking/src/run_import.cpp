#include <algorithm>
#include <array>

#include "artifacts.h"
#include "maru/base/json.h"
#include "names.h"
#include "runs.h"

// The part of RunTables that takes in what was recorded elsewhere.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

Status add_experiment_tags(Writer& writer, const std::string& id, const Text& tags) {
  for (const auto& [key, value] : tags) {
    const auto cells = params(id, key, value);
    TRY(
        writer.execute("INSERT INTO experiment_tags (experiment_id, key, value) VALUES ($1, $2, "
                       "$3) ON CONFLICT DO NOTHING",
                       cells));
  }
  return {};
}

// The id of an experiment that `wanted` is, or "".
Result<std::string> same_experiment(Writer& writer, const Experiment& wanted) {
  const auto name = params(wanted.project, wanted.name);
  TRY_ASSIGN(const auto by_name,
             writer.query("SELECT id FROM experiments WHERE project = $1 AND name = $2", name));
  if (!by_name.empty()) return by_name[0].text(0);
  if (wanted.created_us == 0) return std::string();
  const auto key = params(wanted.project, wanted.id, wanted.created_us);
  TRY_ASSIGN(const auto by_id, writer.query("SELECT id FROM experiments WHERE project = $1 AND id "
                                            "= $2 AND created_us = $3",
                                            key));
  return by_id.empty() ? std::string() : by_id[0].text(0);
}

Result<std::string> free_id(Writer& writer, const std::string& wanted) {
  const auto key = params(wanted);
  TRY_ASSIGN(const auto taken, writer.query("SELECT 1 FROM experiments WHERE id = $1", key));
  if (taken.empty() && !wanted.empty()) return wanted;
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT COALESCE(MAX(CAST(id AS BIGINT)), 0) + 1 FROM experiments WHERE "
                          "LENGTH(id) < 19"));
  return std::to_string(rows.at(0).integer(0));
}

Status put_texts(Writer& writer, std::int64_t run, ValueKind kind, const Text& texts) {
  for (const auto& [key, value] : texts) {
    const auto cells = params(run, static_cast<std::int64_t>(kind), key, value);
    TRY(
        writer.execute("INSERT INTO run_values (run, kind, key, value) VALUES ($1, $2, $3, $4) ON "
                       "CONFLICT (run, kind, key) DO UPDATE SET value = excluded.value",
                       cells));
  }
  return {};
}

Status put_datasets(Writer& writer, std::int64_t run, const Run& from) {
  for (const auto& input : from.datasets) {
    const Dataset& d = input.dataset;
    const auto cells =
        params(from.experiment_id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile);
    TRY(writer.execute(
        "INSERT INTO datasets_logged (experiment_id, name, digest, source_type, source, columns, "
        "profile) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        cells));
    base::Json tags = base::Json::object();
    for (const auto& [key, value] : input.tags) tags.set(key, value);
    const auto link = params(run, from.experiment_id, d.name, d.digest, tags.dump());
    TRY(writer.execute(
        "INSERT INTO run_datasets (run, dataset, tags) SELECT $1, number, $5 FROM datasets_logged "
        "WHERE experiment_id = $2 AND name = $3 AND digest = $4 ON CONFLICT (run, dataset) DO "
        "UPDATE SET tags = excluded.tags",
        link));
  }
  return {};
}

Status put_models(Writer& writer, std::int64_t run, const Run& from) {
  const auto put = [&](const char* direction, const ModelOutput& model) -> Status {
    const auto cells = params(run, std::string(direction), model.model_id, model.step);
    TRY(writer.execute(
        "INSERT INTO run_models (run, direction, model_id, step) VALUES ($1, $2, $3, $4) ON "
        "CONFLICT (run, direction, model_id) DO UPDATE SET step = excluded.step",
        cells));
    return {};
  };
  for (const auto& id : from.input_models) TRY(put("in", {id, 0}));
  for (const auto& model : from.output_models) TRY(put("out", model));
  return {};
}

}  // namespace

Result<Experiment> RunTables::adopt_experiment(const Experiment& wanted, bool& fresh) {
  TRY(check_experiment_name(wanted.name));
  std::string id;
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(id, same_experiment(writer, wanted));
    fresh = id.empty();
    if (fresh) {
      TRY_ASSIGN(id, free_id(writer, wanted.id));
      const std::int64_t now_us = clock_.now_us();
      const std::int64_t created_us = wanted.created_us == 0 ? now_us : wanted.created_us;
      const bool deleted = wanted.state == "deleted";
      const auto cells =
          params(id, wanted.project, wanted.name, std::string(deleted ? "deleted" : "active"),
                 created_us, std::max(created_us, wanted.updated_us), wanted.artifact_location,
                 deleted ? now_us : std::int64_t{0});
      TRY(
          writer.execute("INSERT INTO experiments (id, project, name, state, created_us, "
                         "updated_us, artifact_location, deleted_us) VALUES ($1, $2, $3, $4, $5, "
                         "$6, $7, $8)",
                         cells));
    }
    return add_experiment_tags(writer, id, wanted.tags);
  }));
  return get_experiment(id);
}

Status RunTables::adopt_run(Writer& writer, const WholeRun& whole) {
  const Run& run = whole.run;
  const bool inputs =
      !run.datasets.empty() || !run.input_models.empty() || !run.output_models.empty();
  const auto cells = params(run.id, run.experiment_id, run.name, run.status, run.source, run.user,
                            run.state, run.artifact_uri, run.start_us, run.end_us,
                            run.state == "deleted" ? clock_.now_us() : std::int64_t{0},
                            std::int64_t{inputs ? 1 : 0});
  TRY_ASSIGN(
      const auto row,
      writer.query("INSERT INTO runs (id, experiment_id, name, status, source, user_name, state, "
                   "artifact_uri, start_us, end_us, deleted_us, has_inputs) VALUES ($1, $2, $3, "
                   "$4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO UPDATE SET name = "
                   "excluded.name, status = excluded.status, user_name = excluded.user_name, state "
                   "= excluded.state, start_us = excluded.start_us, end_us = excluded.end_us, "
                   "deleted_us = excluded.deleted_us, has_inputs = CASE WHEN "
                   "excluded.has_inputs = 1 THEN 1 ELSE runs.has_inputs END RETURNING number",
                   cells));
  const std::int64_t number = row.at(0).integer(0);
  TRY(put_texts(writer, number, ValueKind::kParam, run.params));
  TRY(put_texts(writer, number, ValueKind::kTag, run.tags));
  for (const auto& series : whole.series)
    TRY(metrics_.adopt(writer, number, series.key, series.points));
  TRY(put_datasets(writer, number, run));
  TRY(put_models(writer, number, run));
  for (const auto& artifact : whole.artifacts) TRY(put_artifact_row(writer, run.id, artifact));
  return {};
}

Status RunTables::adopt_runs(const std::vector<WholeRun>& runs,
                             const store::Database::Write& also) {
  return commit(
      [&](Writer& writer) -> Status {
        for (const auto& run : runs) TRY(adopt_run(writer, run));
        return also ? also(writer) : Status{};
      },
      [&] {
        std::string last;
        for (const auto& run : runs) {
          forget(run.run.id);
          if (run.run.experiment_id != last) index_.drop(run.run.experiment_id);
          last = run.run.experiment_id;
        }
      });
}

Result<WholeRun> RunTables::whole_run(const std::string& run_id) {
  WholeRun out;
  TRY_ASSIGN(const std::int64_t number, number_of(run_id));
  TRY_ASSIGN(out.run, get_run(run_id));
  TRY_ASSIGN(const auto keys, metric_keys(run_id));
  for (const auto& key : keys) {
    TRY_ASSIGN(auto points, metrics_.history(number, key));
    out.series.push_back({key, std::move(points)});
  }
  const auto cells = params(run_id);
  TRY_ASSIGN(const auto rows, db_.query("SELECT path, sha256, bytes FROM artifacts WHERE run_id = "
                                        "$1 ORDER BY path",
                                        cells));
  for (const auto& row : rows)
    out.artifacts.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.integer(2))});
  return out;
}

}  // namespace maru::tracking
