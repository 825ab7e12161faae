#include <algorithm>

#include "artifacts.h"
#include "logged_models.h"
#include "mlflow_names.h"
#include "registry.h"
#include "transfer/digest.h"
#include "transfer/importer.h"

// The part of Importer that takes logged models and the registry.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

Status put_pairs(Writer& writer, const char* table, const std::string& id, const Text& pairs) {
  for (const auto& [key, value] : pairs) {
    const auto cells = params(id, key, value);
    TRY(writer.execute("INSERT INTO " + std::string(table) +
                           " (model_id, key, value) VALUES ($1, $2, $3) ON CONFLICT (model_id, "
                           "key) DO UPDATE SET value = excluded.value",
                       cells));
  }
  return {};
}

Status put_model_row(Writer& writer, const LoggedModel& model, bool deleted) {
  const auto cells =
      params(model.id, model.experiment_id, model.name, model.model_type, model.source_run_id,
             model.status, model.status_message, std::string(deleted ? "deleted" : "active"),
             model.created_us, model.updated_us);
  TRY(writer.execute(
      "INSERT INTO logged_models (id, experiment_id, name, model_type, source_run_id, status, "
      "status_message, state, created_us, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
      "$10) ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, "
      "status_message = excluded.status_message, state = excluded.state, updated_us = "
      "excluded.updated_us",
      cells));
  return {};
}

// The path of a URI behind its scheme and slashes, as the artifact proxy would be asked for it.
std::string proxy_path(const std::string& uri) {
  std::size_t at = uri.find(":/");
  at = at == std::string::npos ? 0 : at + 2;
  while (at < uri.size() && (uri[at] == '/' || uri[at] == '.')) ++at;
  std::string out = uri.substr(at);
  while (!out.empty() && out.back() == '/') out.pop_back();
  return out;
}

}  // namespace

Status Importer::write_model(const ForeignModel& foreign, const std::vector<Artifact>& files,
                             const Remembered& memory) {
  const LoggedModel& model = foreign.model;
  return here_.db.write([&](Writer& writer) -> Status {
    TRY(put_model_row(writer, model, foreign.deleted));
    TRY(put_pairs(writer, "logged_model_params", model.id, model.params));
    TRY(put_pairs(writer, "logged_model_tags", model.id, model.tags));
    TRY(log_model_metrics(writer, model.metrics));
    for (const auto& file : files) TRY(put_artifact_row(writer, model.id, file));
    return Ledger::put(writer, "model", model.id, memory, here_.clock.now_us());
  });
}

Status Importer::take_model(ForeignModel&& foreign, const Experiment& own) {
  TRY(context_.alive());
  LoggedModel& model = foreign.model;
  show(model.name);
  ++report_.found.logged_models;
  model.experiment_id = own.id;
  TRY_ASSIGN(const auto before, ledger_.find("model", model.id));
  std::string stamp;
  TRY_ASSIGN(const auto files, store_files(foreign.files, model.id, before, stamp));
  const std::string hash = digest_of(model, foreign.deleted, files);
  const auto key = params(model.id);
  TRY_ASSIGN(const auto rows, here_.db.query("SELECT state FROM logged_models WHERE id = $1", key));
  report_.found.artifacts += files.size();
  for (const auto& file : files) report_.found.artifact_bytes += file.bytes;
  if (!rows.empty() && before && before->hash == hash) {
    compared("model", model.id, hash, before->hash);
    return {};
  }
  if (!rows.empty() && !before) {
    const auto here = here_.logged_models.get(model.id);
    TRY_ASSIGN(const auto kept, here_.artifacts.list_artifacts(model.id));
    const std::string own_hash = here ? digest_of(*here, false, kept) : "different";
    compared("model", model.id, hash, own_hash == hash ? hash : "different");
    if (own_hash != hash)
      damage_.add("logged model " + model.id,
                  "is here already with other contents and was left as it is");
    return {};
  }
  const Status written = write_model(foreign, files, {model.id, hash, stamp});
  if (!written && written.error().code != Code::kInvalidArgument) return written;
  if (!written) {
    damage_.add("logged model " + model.id, written.error().text());
    return {};
  }
  ++report_.written.logged_models;
  TRY_ASSIGN(const auto kept, here_.artifacts.list_artifacts(model.id));
  report_.written.artifacts += kept.size();
  for (const auto& file : kept) report_.written.artifact_bytes += file.bytes;
  if (foreign.deleted) {  // hidden: only the row can be asked for
    compared("model", model.id, hash, hash);
    return {};
  }
  TRY_ASSIGN(const auto here, here_.logged_models.get(model.id));
  compared("model", model.id, hash, digest_of(here, false, kept));
  return {};
}

// Where the version's files are now, when they belong to a run or a logged model that is here.
Status Importer::place_files(ModelVersion& version, std::vector<Artifact>& files) {
  std::string uri = version.storage.empty() ? version.source : version.storage;
  constexpr std::string_view kRuns = "runs:/", kModels = "models:/m-";
  if (uri.rfind(kRuns, 0) == 0) {
    const std::size_t slash = uri.find('/', kRuns.size());
    uri = uri.substr(kRuns.size(), slash - kRuns.size()) + "/artifacts" +
          (slash == std::string::npos ? "" : uri.substr(slash));
  } else if (uri.rfind(kModels, 0) == 0) {
    uri = uri.substr(8) + "/artifacts";
  }
  const auto place = here_.artifacts.place(proxy_path(uri));
  if (!place || place->owner == Artifacts::kFreeOwner) {
    version.storage = uri;
    return {};
  }
  std::string root;
  if (const auto run = here_.runs.get_run(place->owner)) root = run->artifact_uri;
  if (const auto model = here_.logged_models.get(place->owner)) root = model->artifact_uri;
  if (root.empty()) return {};
  version.storage = root + (place->path.empty() ? "" : "/" + place->path);
  TRY_ASSIGN(const auto all, here_.artifacts.list_artifacts(place->owner));
  const std::string prefix = place->path.empty() ? "" : place->path + "/";
  for (const auto& file : all) {
    if (file.path.rfind(prefix, 0) != 0) continue;
    files.push_back({file.path.substr(prefix.size()), file.sha256, file.bytes});
    version.bytes += file.bytes;
  }
  return {};
}

Status Importer::take_version(const Model& model, ModelVersion version,
                              std::map<int, int>& numbers) {
  const std::string name = model.name + "/" + std::to_string(version.version);
  ++report_.found.versions;
  const std::string hash = digest_of(version);
  const bool deleted = version.state == "deleted";
  const std::string source_id = name + " " + std::to_string(version.created_us);
  TRY_ASSIGN(const auto before, ledger_.find("version", source_id));
  const int wanted = before ? std::atoi(before->local_id.c_str()) : version.version;
  const auto here = here_.registry.get_version(options_.project, model.name, wanted);
  if (before) {
    numbers[version.version] = wanted;
    compared("version", name, hash, before->hash == hash || !here ? hash : digest_of(*here));
    return {};
  }
  if (here && digest_of(*here) == hash) {  // registered here, exported, and now it comes back
    numbers[version.version] = wanted;
    compared("version", name, hash, hash);
    return {};
  }
  std::vector<Artifact> files;
  if (!deleted) TRY(place_files(version, files));
  if (version.state == "ready" && !is_mlflow_model(files)) version.state = "foreign";
  const int foreign_number = version.version;
  TRY(here_.db.write([&](Writer& writer) -> Status {
    const auto key = params(options_.project, model.name, std::int64_t{foreign_number});
    TRY_ASSIGN(const auto taken, writer.query("SELECT 1 FROM model_versions WHERE project = $1 AND "
                                              "model = $2 AND version = $3",
                                              key));
    if (!taken.empty()) {
      TRY_ASSIGN(version.version, next_version(writer, options_.project, model.name));
    }
    TRY(insert_version(writer, options_.project, version, files));
    for (const auto& [tag, value] : version.tags) {
      const auto cells =
          params(options_.project, model.name, std::int64_t{version.version}, tag, value);
      TRY(
          writer.execute("INSERT INTO version_tags (project, model, version, key, value) VALUES "
                         "($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                         cells));
    }
    return Ledger::put(writer, "version", source_id, {std::to_string(version.version), hash, ""},
                       here_.clock.now_us());
  }));
  numbers[foreign_number] = version.version;
  ++report_.written.versions;
  if (deleted) {
    compared("version", name, hash, hash);
    return {};
  }
  TRY_ASSIGN(const auto kept,
             here_.registry.get_version(options_.project, model.name, version.version));
  compared("version", name, hash, digest_of(kept));
  return {};
}

Status Importer::take_registered(Model&& model) {
  TRY(context_.alive());
  show(model.name);
  if (const Status good = check_model_name(model.name); !good) {
    damage_.add("registered model " + model.name, good.error().text());
    return {};
  }
  ++report_.found.models;
  const auto cells =
      params(options_.project, model.name, model.description, model.created_us, model.updated_us);
  TRY(here_.db.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(const auto added,
               writer.execute("INSERT INTO models (project, name, task, description, created_us, "
                              "updated_us) VALUES ($1, $2, '', $3, $4, $5) ON CONFLICT (project, "
                              "name) DO NOTHING",
                              cells));
    report_.written.models += static_cast<std::uint64_t>(added);
    for (const auto& [tag, value] : model.tags) {
      const auto row = params(options_.project, model.name, tag, value);
      TRY(
          writer.execute("INSERT INTO model_tags (project, model, key, value) VALUES ($1, $2, $3, "
                         "$4) ON CONFLICT DO NOTHING",
                         row));
    }
    return {};
  }));
  std::map<int, int> numbers;  // there -> here
  for (const auto& version : model.versions) TRY(take_version(model, version, numbers));
  report_.found.aliases += model.aliases.size();
  return here_.db.write([&](Writer& writer) -> Status {
    for (const auto& [alias, number] : model.aliases) {
      const auto found = numbers.find(number);
      if (found == numbers.end()) continue;
      const auto row = params(options_.project, model.name, alias, std::int64_t{found->second});
      TRY_ASSIGN(const auto added,
                 writer.execute("INSERT INTO model_aliases (project, model, alias, version) VALUES "
                                "($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                                row));
      report_.written.aliases += static_cast<std::uint64_t>(added);
    }
    return {};
  });
}

}  // namespace maru::tracking
