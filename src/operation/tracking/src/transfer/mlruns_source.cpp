#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/tracking/foreign_formats.h"
#include "names.h"
#include "transfer/source.h"

// The folder that MLflow's FileStore keeps (mlflow/store/tracking/file_store.py, mlflow/store/model_registry/file_store.py).
namespace maru::tracking {
namespace {

using base::Code;
using base::join_path;
using base::Json;
using base::Result;
using base::Status;

constexpr std::size_t kMaxTextFileBytes = 4u << 20;  // a parameter or a tag
constexpr std::size_t kMaxMetaBytes = 32u << 20;
constexpr std::size_t kMaxMetricFileBytes = 4ull << 30;

// A text that YAML took for something else.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.as_string();
  return value.is_null() ? std::string() : value.dump();
}

std::string status_of(const Json& value) {  // the protobuf's number, or its name
  static constexpr const char* kNames[] = {"RUNNING",  "RUNNING", "SCHEDULED",
                                           "FINISHED", "FAILED",  "KILLED"};
  if (value.is_string()) return value.as_string();
  const std::int64_t number = value.as_int(1);
  return number >= 0 && number < 6 ? kNames[number] : "RUNNING";
}

std::string model_status(const Json& value) {
  const std::int64_t number = value.as_int(0);
  return number == 2 ? "ready" : number == 3 ? "upload_failed" : "pending";
}

bool parse_double(std::string_view text, double& out) {
  std::string lower = base::to_lower_ascii(text);
  const bool minus = !lower.empty() && lower.front() == '-';
  if (minus || (!lower.empty() && lower.front() == '+')) lower.erase(0, 1);
  if (lower == "nan") {
    out = std::numeric_limits<double>::quiet_NaN();
  } else if (lower == "inf" || lower == "infinity") {
    out = minus ? -HUGE_VAL : HUGE_VAL;
  } else {
    const char* begin = text.data() + (!text.empty() && text.front() == '+' ? 1 : 0);
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(begin, end, out);
    if (error == std::errc::result_out_of_range) {  // as Python reads it
      out = std::strtod(std::string(begin, end).c_str(), nullptr);
      return true;
    }
    return error == std::errc() && at == end;
  }
  return true;
}

bool parse_int(std::string_view text, std::int64_t& out) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && at == end && !text.empty();
}

// Words of a line between single blanks; at most eight are kept.
struct Words {
  std::string_view word[8];
  std::size_t count = 0;
};
Words words_of(std::string_view line) {
  Words out;
  line = base::trim(line);
  while (!line.empty()) {
    const std::size_t end = line.find(' ');
    if (out.count < 8) out.word[out.count] = line.substr(0, end);
    ++out.count;
    line = end == line.npos ? std::string_view() : line.substr(end + 1);
  }
  return out;
}

class Mlruns final : public Source {
 public:
  Mlruns(std::string root, ArtifactRoots roots, Damage& damage)
      : root_(std::move(root)), roots_(std::move(roots)), damage_(damage) {}

  Result<std::vector<Experiment>> experiments() override {
    std::vector<Experiment> out;
    for (const std::string& parent : {root_, join_path(root_, ".trash")}) {
      if (!base::is_folder(parent)) continue;
      TRY_ASSIGN(const auto names, base::list_folder(parent));
      for (const auto& name : names) {
        const std::string folder = join_path(parent, name);
        if (name == ".trash" || name == "models" || !base::is_folder(folder)) continue;
        if (!base::path_exists(join_path(folder, "meta.yaml")) && !has_runs(folder)) continue;
        auto experiment = read_experiment(folder, name);
        if (!experiment) {
          damage_.add(folder, experiment.error().text());
          continue;
        }
        folders_[experiment->id] = folder;
        out.push_back(std::move(*experiment));
      }
    }
    return out;
  }

  Status each_run(const Experiment& experiment, const Visit<ForeignRun>& visit) override {
    const std::string folder = folders_[experiment.id];
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const auto& name : names) {
      static constexpr std::string_view kOther[] = {"tags", "datasets", "traces", "models",
                                                    "assessments"};
      const std::string at = join_path(folder, name);
      if (std::find(std::begin(kOther), std::end(kOther), name) != std::end(kOther)) continue;
      // The artifact root of a server may be the same folder: what has no meta.yaml is no run.
      if (!base::is_folder(at)) continue;
      if (!base::path_exists(join_path(at, "meta.yaml"))) {
        if (base::is_folder(join_path(at, "metrics")) || base::is_folder(join_path(at, "params")))
          damage_.add(at, "a run without its meta.yaml");
        continue;
      }
      auto run = read_run(at, folder, experiment);
      if (!run) {
        damage_.add(at, run.error().text());
        continue;
      }
      TRY(visit(std::move(*run)));
    }
    return {};
  }

  Status each_logged_model(const Experiment& experiment,
                           const Visit<ForeignModel>& visit) override {
    const std::string folder = join_path(folders_[experiment.id], "models");
    if (!base::is_folder(folder)) return {};
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const auto& name : names) {
      const std::string at = join_path(folder, name);
      if (!base::path_exists(join_path(at, "meta.yaml"))) continue;
      auto model = read_model(at, experiment);
      if (!model) {
        damage_.add(at, model.error().text());
        continue;
      }
      TRY(visit(std::move(*model)));
    }
    return {};
  }

  Status each_registered(const Visit<Model>& visit) override {
    const std::string folder = join_path(root_, "models");
    if (!base::is_folder(folder)) return {};
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const auto& name : names) {
      const std::string at = join_path(folder, name);
      if (!base::path_exists(join_path(at, "meta.yaml"))) continue;
      auto model = read_registered(at);
      if (!model) {
        damage_.add(at, model.error().text());
        continue;
      }
      TRY(visit(std::move(*model)));
    }
    return {};
  }

 private:
  static Result<Json> meta_of(const std::string& folder) {
    const std::string path = join_path(folder, "meta.yaml");
    TRY_ASSIGN(const std::string text, read_whole(path, kMaxMetaBytes));
    auto meta = parse_yaml(text);
    if (!meta) return base::wrap(meta.error(), "meta.yaml cannot be read");
    if (!meta->is_object())
      return base::fail(Code::kDataLoss, "meta.yaml is no mapping of names to values");
    return meta;
  }

  // A server may keep artifacts in the same folder: without any meta.yaml it is no experiment.
  static bool has_runs(const std::string& folder) {
    const auto names = base::list_folder(folder);
    return names && std::any_of(names->begin(), names->end(), [&](const std::string& name) {
             return base::path_exists(join_path(join_path(folder, name), "meta.yaml"));
           });
  }

  // A file a key; '/' in a key is a folder.
  Text texts_below(const std::string& folder) {
    Text out;
    for (const auto& file : files_below(folder, damage_)) {
      auto text = read_whole(file.local, kMaxTextFileBytes);
      if (!text)
        damage_.add(file.local, text.error().text());
      else if (const auto good = check_key("key", file.path); !good)
        damage_.add(file.local, good.error().text());
      else if (!base::is_valid_utf8(*text))
        damage_.add(file.local, "is not valid UTF-8");
      else
        out[file.path] = std::move(*text);
    }
    return out;
  }

  Result<Experiment> read_experiment(const std::string& folder, const std::string& name) {
    TRY_ASSIGN(const Json meta, meta_of(folder));
    Experiment out;
    out.id = text_of(meta["experiment_id"]);
    if (out.id != name)
      return base::fail(Code::kDataLoss, "meta.yaml names another experiment: " + out.id);
    out.name = text_of(meta["name"]);
    out.state = meta["lifecycle_stage"].as_string() == "deleted" ? "deleted" : "active";
    out.artifact_location = text_of(meta["artifact_location"]);
    out.created_us = us_from_ms(meta["creation_time"].as_int());
    out.updated_us = us_from_ms(meta["last_update_time"].as_int());
    out.tags = texts_below(join_path(folder, "tags"));
    return out;
  }

  Result<ForeignRun> read_run(const std::string& folder, const std::string& experiment_folder,
                              const Experiment& experiment) {
    TRY_ASSIGN(const Json meta, meta_of(folder));
    ForeignRun out;
    Run& run = out.run;
    run.id = text_of(meta.has("run_id") ? meta["run_id"] : meta["run_uuid"]);
    if (run.id != base::file_name(folder))
      return base::fail(Code::kDataLoss, "meta.yaml names another run: " + run.id);
    run.experiment_id = experiment.id;
    if (text_of(meta["experiment_id"]) != experiment.id)
      return base::fail(Code::kDataLoss,
                        "meta.yaml names another experiment: " + text_of(meta["experiment_id"]));
    run.name = text_of(meta.has("run_name") ? meta["run_name"] : meta["name"]);
    run.status = status_of(meta["status"]);
    run.user = text_of(meta["user_id"]);
    run.state = meta["lifecycle_stage"].as_string() == "deleted" ? "deleted" : "active";
    run.artifact_uri = text_of(meta["artifact_uri"]);
    run.start_us = us_from_ms(meta["start_time"].as_int());
    run.end_us = us_from_ms(meta["end_time"].as_int());
    run.params = texts_below(join_path(folder, "params"));
    run.tags = texts_below(join_path(folder, "tags"));
    if (const auto name = run.tags.find("mlflow.runName");
        run.name.empty() && name != run.tags.end())
      run.name = name->second;
    for (const auto& file : files_below(join_path(folder, "metrics"), damage_))
      read_metric_file(file, out);
    read_inputs(folder, experiment_folder, run);
    read_outputs(folder, run);
    const std::vector<std::string> none;
    std::string artifacts = join_path(folder, "artifacts");
    if (!base::is_folder(artifacts) || base::list_folder(artifacts).value_or(none).empty())
      artifacts = roots_.find(run.artifact_uri, experiment.id + "/" + run.id + "/artifacts");
    if (!artifacts.empty()) out.files = files_below(artifacts, damage_);
    return out;
  }

  // Calls `row(words)` for every line; false from it counts the line as damaged.
  template <class Row>
  void each_line(const ForeignFile& file, const Row& row) {
    const auto text = read_whole(file.local, kMaxMetricFileBytes);
    if (!text) return damage_.add(file.local, text.error().text());
    std::string_view rest = *text;
    std::uint64_t bad = 0, first = 0, number = 0;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const Words words = words_of(rest.substr(0, end));
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
      ++number;
      if (words.count == 0 || row(words)) continue;
      if (bad++ == 0) first = number;
    }
    if (bad > 0)
      damage_.add(file.local, std::to_string(bad) + " lines are no points, the first is line " +
                                  std::to_string(first));
  }

  // "timestamp value [step [dataset digest]]"; the first versions of MLflow wrote no step.
  void read_metric_file(const ForeignFile& file, ForeignRun& out) {
    if (const auto good = check_key("metric", file.path); !good)
      return damage_.add(file.local, good.error().text());
    TailEntry::Series series{file.path, {}};
    each_line(file, [&](const Words& words) {
      Point point;
      const bool good = (words.count == 2 || words.count == 3 || words.count == 5) &&
                        parse_int(words.word[0], point.time_ms) &&
                        parse_double(words.word[1], point.value) &&
                        (words.count == 2 || parse_int(words.word[2], point.step));
      if (good) series.points.push_back(point);
      return good;
    });
    if (!series.points.empty()) out.series.push_back(std::move(series));
  }

  void read_inputs(const std::string& folder, const std::string& experiment_folder, Run& run) {
    const auto names = base::list_folder(join_path(folder, "inputs"));
    if (!names) return;
    for (const auto& name : *names) {
      const std::string at = join_path(join_path(folder, "inputs"), name);
      const auto meta = meta_of(at);
      if (!meta) {
        damage_.add(at, meta.error().text());
        continue;
      }
      const std::string id = text_of((*meta)["source_id"]);
      if ((*meta)["source_type"].as_string() != "DATASET") {
        run.input_models.push_back(id);
        continue;
      }
      const auto found = id.find('/') != std::string::npos || id.rfind("..", 0) == 0
                             ? Result<Json>(base::fail(Code::kInvalidArgument, "not an id: " + id))
                             : meta_of(join_path(join_path(experiment_folder, "datasets"), id));
      if (!found) {
        damage_.add(at, found.error().text());
        continue;
      }
      DatasetInput input;
      input.dataset = {text_of((*found)["name"]),        text_of((*found)["digest"]),
                       text_of((*found)["source_type"]), text_of((*found)["source"]),
                       text_of((*found)["schema"]),      text_of((*found)["profile"])};
      for (const auto& [key, value] : (*meta)["tags"].members()) input.tags[key] = text_of(value);
      run.datasets.push_back(std::move(input));
    }
  }

  void read_outputs(const std::string& folder, Run& run) {
    const auto names = base::list_folder(join_path(folder, "outputs"));
    if (!names) return;
    for (const auto& name : *names) {
      const std::string at = join_path(join_path(folder, "outputs"), name);
      const auto meta = meta_of(at);
      if (!meta)
        damage_.add(at, meta.error().text());
      else
        run.output_models.push_back({name, (*meta)["step"].as_int()});
    }
  }

  Result<ForeignModel> read_model(const std::string& folder, const Experiment& experiment) {
    TRY_ASSIGN(const Json meta, meta_of(folder));
    ForeignModel out;
    LoggedModel& model = out.model;
    model.id = text_of(meta["model_id"]);
    if (model.id != base::file_name(folder))
      return base::fail(Code::kDataLoss, "meta.yaml names another model: " + model.id);
    model.experiment_id = experiment.id;
    model.name = text_of(meta["name"]);
    model.model_type = text_of(meta["model_type"]);
    model.source_run_id = text_of(meta["source_run_id"]);
    model.status = model_status(meta["status"]);
    model.status_message = text_of(meta["status_message"]);
    model.artifact_uri = text_of(meta["artifact_location"]);
    model.created_us = us_from_ms(meta["creation_timestamp"].as_int());
    model.updated_us = us_from_ms(meta["last_updated_timestamp"].as_int());
    out.deleted = meta["lifecycle_stage"].as_string() == "deleted";
    model.params = texts_below(join_path(folder, "params"));
    model.tags = texts_below(join_path(folder, "tags"));
    for (const auto& file : files_below(join_path(folder, "metrics"), damage_)) {
      each_line(file, [&](const Words& words) {
        ModelMetric metric;
        metric.model_id = model.id;
        metric.point.key = file.path;
        if ((words.count != 4 && words.count != 6) ||
            !parse_int(words.word[0], metric.point.time_ms) ||
            !parse_double(words.word[1], metric.point.value) ||
            !parse_int(words.word[2], metric.point.step))
          return false;
        metric.run_id = words.word[3];
        metric.dataset_name = words.word[4];
        metric.dataset_digest = words.word[5];
        model.metrics.push_back(std::move(metric));
        return true;
      });
    }
    std::string artifacts = join_path(folder, "artifacts");
    if (!base::is_folder(artifacts))
      artifacts =
          roots_.find(model.artifact_uri, experiment.id + "/models/" + model.id + "/artifacts");
    if (!artifacts.empty()) out.files = files_below(artifacts, damage_);
    return out;
  }

  Result<Model> read_registered(const std::string& folder) {
    TRY_ASSIGN(const Json meta, meta_of(folder));
    Model out;
    out.name = text_of(meta["name"]);
    out.description = text_of(meta["description"]);
    out.created_us = us_from_ms(meta["creation_timestamp"].as_int());
    out.updated_us = us_from_ms(meta["last_updated_timestamp"].as_int());
    out.tags = texts_below(join_path(folder, "tags"));
    for (const auto& [alias, number] : texts_below(join_path(folder, "aliases"))) {
      std::int64_t version = 0;
      if (parse_int(base::trim(number), version)) out.aliases[alias] = static_cast<int>(version);
    }
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const auto& name : names) {
      if (name.rfind("version-", 0) != 0) continue;
      const std::string at = join_path(folder, name);
      auto version = read_version_folder(at, out.name);
      if (version)
        out.versions.push_back(std::move(*version));
      else
        damage_.add(at, version.error().text());
    }
    std::sort(out.versions.begin(), out.versions.end(),
              [](const ModelVersion& a, const ModelVersion& b) { return a.version < b.version; });
    return out;
  }

  Result<ModelVersion> read_version_folder(const std::string& folder, const std::string& model) {
    TRY_ASSIGN(const Json meta, meta_of(folder));
    ModelVersion out;
    out.model = model;
    std::int64_t number = 0;
    if (!parse_int(text_of(meta["version"]), number) || number < 1 || number > 1'000'000'000)
      return base::fail(Code::kDataLoss, "not a version: " + text_of(meta["version"]));
    out.version = static_cast<int>(number);
    out.stage = text_of(meta["current_stage"]);
    if (out.stage.empty()) out.stage = "None";
    out.state = out.stage == "Deleted_Internal" ? "deleted" : "ready";
    if (meta["status"].as_string() == "FAILED_REGISTRATION") out.state = "failed";
    out.description = text_of(meta["description"]);
    out.run_id = text_of(meta["run_id"]);
    out.run_link = text_of(meta["run_link"]);
    out.source = text_of(meta["source"]);
    out.storage = text_of(meta["storage_location"]);
    out.user_id = text_of(meta["user_id"]);
    out.model_id = text_of(meta["model_id"]);
    out.created_us = us_from_ms(meta["creation_timestamp"].as_int());
    out.updated_us = us_from_ms(meta["last_updated_timestamp"].as_int());
    out.tags = texts_below(join_path(folder, "tags"));
    return out;
  }

  std::string root_;
  ArtifactRoots roots_;
  Damage& damage_;
  std::map<std::string, std::string> folders_;  // of experiments
};

}  // namespace

Result<std::unique_ptr<Source>> open_mlruns(const SourceOptions& options, Damage& damage) {
  std::string root = options.path;
  const std::string inside = join_path(root, "mlruns");
  if (base::is_folder(inside) && !base::path_exists(join_path(root, "0/meta.yaml"))) root = inside;
  ArtifactRoots roots;
  roots.base = base::parent_path(root);
  if (!options.artifact_root.empty()) roots.folders.push_back(options.artifact_root);
  roots.folders.push_back(join_path(roots.base, "mlartifacts"));
  return std::unique_ptr<Source>(std::make_unique<Mlruns>(root, std::move(roots), damage));
}

}  // namespace maru::tracking
