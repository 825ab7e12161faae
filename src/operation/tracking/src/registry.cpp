#include "registry.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "audit.h"
#include "events.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

// Over the first schema's tables. A deleted version keeps its row (state 'deleted', stage 'Deleted_Internal'), so that its number
// stays used.
constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
ALTER TABLE model_versions ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN storage TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN run_link TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN model_id TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'None';
ALTER TABLE model_versions ADD COLUMN updated_us BIGINT NOT NULL DEFAULT 0;
UPDATE model_versions SET updated_us = created_us;
CREATE INDEX model_versions_by_run ON model_versions (project, run_id);
CREATE TABLE model_tags (project TEXT NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (project, model, key));
CREATE TABLE version_tags (
  project TEXT NOT NULL, model TEXT NOT NULL, version BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (project, model, version, key));
)sql"}}};

std::string json_text(const Json& value, const char* empty) {
  return value.is_null() ? std::string(empty) : value.dump();
}

}  // namespace

std::span<const store::Migration> registry_migrations() { return kMigrations; }

tl::unexpected<base::Error> no_model(const std::string& name) {
  return base::fail(Code::kNotFound, "Registered Model with name=" + name + " not found");
}

tl::unexpected<base::Error> no_version(const std::string& name, int version) {
  return base::fail(Code::kNotFound, "Model Version (name=" + name +
                                         ", version=" + std::to_string(version) + ") not found");
}

Result<ModelVersion> read_version(const store::Row& row) {
  ModelVersion out;
  out.model = row.text(0);
  out.version = static_cast<int>(row.integer(1));
  out.state = row.text(2);
  out.run_id = row.text(3);
  out.snapshot = row.text(4);
  TRY_ASSIGN(out.metrics, base::parse_json(row.text(5)));
  TRY_ASSIGN(out.gates, base::parse_json(row.text(6)));
  TRY_ASSIGN(out.card, base::parse_json(row.text(7)));
  out.description = row.text(8);
  out.reason = row.text(9);
  out.created_us = row.integer(10);
  out.bytes = static_cast<std::uint64_t>(row.integer(11));
  out.source = row.text(12);
  out.storage = row.text(13);
  out.user_id = row.text(14);
  out.run_link = row.text(15);
  out.model_id = row.text(16);
  out.stage = row.text(17);
  out.updated_us = row.integer(18);
  return out;
}

// The card as given, and who runs the model when that is not this process.
base::Json card_of(const ModelVersion& v, const std::vector<Artifact>& files) {
  base::Json out = v.card.is_object() ? v.card : base::Json::object();
  const bool graph = std::any_of(files.begin(), files.end(),
                                 [](const Artifact& file) { return file.path == "model.onnx"; });
  if (!graph && is_mlflow_model(files)) out.set("engine", "python");
  return out;
}

Status insert_version(Writer& writer, const std::string& project, const ModelVersion& v,
                      const std::vector<Artifact>& files) {
  const auto cells =
      params(project, v.model, std::int64_t{v.version}, v.state, v.run_id, v.snapshot,
             json_text(v.metrics, "{}"), json_text(v.gates, "[]"), card_of(v, files).dump(),
             v.description, v.reason, v.created_us, static_cast<std::int64_t>(v.bytes), v.source,
             v.storage, v.user_id, v.run_link, v.model_id, v.stage, v.updated_us);
  TRY(writer.execute(
      "INSERT INTO model_versions (project, model, version, state, run_id, "
      "snapshot, metrics, gates, card, description, reason, created_us, bytes, source, storage, "
      "user_id, run_link, model_id, stage, updated_us) "
      "VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20)",
      cells));
  for (const auto& file : files) {
    const auto row = params(project, v.model, std::int64_t{v.version}, file.path, file.sha256,
                            static_cast<std::int64_t>(file.bytes));
    TRY(
        writer.execute("INSERT INTO version_files (project, model, version, path, sha256, bytes) "
                       "VALUES ($1, $2, $3, $4, $5, $6)",
                       row));
  }
  return {};
}

Result<int> next_version(Writer& writer, const std::string& project, const std::string& model) {
  const auto key = params(project, model);
  TRY_ASSIGN(const auto rows, writer.query("SELECT COALESCE(MAX(version), 0) FROM model_versions "
                                           "WHERE project = $1 AND model = $2",
                                           key));
  return static_cast<int>(rows.at(0).integer(0)) + 1;
}

Result<std::vector<Artifact>> RegistryTables::store_files(const std::string& folder,
                                                          const std::string& prefix) {
  std::vector<Artifact> out;
  TRY_ASSIGN(const auto names, base::list_folder(folder));
  for (const auto& name : names) {
    const std::string path = base::join_path(folder, name), stored = prefix + name;
    TRY(check_path(stored));
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0 || !(S_ISDIR(facts.st_mode) || S_ISREG(facts.st_mode))) {
      return base::fail(Code::kInvalidArgument, "neither a plain file nor a folder: " + path,
                        "a bundle has no links or devices");
    }
    if (S_ISDIR(facts.st_mode)) {
      TRY_ASSIGN(const auto below, store_files(path, stored + "/"));
      out.insert(out.end(), below.begin(), below.end());
      continue;
    }
    TRY_ASSIGN(const blob::BlobInfo info, blobs_.put_file(path));
    out.push_back({stored, info.sha256, info.bytes});
  }
  return out;
}

Result<ModelVersion> RegistryTables::register_version(const std::string& project,
                                                      const std::string& model,
                                                      const std::string& task,
                                                      const std::string& folder,
                                                      const ModelVersion& facts) {
  TRY(check_name("model name", model));
  TRY_ASSIGN(const auto files, store_files(folder, ""));
  if (files.empty()) return base::fail(Code::kInvalidArgument, "bundle folder is empty: " + folder);
  ModelVersion out = facts;
  out.model = model;
  out.created_us = out.updated_us = clock_.now_us();
  out.bytes = 0;
  for (const auto& file : files) out.bytes += file.bytes;
  if (out.state.empty()) out.state = "ready";
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto head = params(project, model, task, out.created_us);
    const auto name = params(project, model);
    TRY_ASSIGN(const auto known,
               writer.query("SELECT 1 FROM models WHERE project = $1 AND name = $2", name));
    TRY(
        writer.execute("INSERT INTO models (project, name, task, description, created_us, "
                       "updated_us) VALUES ($1, $2, $3, '', $4, $4) ON CONFLICT (project, name) DO "
                       "UPDATE SET updated_us = excluded.updated_us",
                       head));
    if (known.empty()) TRY(tell_model_created(writer, out.created_us, model, "", {}));
    TRY_ASSIGN(out.version, next_version(writer, project, model));
    TRY(insert_version(writer, project, out, files));
    return tell_version_created(writer, out.created_us, project, out);
  }));
  return out;
}

// Tags of versions of one model; `versions` are of that model.
Status RegistryTables::add_tags(std::vector<ModelVersion>& versions, const std::string& project,
                                const std::string& model) {
  // Few versions: their own tags; many: one pass over the model's.
  const bool few = versions.size() <= 4;
  std::map<int, ModelVersion*> by_number;
  for (auto& version : versions) by_number[version.version] = &version;
  for (std::size_t i = 0; i < (few ? versions.size() : 1); ++i) {
    const auto key =
        few ? params(project, model, std::int64_t{versions[i].version}) : params(project, model);
    TRY_ASSIGN(const auto rows,
               db_.query(few ? "SELECT version, key, value FROM version_tags WHERE project = $1 "
                               "AND model = $2 AND version = $3"
                             : "SELECT version, key, value FROM version_tags WHERE project = $1 "
                               "AND model = $2",
                         key));
    for (const auto& row : rows) {
      const auto found = by_number.find(static_cast<int>(row.integer(0)));
      if (found != by_number.end()) found->second->tags[row.text(1)] = row.text(2);
    }
  }
  return {};
}

Status RegistryTables::fill(Model& model, bool heads_only) {
  const auto key = params(model.project, model.name);
  TRY_ASSIGN(
      const auto rows,
      db_.query(std::string(kVersionColumns) +
                    "WHERE project = $1 AND model = $2 AND state <> 'deleted' " +
                    (heads_only ? "AND version IN (SELECT MAX(version) FROM model_versions WHERE "
                                  "project = $1 AND model = $2 AND state <> 'deleted' GROUP BY "
                                  "stage) "
                                : "") +
                    "ORDER BY version DESC",
                key));
  TRY_ASSIGN(const auto aliases, db_.query("SELECT alias, version FROM model_aliases WHERE project "
                                           "= $1 AND model = $2 ORDER BY alias",
                                           key));
  TRY_ASSIGN(const auto tags,
             db_.query("SELECT key, value FROM model_tags WHERE project = $1 AND model = $2", key));
  for (const auto& row : aliases) model.aliases[row.text(0)] = static_cast<int>(row.integer(1));
  for (const auto& row : tags) model.tags[row.text(0)] = row.text(1);
  for (const auto& row : rows) {
    TRY_ASSIGN(ModelVersion version, read_version(row));
    for (const auto& [alias, number] : model.aliases) {
      if (number == version.version) version.aliases.push_back(alias);
    }
    model.versions.push_back(std::move(version));
  }
  return add_tags(model.versions, model.project, model.name);
}

namespace {

constexpr const char* kModelColumns =
    "SELECT project, name, task, description, created_us, updated_us FROM models ";

Model model_of(const store::Row& row) {
  Model out;
  out.project = row.text(0);
  out.name = row.text(1);
  out.task = row.text(2);
  out.description = row.text(3);
  out.created_us = row.integer(4);
  out.updated_us = row.integer(5);
  return out;
}

}  // namespace

Result<std::vector<Model>> RegistryTables::list_models(const std::string& project) {
  const auto key = params(project, std::string(kPromptTag));
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kModelColumns) +
                           "WHERE project = $1 AND NOT EXISTS (SELECT 1 FROM model_tags t WHERE "
                           "t.project = models.project AND t.model = models.name AND t.key = $2 "
                           "AND t.value = 'true') ORDER BY name",
                       key));
  std::vector<Model> out;
  for (const auto& row : rows) {
    out.push_back(model_of(row));
    TRY(fill(out.back()));
  }
  return out;
}

Result<Model> RegistryTables::find_model(const std::string& project, const std::string& name,
                                         bool heads_only) {
  const auto key = params(project, name);
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kModelColumns) + "WHERE project = $1 AND name = $2", key));
  if (rows.empty()) return no_model(name);
  Model model = model_of(rows[0]);
  TRY(fill(model, heads_only));
  return model;
}

Result<Model> RegistryTables::get_head(const std::string& project, const std::string& name) {
  return find_model(project, name, true);
}

Result<Model> RegistryTables::get_model(const std::string& project, const std::string& name) {
  auto found = find_model(project, name, false);
  if (found || found.error().code != Code::kNotFound) return found;
  const auto all = params(project);
  TRY_ASSIGN(const auto others,
             db_.query("SELECT name FROM models WHERE project = $1 ORDER BY name LIMIT 1000", all));
  std::vector<std::string> names;
  for (const auto& row : others) names.push_back(row.text(0));
  std::string hint = base::did_you_mean(name, names);
  if (hint.empty()) hint = names.empty() ? "no model is registered yet" : "see `maru model list`";
  return base::fail(Code::kNotFound, "no model has this name: " + name, hint);
}

Result<std::vector<Artifact>> RegistryTables::version_files(const std::string& project,
                                                            const std::string& model, int version) {
  const auto key = params(project, model, std::int64_t{version});
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT path, sha256, bytes FROM version_files WHERE project = $1 AND model "
                       "= $2 AND version = $3 ORDER BY path",
                       key));
  if (rows.empty())
    return base::fail(Code::kNotFound,
                      "model " + model + " has no version " + std::to_string(version),
                      "see `maru model show " + model + "`");
  std::vector<Artifact> out;
  for (const auto& row : rows)
    out.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.integer(2))});
  return out;
}

Status RegistryTables::export_version(const std::string& project, const std::string& model,
                                      int version, const std::string& folder) {
  TRY_ASSIGN(const auto files, version_files(project, model, version));
  for (const auto& file : files) {
    TRY(check_path(file.path));
    const std::string path = base::join_path(folder, file.path);
    TRY(base::make_folders(base::parent_path(path)));
    TRY_ASSIGN(const std::string bytes, blobs_.read(file.sha256));
    TRY(base::write_file_atomic(path, bytes));
  }
  return {};
}

Result<int> RegistryTables::resolve(const std::string& project, const std::string& model,
                                    const std::string& selector) {
  const auto key = params(project, model);
  if (selector.empty()) {
    const auto rows = db_.query(
        "SELECT version FROM model_aliases WHERE project = $1 AND model = $2 AND alias = "
        "'champion'",
        key);
    if (rows && !rows->empty()) return static_cast<int>((*rows)[0].integer(0));
    TRY_ASSIGN(const auto newest,
               db_.query("SELECT version FROM model_versions WHERE project = $1 AND model = $2 AND "
                         "state = 'ready' ORDER BY version DESC LIMIT 1",
                         key));
    if (!newest.empty()) return static_cast<int>(newest[0].integer(0));
    TRY(get_model(project, model));
    return base::fail(Code::kNotFound, "model has no version that is ready: " + model);
  }
  int number = 0;
  const auto [end, error] =
      std::from_chars(selector.data(), selector.data() + selector.size(), number);
  const bool numeric = error == std::errc() && end == selector.data() + selector.size();
  const auto found =
      numeric ? params(project, model, std::int64_t{number}) : params(project, model, selector);
  TRY_ASSIGN(
      const auto rows,
      db_.query(numeric ? "SELECT version FROM model_versions WHERE "
                          "project = $1 AND model = $2 AND version = $3 AND state <> 'deleted'"
                        : "SELECT version FROM model_aliases WHERE project "
                          "= $1 AND model = $2 AND alias = $3",
                found));
  if (!rows.empty()) return static_cast<int>(rows[0].integer(0));
  TRY_ASSIGN(const Model known, get_model(project, model));
  std::vector<std::string> aliases;
  for (const auto& [alias, version] : known.aliases) aliases.push_back(alias);
  return base::fail(Code::kNotFound, "model " + model + " has no version or alias " + selector,
                    base::did_you_mean(selector, aliases));
}

Status RegistryTables::set_alias(const std::string& project, const std::string& model,
                                 const std::string& alias, int version, const std::string& reason,
                                 const std::string& principal) {
  TRY(check_name("alias", alias, kMaxAliasBytes));
  int number = 0;
  const auto [end, error] = std::from_chars(alias.data(), alias.data() + alias.size(), number);
  if (error == std::errc() && end == alias.data() + alias.size())
    return base::fail(Code::kInvalidArgument, "an alias may not be a number: " + alias);
  return db_.write([&](Writer& writer) -> Status {
    const auto key = params(project, model, alias);
    TRY_ASSIGN(
        const auto now,
        writer.query(
            "SELECT version FROM model_aliases WHERE project = $1 AND model = $2 AND alias = $3",
            key));
    const std::int64_t from = now.empty() ? 0 : now[0].integer(0);
    if (from == version) return {};  // nothing changes, nothing is recorded
    if (version == 0) {
      TRY(writer.execute(
          "DELETE FROM model_aliases WHERE project = $1 AND model = $2 AND alias = $3", key));
    } else {
      const auto target = params(project, model, std::int64_t{version});
      TRY_ASSIGN(
          const auto exists,
          writer.query(
              "SELECT state FROM model_versions WHERE project = $1 AND model = $2 AND version = $3",
              target));
      const std::string state = exists.empty() ? "deleted" : exists[0].text(0);
      if (state == "deleted") return no_version(model, version);
      if (state != "ready" && state != "foreign") {
        return base::fail(Code::kFailedPrecondition, "version " + std::to_string(version) + " of " +
                                                         model + " is not ready: " + state);
      }
      const auto cells = params(project, model, alias, std::int64_t{version});
      TRY(writer.execute(
          "INSERT INTO model_aliases (project, model, alias, version) VALUES ($1, $2, $3, $4) ON "
          "CONFLICT (project, model, alias) DO UPDATE SET version = excluded.version",
          cells));
    }
    const auto change = params(project, model, alias, from, std::int64_t{version}, reason,
                               principal, clock_.now_us());
    TRY(
        writer.execute("INSERT INTO alias_changes (project, model, number, alias, from_version, "
                       "to_version, reason, principal, time_us) SELECT $1, $2, "
                       "COALESCE(MAX(number), 0) + 1, $3, $4, $5, $6, $7, $8 FROM alias_changes "
                       "WHERE project = $1 AND model = $2",
                       change));
    const auto touched = params(clock_.now_us(), project, model);
    TRY(writer.execute("UPDATE models SET updated_us = $1 WHERE project = $2 AND name = $3",
                       touched));
    TRY(tell_alias(writer, clock_.now_us(), {project, model}, alias, version));
    return append_audit(writer,
                        {clock_.now_us(), principal, "alias.set", model + "@" + alias,
                         (version == 0 ? std::string("none") : "v" + std::to_string(version)) +
                             (reason.empty() ? "" : ": " + reason)});
  });
}

Result<std::vector<AliasChange>> RegistryTables::alias_history(const std::string& project,
                                                               const std::string& model,
                                                               std::size_t limit) {
  const auto key = params(project, model);
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT alias, from_version, to_version, reason, principal, time_us FROM "
                "alias_changes WHERE project = $1 AND model = $2 ORDER BY number DESC LIMIT " +
                    std::to_string(limit),
                key));
  std::vector<AliasChange> out;
  for (const auto& row : rows)
    out.push_back({row.text(0), static_cast<int>(row.integer(1)), static_cast<int>(row.integer(2)),
                   row.text(3), row.text(4), row.integer(5)});
  return out;
}

Status RegistryTables::update_version(const std::string& project, const std::string& model,
                                      int version, const Json& changes) {
  static constexpr std::array<std::string_view, 4> kStates = {"pending", "ready", "failed",
                                                              "archived"};
  if (const Json* state = changes.find("state");
      state != nullptr &&
      std::find(kStates.begin(), kStates.end(), state->as_string()) == kStates.end()) {
    return base::fail(Code::kInvalidArgument, "not a state of a version: " + state->dump(),
                      "pending, ready, failed or archived");
  }
  static const std::vector<std::string> kKnown = {"metrics",     "gates", "card",
                                                  "description", "state", "reason"};
  const std::int64_t now_us = clock_.now_us();
  return db_.write([&](Writer& writer) -> Status {
    for (const auto& [key, value] : changes.members()) {
      if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end())
        return base::fail(Code::kInvalidArgument, "a version has no field to change: " + key,
                          base::did_you_mean(key, kKnown));
      const auto cells = params(value.is_string() ? value.as_string() : value.dump(), project,
                                model, std::int64_t{version}, now_us);
      TRY_ASSIGN(const auto changed,
                 writer.execute("UPDATE model_versions SET " + key +
                                    " = $1, updated_us = $5 WHERE project = $2 AND model = $3 AND "
                                    "version = $4 AND state <> 'deleted'",
                                cells));
      if (changed == 0) return no_version(model, version);
    }
    return {};
  });
}

}  // namespace maru::tracking
