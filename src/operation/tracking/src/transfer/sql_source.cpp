#include <algorithm>
#include <limits>
#include <set>
#include <unordered_map>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/store/foreign.h"
#include "names.h"
#include "transfer/source.h"

// The tables of MLflow's SqlAlchemyStore (mlflow/store/tracking/dbmodels, mlflow/store/model_registry/dbmodels), 2.x and 3.x. A table or
// a column that an older schema lacks is read as empty.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::Cursor;
using store::params;

std::string text(const Cursor& row, int i) { return std::string(row.text(i)); }

// A column of a row, or what stands for it in a schema that lacks it.
class Tables {
 public:
  explicit Tables(store::ForeignDatabase& db) : db_(db) {}
  Status load() {
    TRY_ASSIGN(const auto columns, db_.columns());
    for (const auto& column : columns) columns_[column.table].insert(column.name);
    return {};
  }
  bool has(const std::string& table) const { return columns_.contains(table); }
  std::string column(const std::string& table, const std::string& name) const {
    const auto found = columns_.find(table);
    return found != columns_.end() && found->second.contains(name) ? "\"" + name + "\"" : "NULL";
  }
  std::string list(const std::string& table, std::initializer_list<const char*> names) const {
    std::string out;
    for (const char* name : names) out += (out.empty() ? "" : ", ") + column(table, name);
    return "SELECT " + out + " FROM " + table + " ";
  }

 private:
  store::ForeignDatabase& db_;
  std::map<std::string, std::set<std::string>> columns_;
};

class MlflowTables final : public Source {
 public:
  MlflowTables(std::unique_ptr<store::ForeignDatabase> db, ArtifactRoots roots, Damage& damage)
      : db_(std::move(db)), tables_(*db_), roots_(std::move(roots)), damage_(damage) {}

  Status load() {
    TRY(tables_.load());
    if (tables_.has("experiments") && tables_.has("runs") && tables_.has("metrics")) return {};
    return base::fail(Code::kInvalidArgument, "a database without MLflow's tables");
  }

  Result<std::vector<Experiment>> experiments() override {
    std::vector<Experiment> out;
    TRY(each(tables_.list("experiments", {"experiment_id", "name", "artifact_location",
                                          "lifecycle_stage", "creation_time", "last_update_time"}) +
                 "ORDER BY experiment_id",
             {}, [&](const Cursor& row) -> Status {
               Experiment one;
               one.id = text(row, 0);
               one.name = text(row, 1);
               one.artifact_location = text(row, 2);
               one.state = row.text(3) == "deleted" ? "deleted" : "active";
               one.created_us = us_from_ms(row.integer(4));
               one.updated_us = us_from_ms(row.integer(5));
               out.push_back(std::move(one));
               return {};
             }));
    for (auto& one : out)
      TRY(read_pairs("experiment_tags", "key", "value", "experiment_id", one.id, one.tags));
    return out;
  }

  Status each_run(const Experiment& experiment, const Visit<ForeignRun>& visit) override {
    std::vector<Run> runs;
    const auto key = params(number_of(experiment.id));
    TRY(each(tables_.list("runs", {"run_uuid", "name", "user_id", "status", "start_time",
                                   "end_time", "lifecycle_stage", "artifact_uri"}) +
                 "WHERE experiment_id = $1 ORDER BY start_time, run_uuid",
             key, [&](const Cursor& row) -> Status {
               Run run;
               run.id = text(row, 0);
               run.experiment_id = experiment.id;
               run.name = text(row, 1);
               run.user = text(row, 2);
               run.status = text(row, 3);
               run.start_us = us_from_ms(row.integer(4));
               run.end_us = us_from_ms(row.integer(5));
               run.state = row.text(6) == "deleted" ? "deleted" : "active";
               run.artifact_uri = text(row, 7);
               runs.push_back(std::move(run));
               return {};
             }));
    for (auto& run : runs) {
      ForeignRun out;
      out.run = std::move(run);
      if (const Status read = read_run(out); !read) {
        damage_.add("run " + out.run.id, read.error().text());
        continue;
      }
      const std::string folder =
          roots_.find(out.run.artifact_uri, experiment.id + "/" + out.run.id + "/artifacts");
      if (!folder.empty()) out.files = files_below(folder, damage_);
      TRY(visit(std::move(out)));
    }
    return {};
  }

  Status each_logged_model(const Experiment& experiment,
                           const Visit<ForeignModel>& visit) override {
    if (!tables_.has("logged_models")) return {};
    std::vector<ForeignModel> models;
    const auto key = params(number_of(experiment.id));
    TRY(each(tables_.list("logged_models",
                          {"model_id", "name", "model_type", "source_run_id", "status",
                           "status_message", "artifact_location", "creation_timestamp_ms",
                           "last_updated_timestamp_ms", "lifecycle_stage"}) +
                 "WHERE experiment_id = $1 ORDER BY model_id",
             key, [&](const Cursor& row) -> Status {
               ForeignModel one;
               LoggedModel& model = one.model;
               model.id = text(row, 0);
               model.experiment_id = experiment.id;
               model.name = text(row, 1);
               model.model_type = text(row, 2);
               model.source_run_id = text(row, 3);
               model.status = row.integer(4) == 2   ? "ready"
                              : row.integer(4) == 3 ? "upload_failed"
                                                    : "pending";
               model.status_message = text(row, 5);
               model.artifact_uri = text(row, 6);
               model.created_us = us_from_ms(row.integer(7));
               model.updated_us = us_from_ms(row.integer(8));
               one.deleted = row.text(9) == "deleted";
               models.push_back(std::move(one));
               return {};
             }));
    for (auto& one : models) {
      LoggedModel& model = one.model;
      TRY(read_pairs("logged_model_params", "param_key", "param_value", "model_id", model.id,
                     model.params));
      TRY(read_pairs("logged_model_tags", "tag_key", "tag_value", "model_id", model.id,
                     model.tags));
      TRY(read_model_metrics(model));
      const std::string folder =
          roots_.find(model.artifact_uri, experiment.id + "/models/" + model.id + "/artifacts");
      if (!folder.empty()) one.files = files_below(folder, damage_);
      TRY(visit(std::move(one)));
    }
    return {};
  }

  Status each_registered(const Visit<Model>& visit) override {
    if (!tables_.has("registered_models")) return {};
    std::vector<Model> models;
    TRY(each(tables_.list("registered_models",
                          {"name", "description", "creation_time", "last_updated_time"}) +
                 "ORDER BY name",
             {}, [&](const Cursor& row) -> Status {
               Model one;
               one.name = text(row, 0);
               one.description = text(row, 1);
               one.created_us = us_from_ms(row.integer(2));
               one.updated_us = us_from_ms(row.integer(3));
               models.push_back(std::move(one));
               return {};
             }));
    for (auto& one : models) {
      TRY(read_pairs("registered_model_tags", "key", "value", "name", one.name, one.tags));
      TRY(read_versions(one));
      TRY(visit(std::move(one)));
    }
    return {};
  }

 private:
  Status each(const std::string& sql, const std::vector<store::Value>& values,
              const store::Visit& visit) {
    return db_->read([&](store::Reader& reader) { return reader.each(sql, values, visit); });
  }
  // Ids of experiments are numbers in these tables.
  static store::Value number_of(const std::string& id) {
    const bool digits =
        !id.empty() && id.size() < 19 &&
        std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? store::Value(std::int64_t{std::stoll(id)}) : store::Value(id);
  }

  Status read_pairs(const std::string& table, const char* key, const char* value, const char* owner,
                    const std::string& id, Text& out) {
    if (!tables_.has(table)) return {};
    const bool number = std::string_view(owner) == "experiment_id";
    const auto cells = params(number ? number_of(id) : store::Value(id));
    return each(tables_.list(table, {key, value}) + "WHERE " + owner + " = $1", cells,
                [&](const Cursor& row) -> Status {
                  const std::string name = text(row, 0);
                  if (const auto good = check_key("key", name); !good)
                    damage_.add(table + " of " + id, good.error().text());
                  else if (!base::is_valid_utf8(row.text(1)))
                    damage_.add(table + " of " + id, name + " is not valid UTF-8");
                  else
                    out[name] = text(row, 1);
                  return {};
                });
  }

  Status read_run(ForeignRun& out) {
    Run& run = out.run;
    TRY(read_pairs("params", "key", "value", "run_uuid", run.id, run.params));
    TRY(read_pairs("tags", "key", "value", "run_uuid", run.id, run.tags));
    if (const auto name = run.tags.find("mlflow.runName");
        run.name.empty() && name != run.tags.end())
      run.name = name->second;
    TRY(read_points(out));
    return read_inputs(run);
  }

  Status read_points(ForeignRun& out) {
    std::unordered_map<std::string, std::size_t> place;
    const auto key = params(out.run.id);
    std::string last;
    std::size_t at = 0;
    TRY(each(tables_.list("metrics", {"key", "value", "timestamp", "step", "is_nan"}) +
                 "WHERE run_uuid = $1",
             key, [&](const Cursor& row) -> Status {
               const std::string_view name = row.text(0);
               if (out.series.empty() || name != last) {
                 last = name;
                 const auto [found, fresh] = place.try_emplace(last, out.series.size());
                 if (fresh) out.series.push_back({last, {}});
                 at = found->second;
               }
               const double value =
                   row.integer(4) != 0 ? std::numeric_limits<double>::quiet_NaN() : row.real(1);
               out.series[at].points.push_back({value, row.integer(3), row.integer(2)});
               return {};
             }));
    std::erase_if(out.series, [&](const TailEntry::Series& series) {
      const auto good = check_key("metric", series.key);
      if (!good) damage_.add("metrics of " + out.run.id, good.error().text());
      return !good;
    });
    return {};
  }

  Status read_inputs(Run& run) {
    if (!tables_.has("inputs")) return {};
    const auto key = params(run.id);
    std::vector<std::string> tagged;
    TRY(each("SELECT " + tables_.column("datasets", "name") +
                 ", digest, dataset_source_type, "
                 "dataset_source, dataset_schema, dataset_profile, i.input_uuid FROM inputs i JOIN "
                 "datasets d ON d.dataset_uuid = i.source_id WHERE i.source_type = 'DATASET' AND "
                 "i.destination_type = 'RUN' AND i.destination_id = $1",
             key, [&](const Cursor& row) -> Status {
               DatasetInput input;
               input.dataset = {text(row, 0), text(row, 1), text(row, 2),
                                text(row, 3), text(row, 4), text(row, 5)};
               tagged.push_back(text(row, 6));
               run.datasets.push_back(std::move(input));
               return {};
             }));
    for (std::size_t i = 0; i < tagged.size(); ++i)
      TRY(read_pairs("input_tags", "name", "value", "input_uuid", tagged[i], run.datasets[i].tags));
    return each(tables_.list("inputs", {"destination_id", "destination_type", "step"}) +
                    "WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id = $1",
                key, [&](const Cursor& row) -> Status {
                  if (row.text(1) == "MODEL_OUTPUT")
                    run.output_models.push_back({text(row, 0), row.integer(2)});
                  else if (row.text(1) == "MODEL_INPUT")
                    run.input_models.push_back(text(row, 0));
                  return {};
                });
  }

  Status read_model_metrics(LoggedModel& model) {
    if (!tables_.has("logged_model_metrics")) return {};
    const auto key = params(model.id);
    return each(tables_.list("logged_model_metrics",
                             {"metric_name", "metric_timestamp_ms", "metric_step", "metric_value",
                              "run_id", "dataset_name", "dataset_digest"}) +
                    "WHERE model_id = $1",
                key, [&](const Cursor& row) -> Status {
                  ModelMetric metric;
                  metric.model_id = model.id;
                  // The table has no column for NaN: SQLite keeps it as NULL.
                  metric.point = {
                      text(row, 0),
                      row.null(3) ? std::numeric_limits<double>::quiet_NaN() : row.real(3),
                      row.integer(2), row.integer(1)};
                  metric.run_id = row.text(4);
                  metric.dataset_name = row.text(5);
                  metric.dataset_digest = row.text(6);
                  model.metrics.push_back(std::move(metric));
                  return {};
                });
  }

  Status read_versions(Model& model) {
    const auto key = params(model.name);
    TRY(each(tables_.list("model_versions", {"version", "creation_time", "last_updated_time",
                                             "description", "user_id", "current_stage", "source",
                                             "run_id", "status", "run_link", "storage_location"}) +
                 "WHERE name = $1 ORDER BY version",
             key, [&](const Cursor& row) -> Status {
               ModelVersion one;
               one.model = model.name;
               one.version = static_cast<int>(row.integer(0));
               one.created_us = us_from_ms(row.integer(1));
               one.updated_us = us_from_ms(row.integer(2));
               one.description = row.text(3);
               one.user_id = row.text(4);
               one.stage = row.text(5).empty() ? "None" : text(row, 5);
               one.state = one.stage == "Deleted_Internal"        ? "deleted"
                           : row.text(8) == "FAILED_REGISTRATION" ? "failed"
                                                                  : "ready";
               one.source = row.text(6);
               one.run_id = row.text(7);
               one.run_link = row.text(9);
               one.storage = row.text(10);
               model.versions.push_back(std::move(one));
               return {};
             }));
    for (auto& one : model.versions) {
      const auto cells = params(model.name, std::int64_t{one.version});
      if (tables_.has("model_version_tags"))
        TRY(each(
            "SELECT \"key\", \"value\" FROM model_version_tags WHERE name = $1 AND version = $2",
            cells, [&](const Cursor& row) -> Status {
              one.tags[text(row, 0)] = text(row, 1);
              return {};
            }));
    }
    if (!tables_.has("registered_model_aliases")) return {};
    return each("SELECT alias, version FROM registered_model_aliases WHERE name = $1", key,
                [&](const Cursor& row) -> Status {
                  model.aliases[text(row, 0)] = static_cast<int>(row.integer(1));
                  return {};
                });
  }

  std::unique_ptr<store::ForeignDatabase> db_;
  Tables tables_;
  ArtifactRoots roots_;
  Damage& damage_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_mlflow_tables(const SourceOptions& options, Damage& damage) {
  TRY_ASSIGN(auto db, store::ForeignDatabase::open(options.path));
  ArtifactRoots roots;
  if (!options.artifact_root.empty()) roots.folders.push_back(options.artifact_root);
  if (!store::is_server_url(options.path)) {
    roots.base = base::parent_path(options.path);
    for (const char* beside : {"mlruns", "mlartifacts"})
      roots.folders.push_back(base::join_path(roots.base, beside));
  }
  auto source = std::make_unique<MlflowTables>(std::move(db), std::move(roots), damage);
  TRY(source->load());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace maru::tracking
