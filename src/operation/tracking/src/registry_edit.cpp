// What MLflow's clients change in the registry. Messages are those that they look for.
#include <algorithm>
#include <array>

#include "audit.h"
#include "events.h"
#include "maru/base/text.h"
#include "mlflow_names.h"
#include "registry.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr std::array<std::string_view, 4> kStages = {"None", "Staging", "Production", "Archived"};

Result<std::string> canonical_stage(const std::string& stage) {
  for (const auto known : kStages) {
    if (base::to_lower_ascii(stage) == base::to_lower_ascii(known)) return std::string(known);
  }
  return base::fail(Code::kInvalidArgument,
                    "Invalid Model Version stage: " + stage +
                        ". Value must be one of None, Staging, Production, Archived.");
}

Status require_model(Writer& writer, const std::string& project, const std::string& name) {
  const auto key = params(project, name);
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT 1 FROM models WHERE project = $1 AND name = $2", key));
  if (rows.empty()) return no_model(name);
  return {};
}

Status require_version(Writer& writer, const std::string& project, const std::string& model,
                       int version) {
  const auto key = params(project, model, std::int64_t{version});
  TRY_ASSIGN(const auto rows, writer.query("SELECT 1 FROM model_versions WHERE project = $1 AND "
                                           "model = $2 AND version = $3 AND state <> 'deleted'",
                                           key));
  if (rows.empty()) return no_version(model, version);
  return {};
}

Status touch_model(Writer& writer, const std::string& project, const std::string& name,
                   std::int64_t now_us) {
  const auto cells = params(now_us, project, name);
  TRY(writer.execute("UPDATE models SET updated_us = $1 WHERE project = $2 AND name = $3", cells));
  return {};
}

// Which of the two a name belongs to matters to people, so both messages say it.
tl::unexpected<base::Error> name_taken(const std::string& name, bool is_prompt, bool wants_prompt) {
  const std::string old_word = is_prompt ? "Prompt" : "Registered Model";
  const std::string new_word = wants_prompt ? "Prompt" : "Registered Model";
  if (is_prompt == wants_prompt)
    return base::fail(Code::kAlreadyExists, new_word + " (name=" + name + ") already exists.");
  return base::fail(Code::kAlreadyExists,
                    "Tried to create a " + base::to_lower_ascii(new_word) + " with name '" + name +
                        "', but the name is already taken by a " + base::to_lower_ascii(old_word) +
                        ". MLflow does not allow creating a model and a prompt with the same "
                        "name.");
}

bool prompt_tag(const Text& tags) {
  const auto found = tags.find(std::string(kPromptTag));
  return found != tags.end() && base::to_lower_ascii(found->second) == "true";
}

}  // namespace

bool is_mlflow_model(const std::vector<Artifact>& files) {
  return std::any_of(files.begin(), files.end(),
                     [](const Artifact& file) { return file.path == "MLmodel"; });
}

Result<Model> RegistryTables::create_model(const std::string& project, const std::string& name,
                                           const std::string& description, const Text& tags) {
  TRY(check_model_name(name));
  for (const auto& [key, value] : tags) TRY(check_tag(key, value));
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto prompt = params(project, name, std::string(kPromptTag));
    const auto head = params(project, name, description, clock_.now_us());
    TRY_ASSIGN(const auto added,
               writer.execute("INSERT INTO models (project, name, task, description, created_us, "
                              "updated_us) VALUES ($1, $2, '', $3, $4, $4) ON CONFLICT (project, "
                              "name) DO NOTHING",
                              head));
    if (added == 0) {
      TRY_ASSIGN(const auto rows, writer.query("SELECT value FROM model_tags WHERE project = $1 "
                                               "AND model = $2 AND key = $3",
                                               prompt));
      return name_taken(name, !rows.empty() && rows[0].text(0) == "true", prompt_tag(tags));
    }
    for (const auto& [key, value] : tags) {
      const auto cells = params(project, name, key, value);
      TRY(writer.execute(
          "INSERT INTO model_tags (project, model, key, value) VALUES ($1, $2, $3, $4)", cells));
    }
    return tell_model_created(writer, clock_.now_us(), name, description, tags);
  }));
  return get_head(project, name);
}

Status RegistryTables::describe_model(const std::string& project, const std::string& name,
                                      const std::string& description) {
  TRY(check_model_name(name));
  return db_.write([&](Writer& writer) -> Status {
    const auto cells = params(description, clock_.now_us(), project, name);
    TRY_ASSIGN(const auto changed,
               writer.execute("UPDATE models SET description = $1, updated_us = $2 WHERE project = "
                              "$3 AND name = $4",
                              cells));
    if (changed == 0) return no_model(name);
    return {};
  });
}

namespace {

// Every table that names a model, with the name's column.
constexpr std::array<std::pair<const char*, const char*>, 7> kModelTables = {
    {{"models", "name"},
     {"model_versions", "model"},
     {"version_files", "model"},
     {"model_aliases", "model"},
     {"alias_changes", "model"},
     {"model_tags", "model"},
     {"version_tags", "model"}}};

}  // namespace

Status RegistryTables::rename_model(const std::string& project, const std::string& name,
                                    const std::string& new_name) {
  TRY(check_model_name(name));
  TRY(check_model_name(new_name, "new_name"));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_model(writer, project, name));
    if (name == new_name) return {};
    const auto target = params(project, new_name);
    TRY_ASSIGN(const auto taken,
               writer.query("SELECT 1 FROM models WHERE project = $1 AND name = $2", target));
    if (!taken.empty())
      return base::fail(Code::kAlreadyExists,
                        "Registered Model (name=" + new_name + ") already exists.");
    for (const auto& [table, column] : kModelTables) {
      const auto cells = params(new_name, project, name);
      TRY(writer.execute("UPDATE " + std::string(table) + " SET " + column +
                             " = $1 WHERE project = $2 AND " + column + " = $3",
                         cells));
    }
    const auto touched = params(clock_.now_us(), project, new_name);
    TRY(writer.execute(
        "UPDATE model_versions SET updated_us = $1 WHERE project = $2 AND model = $3", touched));
    return touch_model(writer, project, new_name, clock_.now_us());
  });
}

Status RegistryTables::remove_model(const std::string& project, const std::string& name) {
  TRY(check_model_name(name));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_model(writer, project, name));
    const auto owner = params(project, name);
    TRY(
        writer.execute("INSERT INTO freed_blobs (sha256) SELECT DISTINCT sha256 FROM version_files "
                       "WHERE project = $1 AND model = $2 ON CONFLICT DO NOTHING",
                       owner));
    for (const auto& [table, column] : kModelTables) {
      const auto key = params(project, name);
      TRY(writer.execute(
          "DELETE FROM " + std::string(table) + " WHERE project = $1 AND " + column + " = $2",
          key));
    }
    return {};
  });
}

Status RegistryTables::set_model_tag(const std::string& project, const std::string& name,
                                     const std::string& key, const std::string& value) {
  TRY(check_model_name(name));
  TRY(check_tag(key, value));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_model(writer, project, name));
    const auto cells = params(project, name, key, value);
    TRY(
        writer.execute("INSERT INTO model_tags (project, model, key, value) VALUES ($1, $2, $3, "
                       "$4) ON CONFLICT (project, model, key) DO UPDATE SET value = excluded.value",
                       cells));
    return tell_model_tag(writer, clock_.now_us(), {project, name}, key, value);
  });
}

Status RegistryTables::remove_model_tag(const std::string& project, const std::string& name,
                                        const std::string& key) {
  TRY(check_model_name(name));
  TRY(check_tag(key, ""));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_model(writer, project, name));
    const auto cells = params(project, name, key);
    TRY(writer.execute("DELETE FROM model_tags WHERE project = $1 AND model = $2 AND key = $3",
                       cells));
    return tell_model_tag(writer, clock_.now_us(), {project, name}, key, std::nullopt);
  });
}

Result<ModelVersion> RegistryTables::create_version(const std::string& project,
                                                    const std::string& model,
                                                    const NewVersion& version) {
  TRY(check_model_name(model));
  for (const auto& [key, value] : version.tags) TRY(check_tag(key, value));
  ModelVersion out;
  out.model = model;
  out.state = is_mlflow_model(version.files) ? "ready" : "foreign";
  if (out.state == "foreign")
    out.reason = "kept for its clients: without an MLmodel Maru cannot serve it";
  out.run_id = version.run_id;
  out.description = version.description;
  out.source = version.source;
  out.storage = version.storage;
  out.user_id = version.user_id;
  out.run_link = version.run_link;
  out.model_id = version.model_id;
  out.tags = version.tags;
  out.created_us = out.updated_us = clock_.now_us();
  for (const auto& file : version.files) out.bytes += file.bytes;
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY(require_model(writer, project, model));
    TRY_ASSIGN(out.version, next_version(writer, project, model));
    TRY(insert_version(writer, project, out, version.files));
    for (const auto& [key, value] : version.tags) {
      const auto cells = params(project, model, std::int64_t{out.version}, key, value);
      TRY(
          writer.execute("INSERT INTO version_tags (project, model, version, key, value) VALUES "
                         "($1, $2, $3, $4, $5)",
                         cells));
    }
    TRY(tell_version_created(writer, out.created_us, project, out));
    return touch_model(writer, project, model, out.created_us);
  }));
  return out;
}

Result<ModelVersion> RegistryTables::get_version(const std::string& project,
                                                 const std::string& model, int version) {
  TRY(check_model_name(model));
  const auto key = params(project, model, std::int64_t{version});
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kVersionColumns) +
                           "WHERE project = $1 AND model = $2 AND version = $3 AND state <> "
                           "'deleted'",
                       key));
  if (rows.empty()) return no_version(model, version);
  std::vector<ModelVersion> out(1);
  TRY_ASSIGN(out[0], read_version(rows[0]));
  TRY(add_tags(out, project, model));
  TRY_ASSIGN(const auto aliases,
             db_.query("SELECT alias FROM model_aliases WHERE project = $1 AND model = $2 AND "
                       "version = $3 ORDER BY alias",
                       key));
  for (const auto& row : aliases) out[0].aliases.push_back(row.text(0));
  return out[0];
}

Status RegistryTables::set_stage(const std::string& project, const std::string& model, int version,
                                 const std::string& stage, bool archive) {
  TRY(check_model_name(model));
  TRY_ASSIGN(const std::string wanted, canonical_stage(stage));
  if (archive && wanted != "Staging" && wanted != "Production")
    return base::fail(Code::kInvalidArgument,
                      "Model version transition cannot archive existing model versions because '" +
                          stage +
                          "' is not an Active stage. Valid stages are ['Staging', "
                          "'Production']");
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_version(writer, project, model, version));
    const std::int64_t now_us = clock_.now_us();
    if (archive) {
      const auto others = params(now_us, project, model, std::int64_t{version}, wanted);
      TRY(
          writer.execute("UPDATE model_versions SET stage = 'Archived', updated_us = $1 WHERE "
                         "project = $2 AND model = $3 AND version <> $4 AND stage = $5",
                         others));
    }
    const auto cells = params(wanted, now_us, project, model, std::int64_t{version});
    TRY(
        writer.execute("UPDATE model_versions SET stage = $1, updated_us = $2 WHERE project = $3 "
                       "AND model = $4 AND version = $5",
                       cells));
    return touch_model(writer, project, model, now_us);
  });
}

Status RegistryTables::remove_version(const std::string& project, const std::string& model,
                                      int version) {
  TRY(check_model_name(model));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_version(writer, project, model, version));
    const auto key = params(project, model, std::int64_t{version});
    TRY(
        writer.execute("INSERT INTO freed_blobs (sha256) SELECT DISTINCT sha256 FROM version_files "
                       "WHERE project = $1 AND model = $2 AND version = $3 ON CONFLICT DO NOTHING",
                       key));
    for (const char* table : {"version_files", "version_tags", "model_aliases"}) {
      TRY(writer.execute("DELETE FROM " + std::string(table) +
                             " WHERE project = $1 AND model = $2 AND version = $3",
                         key));
    }
    const auto cells = params(project, model, std::int64_t{version}, clock_.now_us());
    TRY(writer.execute(
        "UPDATE model_versions SET state = 'deleted', stage = 'Deleted_Internal', source = "
        "'REDACTED-SOURCE-PATH', storage = '', run_id = 'REDACTED-RUN-ID', run_link = "
        "'REDACTED-RUN-LINK', user_id = '', model_id = '', description = '', reason = '', metrics "
        "= '{}', gates = '[]', card = '{}', updated_us = $4 WHERE project = $1 AND model = $2 AND "
        "version = $3",
        cells));
    return touch_model(writer, project, model, clock_.now_us());
  });
}

Status RegistryTables::set_version_tag(const std::string& project, const std::string& model,
                                       int version, const std::string& key,
                                       const std::string& value) {
  TRY(check_model_name(model));
  TRY(check_tag(key, value));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_version(writer, project, model, version));
    const auto cells = params(project, model, std::int64_t{version}, key, value);
    TRY(writer.execute(
        "INSERT INTO version_tags (project, model, version, key, value) VALUES ($1, $2, $3, $4, "
        "$5) ON CONFLICT (project, model, version, key) DO UPDATE SET value = excluded.value",
        cells));
    return tell_version_tag(writer, clock_.now_us(), {project, model}, version, key, value);
  });
}

Status RegistryTables::remove_version_tag(const std::string& project, const std::string& model,
                                          int version, const std::string& key) {
  TRY(check_model_name(model));
  TRY(check_tag(key, ""));
  return db_.write([&](Writer& writer) -> Status {
    TRY(require_version(writer, project, model, version));
    const auto cells = params(project, model, std::int64_t{version}, key);
    TRY(
        writer.execute("DELETE FROM version_tags WHERE project = $1 AND model = $2 AND version = "
                       "$3 AND key = $4",
                       cells));
    return tell_version_tag(writer, clock_.now_us(), {project, model}, version, key, std::nullopt);
  });
}

Result<ModelVersion> RegistryTables::version_of_alias(const std::string& project,
                                                      const std::string& model,
                                                      const std::string& alias) {
  TRY(check_model_name(model));
  TRY(check_alias(alias));
  const auto name = params(project, model);
  TRY_ASSIGN(const auto known,
             db_.query("SELECT 1 FROM models WHERE project = $1 AND name = $2", name));
  if (known.empty()) return no_model(model);
  if (base::to_lower_ascii(alias) == "latest") {
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT MAX(version) FROM model_versions WHERE project = $1 AND model = "
                         "$2 AND state <> 'deleted'",
                         name));
    if (rows.empty() || rows[0].null(0))
      return base::fail(Code::kNotFound, "Latest version not found for model " + model + ".");
    return get_version(project, model, static_cast<int>(rows[0].integer(0)));
  }
  const auto key = params(project, model, alias);
  TRY_ASSIGN(const auto rows, db_.query("SELECT version FROM model_aliases WHERE project = $1 AND "
                                        "model = $2 AND alias = $3",
                                        key));
  if (rows.empty())
    return base::fail(Code::kInvalidArgument, "Registered model alias " + alias + " not found.");
  return get_version(project, model, static_cast<int>(rows[0].integer(0)));
}

}  // namespace maru::tracking
