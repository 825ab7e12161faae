#include "transfer/mlruns_export.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/tracking/foreign_formats.h"
#include "names.h"
#include "transfer/digest.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::join_path;
using base::Json;
using base::Result;
using base::Status;

constexpr std::size_t kPage = 1000;

struct Closed {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closed>;

Result<File> create(const std::string& path) {
  TRY(base::make_folders(base::parent_path(path)));
  File file(std::fopen(path.c_str(), "wxb"));
  if (file == nullptr)
    return base::fail(errno == ENOSPC ? Code::kNoSpace : Code::kInvalidArgument,
                      "cannot be written: " + path);
  return file;
}

Status write_all(std::FILE* file, std::string_view bytes, const std::string& path) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size()) return {};
  return base::fail(errno == ENOSPC ? Code::kNoSpace : Code::kUnavailable,
                    "cannot be written to its end: " + path);
}

Status write_plain(const std::string& path, std::string_view bytes) {
  TRY_ASSIGN(const File file, create(path));
  TRY(write_all(file.get(), bytes, path));
  if (std::fflush(file.get()) != 0)
    return base::fail(Code::kNoSpace, "cannot be written to its end: " + path);
  return {};
}

Json time_json(std::int64_t us) { return us == 0 ? Json() : Json(us / 1000); }
Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json texts_json(const Text& texts) {
  Json out = Json::object();
  for (const auto& [key, value] : texts) out.set(key, value);
  return out;
}

std::int64_t status_number(const std::string& status) {
  static constexpr std::string_view kNames[] = {"",         "RUNNING", "SCHEDULED",
                                                "FINISHED", "FAILED",  "KILLED"};
  const auto found = std::find(std::begin(kNames), std::end(kNames), status);
  return found == std::end(kNames) ? 1 : found - std::begin(kNames);
}

void append_point(std::string& out, const Point& point) {
  out += std::to_string(point.time_ms);
  out += ' ';
  if (std::isnan(point.value))
    out += "nan";
  else if (std::isinf(point.value))
    out += point.value < 0 ? "-inf" : "inf";
  else
    base::append_json_number(out, point.value);
  out += ' ';
  out += std::to_string(point.step);
}

Result<std::string> hash_of_file(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return base::fail(Code::kNotFound, "cannot be read: " + path);
  base::Sha256 hash;
  std::string piece(1u << 20, '\0');
  std::size_t got = 0;
  while ((got = std::fread(piece.data(), 1, piece.size(), file.get())) > 0)
    hash.update(std::string_view(piece).substr(0, got));
  return hash.hex_digest();
}

Json run_meta(const Run& run, const std::string& folder) {
  Json out = Json::object({{"artifact_uri", join_path(folder, "artifacts")},
                           {"end_time", time_json(run.end_us)},
                           {"entry_point_name", ""},
                           {"experiment_id", run.experiment_id},
                           {"lifecycle_stage", run.state},
                           {"run_id", run.id},
                           {"run_name", run.name},
                           {"run_uuid", run.id},
                           {"source_name", ""},
                           {"source_type", 4},
                           {"source_version", ""},
                           {"start_time", time_json(run.start_us)},
                           {"status", status_number(run.status)},
                           {"tags", Json::array()},
                           {"user_id", run.user}});
  if (run.state == "deleted")
    out.set("deleted_time", time_json(std::max(run.end_us, run.start_us)));
  return out;
}

}  // namespace

Status MlrunsExport::check_target() {
  if (options_.path.empty() || options_.path.front() != '/')
    return base::fail(Code::kInvalidArgument, "`path` must be an absolute path: " + options_.path);
  if (!base::path_exists(options_.path)) return base::make_folders(options_.path);
  const auto names = base::list_folder(options_.path);
  if (names && names->empty()) return {};
  return base::fail(Code::kAlreadyExists,
                    "an export would be mixed with what is here: " + options_.path,
                    "choose a folder that does not exist");
}

// A key that cannot be a file beside the others ("a" and "a/b") is named and left out: the format has no other place for it.
void MlrunsExport::write_texts(const std::string& folder, const Text& texts) {
  for (const auto& [key, value] : texts) {
    const std::string path = join_path(folder, key);
    if (const Status written = write_plain(path, value); !written)
      damage_.add(path, written.error().text());
  }
}

Status MlrunsExport::write_artifacts(const std::string& folder,
                                     const std::vector<Artifact>& files) {
  TRY(base::make_folders(folder));
  for (const auto& artifact : files) {
    TRY(context_.alive());
    TRY(check_path(artifact.path));
    const std::string path = join_path(folder, artifact.path);
    TRY_ASSIGN(const File file, create(path));
    TRY(here_.blobs.read_to(artifact.sha256, [&](std::string_view piece) {
      return write_all(file.get(), piece, path);
    }));
    if (std::fflush(file.get()) != 0)
      return base::fail(Code::kNoSpace, "cannot be written to its end: " + path);
    ++report_.written.artifacts;
    report_.written.artifact_bytes += artifact.bytes;
  }
  return {};
}

Status MlrunsExport::write_inputs(const std::string& folder, const std::string& experiment_folder,
                                  const Run& run) {
  for (const auto& input : run.datasets) {
    const Dataset& d = input.dataset;
    const std::string id = base::sha256_hex(d.name + '\n' + d.digest).substr(0, 32);
    const std::string at = join_path(join_path(experiment_folder, "datasets"), id);
    if (!base::path_exists(at))
      TRY(write_plain(join_path(at, "meta.yaml"),
                      write_yaml(Json::object({{"digest", d.digest},
                                               {"name", d.name},
                                               {"profile", text_or_null(d.profile)},
                                               {"schema", text_or_null(d.schema)},
                                               {"source", d.source},
                                               {"source_type", d.source_type}}))));
    TRY(write_plain(join_path(folder, "inputs/" + id + "/meta.yaml"),
                    write_yaml(Json::object({{"destination_id", run.id},
                                             {"destination_type", "RUN"},
                                             {"source_id", id},
                                             {"source_type", "DATASET"},
                                             {"tags", texts_json(input.tags)}}))));
    ++report_.written.datasets;
  }
  for (const auto& id : run.input_models)
    TRY(write_plain(
        join_path(folder, "inputs/" + base::sha256_hex(id).substr(0, 32) + "/meta.yaml"),
        write_yaml(Json::object({{"destination_id", run.id},
                                 {"destination_type", "RUN"},
                                 {"source_id", id},
                                 {"source_type", "MODEL"},
                                 {"tags", Json::object()}}))));
  for (const auto& model : run.output_models)
    TRY(write_plain(join_path(folder, "outputs/" + model.model_id + "/meta.yaml"),
                    write_yaml(Json::object({{"destination_id", model.model_id},
                                             {"destination_type", "MODEL_OUTPUT"},
                                             {"source_id", run.id},
                                             {"source_type", "RUN_OUTPUT"},
                                             {"step", model.step},
                                             {"tags", Json::object()}}))));
  return {};
}

Status MlrunsExport::write_run(const std::string& experiment_folder, const WholeRun& whole) {
  const Run& run = whole.run;
  const std::string folder = join_path(experiment_folder, run.id);
  TRY(write_plain(join_path(folder, "meta.yaml"), write_yaml(run_meta(run, folder))));
  for (const char* part : {"params", "tags", "metrics"})
    TRY(base::make_folders(join_path(folder, part)));
  write_texts(join_path(folder, "params"), run.params);
  write_texts(join_path(folder, "tags"), run.tags);
  for (const auto& series : whole.series) {
    std::string text;
    text.reserve(series.points.size() * 40);
    for (const auto& point : series.points) {
      append_point(text, point);
      text += '\n';
    }
    const std::string path = join_path(folder, "metrics/" + series.key);
    if (const Status written = write_plain(path, text); !written) {
      if (written.error().code == Code::kNoSpace) return written;
      damage_.add(path, written.error().text());
      continue;
    }
    ++report_.written.metrics;
    report_.written.points += series.points.size();
  }
  TRY(write_inputs(folder, experiment_folder, run));
  ++report_.written.runs;
  report_.written.params += run.params.size();
  report_.written.tags += run.tags.size();
  return write_artifacts(join_path(folder, "artifacts"), whole.artifacts);
}

Status MlrunsExport::write_models(const std::string& folder, const Experiment& experiment) {
  LoggedModelQuery query;
  query.experiment_ids = {experiment.id};
  query.limit = kPage;
  for (;; query.offset += kPage) {
    TRY_ASSIGN(const auto page, here_.logged_models.search(query));
    for (const auto& found : page.models) {
      TRY_ASSIGN(const LoggedModel model, here_.logged_models.get(found.id));
      const std::string at = join_path(folder, "models/" + model.id);
      const std::int64_t status = model.status == "ready" ? 2 : model.status == "pending" ? 1 : 3;
      TRY(write_plain(
          join_path(at, "meta.yaml"),
          write_yaml(Json::object({{"artifact_location", join_path(at, "artifacts")},
                                   {"creation_timestamp", time_json(model.created_us)},
                                   {"experiment_id", experiment.id},
                                   {"last_updated_timestamp", time_json(model.updated_us)},
                                   {"model_id", model.id},
                                   {"model_type", text_or_null(model.model_type)},
                                   {"name", model.name},
                                   {"source_run_id", text_or_null(model.source_run_id)},
                                   {"status", status},
                                   {"status_message", text_or_null(model.status_message)}}))));
      write_texts(join_path(at, "params"), model.params);
      write_texts(join_path(at, "tags"), model.tags);
      std::map<std::string, std::string> lines;
      for (const auto& metric : model.metrics) {
        std::string& text = lines[metric.point.key];
        append_point(text, {metric.point.value, metric.point.step, metric.point.time_ms});
        text += " " + metric.run_id;
        if (!metric.dataset_name.empty())
          text += " " + metric.dataset_name + " " + metric.dataset_digest;
        text += '\n';
      }
      write_texts(join_path(at, "metrics"), lines);
      TRY_ASSIGN(const auto files, here_.artifacts.list_artifacts(model.id));
      TRY(write_artifacts(join_path(at, "artifacts"), files));
      ++report_.written.logged_models;
    }
    if (!page.more) return {};
  }
}

Status MlrunsExport::write_experiment(const Experiment& experiment) {
  const bool deleted = experiment.state == "deleted";
  const std::string folder =
      join_path(deleted ? join_path(options_.path, ".trash") : options_.path, experiment.id);
  TRY(write_plain(join_path(folder, "meta.yaml"),
                  write_yaml(Json::object({{"artifact_location", folder},
                                           {"creation_time", time_json(experiment.created_us)},
                                           {"experiment_id", experiment.id},
                                           {"last_update_time", time_json(experiment.updated_us)},
                                           {"lifecycle_stage", experiment.state},
                                           {"name", experiment.name}}))));
  write_texts(join_path(folder, "tags"), experiment.tags);
  ++report_.written.experiments;
  RunQuery query;
  query.experiment_ids = {experiment.id};
  query.view = options_.deleted ? View::kAll : View::kActive;
  query.limit = kPage;
  query.values = false;
  do {
    TRY_ASSIGN(const auto page, here_.runs.search_runs(options_.project, query));
    for (const auto& run : page.runs) {
      TRY(context_.alive());
      if (progress_ && report_.written.runs % 16 == 0) progress_({"exporting", -1, run.name});
      TRY_ASSIGN(WholeRun whole, here_.runs.whole_run(run.id));
      for (auto& series : whole.series) settle(series.points);
      own_lines_.push_back("run " + run.id + " " + digest_of(whole));
      TRY(write_run(folder, whole));
    }
    query.after = page.next_after;
  } while (!query.after.empty());
  return write_models(folder, experiment);
}

// Where the version's files lie in the export; what is kept elsewhere stays there.
std::string MlrunsExport::storage_of(const ModelVersion& version) {
  const std::string uri = version.storage.empty() ? version.source : version.storage;
  constexpr std::string_view kProxy = "mlflow-artifacts:/";
  if (uri.rfind(kProxy, 0) != 0) return uri;
  const auto place = here_.artifacts.place(uri.substr(kProxy.size()));
  if (!place || place->owner == Artifacts::kFreeOwner) return uri;
  std::string folder;
  if (const auto model = here_.logged_models.get(place->owner))
    folder = model->experiment_id + "/models/";
  if (const auto run = here_.runs.get_run(place->owner)) folder = run->experiment_id + "/";
  if (folder.empty()) return uri;
  return join_path(options_.path, folder + place->owner + "/artifacts") +
         (place->path.empty() ? "" : "/" + place->path);
}

Status MlrunsExport::write_version(const std::string& folder, const ModelVersion& version) {
  const std::string at = join_path(folder, "version-" + std::to_string(version.version));
  std::string storage = storage_of(version);
  if (storage.empty()) {  // files of its own
    storage = join_path(at, "artifacts");
    TRY_ASSIGN(const auto files,
               here_.registry.version_files(options_.project, version.model, version.version));
    TRY(write_artifacts(storage, files));
  }
  TRY(write_plain(join_path(at, "meta.yaml"),
                  write_yaml(Json::object(
                      {{"aliases", Json::array()},
                       {"creation_timestamp", time_json(version.created_us)},
                       {"current_stage", version.stage},
                       {"description", text_or_null(version.description)},
                       {"last_updated_timestamp", time_json(version.updated_us)},
                       {"model_id", text_or_null(version.model_id)},
                       {"name", version.model},
                       {"run_id", text_or_null(version.run_id)},
                       {"run_link", text_or_null(version.run_link)},
                       {"source", version.source.empty() ? storage : version.source},
                       {"status", version.state == "failed" ? "FAILED_REGISTRATION" : "READY"},
                       {"status_message", Json()},
                       {"storage_location", storage},
                       {"user_id", text_or_null(version.user_id)},
                       {"version", version.version}}))));
  write_texts(join_path(at, "tags"), version.tags);
  ++report_.written.versions;
  return {};
}

Status MlrunsExport::write_registry() {
  RegistryQuery query;
  query.limit = kPage;
  for (;; query.offset += kPage) {
    TRY_ASSIGN(const auto page, here_.registry.search_models(options_.project, query));
    for (const auto& head : page.models) {
      TRY_ASSIGN(const Model model, here_.registry.get_model(options_.project, head.name));
      const std::string folder = join_path(join_path(options_.path, "models"), model.name);
      Json aliases = Json::object();
      Text alias_files;
      for (const auto& [alias, version] : model.aliases) {
        aliases.set(alias, std::to_string(version));
        alias_files[alias] = std::to_string(version);
      }
      TRY(write_plain(
          join_path(folder, "meta.yaml"),
          write_yaml(Json::object({{"aliases", aliases},
                                   {"creation_timestamp", time_json(model.created_us)},
                                   {"description", text_or_null(model.description)},
                                   {"last_updated_timestamp", time_json(model.updated_us)},
                                   {"name", model.name}}))));
      write_texts(join_path(folder, "tags"), model.tags);
      write_texts(join_path(folder, "aliases"), alias_files);
      report_.written.aliases += model.aliases.size();
      ++report_.written.models;
      for (const auto& version : model.versions) TRY(write_version(folder, version));
    }
    if (!page.more) return {};
  }
}

Status MlrunsExport::read_back() {
  Damage damage;
  TRY_ASSIGN(const auto source, open_mlruns({options_.path, "", ""}, damage));
  TRY_ASSIGN(const auto experiments, source->experiments());
  for (const auto& experiment : experiments) {
    ++report_.found.experiments;
    TRY(source->each_run(experiment, [&](ForeignRun&& foreign) -> Status {
      TRY(context_.alive());
      WholeRun whole;
      whole.run = std::move(foreign.run);
      whole.series = std::move(foreign.series);
      for (auto& series : whole.series) {
        settle(series.points);
        report_.found.points += series.points.size();
      }
      for (const auto& file : foreign.files) {
        TRY_ASSIGN(std::string hash, hash_of_file(file.local));
        whole.artifacts.push_back({file.path, std::move(hash), file.bytes});
        report_.found.artifact_bytes += file.bytes;
      }
      report_.found.artifacts += foreign.files.size();
      ++report_.found.runs;
      written_lines_.push_back("run " + whole.run.id + " " + digest_of(whole));
      return {};
    }));
  }
  for (const auto& one : damage.named()) damage_.add(one.what, one.why);
  return {};
}

Result<TransferReport> MlrunsExport::run() {
  const std::int64_t begin_ns = here_.clock.monotonic_ns();
  report_.kind = "mlruns";
  report_.path = options_.path;
  TRY(check_target());
  ExperimentQuery query;
  query.view = options_.deleted ? View::kAll : View::kActive;
  do {
    TRY_ASSIGN(const auto page, here_.runs.search_experiments(options_.project, query));
    for (const auto& experiment : page.experiments) {
      const auto& wanted = options_.experiments;
      if (wanted.empty() || std::find(wanted.begin(), wanted.end(), experiment.id) != wanted.end())
        TRY(write_experiment(experiment));
    }
    query.after = page.next_after;
  } while (!query.after.empty());
  if (options_.experiments.empty()) TRY(write_registry());
  TRY(read_back());
  const auto hash = [](std::vector<std::string>& lines) {
    std::sort(lines.begin(), lines.end());
    base::Sha256 out;
    for (const auto& line : lines) out.update(line + "\n");
    return out.hex_digest();
  };
  report_.own_hash = hash(own_lines_);
  report_.source_hash = hash(written_lines_);
  report_.equal = report_.own_hash == report_.source_hash;
  report_.skipped = damage_.count();
  report_.skips = damage_.named();
  report_.seconds = static_cast<double>(here_.clock.monotonic_ns() - begin_ns) / 1e9;
  return report_;
}

}  // namespace maru::tracking
