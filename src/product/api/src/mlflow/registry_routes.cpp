#include <algorithm>
#include <charconv>

#include "maru/base/text.h"
#include "mlflow/artifact_files.h"
#include "mlflow/model_source.h"

// The model registry (mlflow.md §1.6). MLflow has no projects: its models are those of the project "default".
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;
using tracking::Model;
using tracking::ModelVersion;
using tracking::Text;

constexpr const char* kProject = "default";
constexpr std::size_t kDefaultModels = 100, kMostModels = 1000;
constexpr std::size_t kDefaultVersions = 10'000, kMostVersions = 200'000;
constexpr const char* kPromptTag = "mlflow.prompt.is_prompt";

std::string status_word(const std::string& state) {
  if (state == "pending") return "PENDING_REGISTRATION";
  return state == "failed" ? "FAILED_REGISTRATION" : "READY";
}

Json version_object(const ModelVersion& version) {
  Json out = Json::object({{"name", version.model},
                           {"version", std::to_string(version.version)},
                           {"creation_timestamp", version.created_us / 1000},
                           {"last_updated_timestamp", version.updated_us / 1000},
                           {"current_stage", version.stage},
                           {"status", status_word(version.state)}});
  set_text(out, "user_id", version.user_id);
  out.set("description", version.description);
  set_text(out, "source", version.source.empty() ? version_uri(version) : version.source);
  set_text(out, "run_id", version.run_id);
  set_text(out, "run_link", version.run_link);
  set_text(out, "model_id", version.model_id);
  if (version.state == "failed") set_text(out, "status_message", version.reason);
  if (!version.tags.empty()) out.set("tags", pairs_json(version.tags));
  if (!version.aliases.empty()) out.set("aliases", text_array(version.aliases));
  return out;
}

Json versions_array(const std::vector<ModelVersion>& versions) {
  Json out = Json::array();
  for (const auto& version : versions) out.push(version_object(version));
  return out;
}

Json model_object(const Model& model) {
  Json out = Json::object({{"name", model.name},
                           {"creation_timestamp", model.created_us / 1000},
                           {"last_updated_timestamp", model.updated_us / 1000}});
  set_text(out, "description", model.description);
  if (!model.versions.empty()) out.set("latest_versions", versions_array(model.versions));
  if (!model.tags.empty()) out.set("tags", pairs_json(model.tags));
  Json aliases = Json::array();
  for (const auto& [alias, version] : model.aliases)
    aliases.push(Json::object({{"alias", alias}, {"version", std::to_string(version)}}));
  if (aliases.size() > 0) out.set("aliases", std::move(aliases));
  return out;
}

Text tags_of(Fields& fields) {
  Text out;
  for (auto& [key, value] : pairs(fields, "tags")) out[key] = value;
  return out;
}

bool is_prompt(const Text& tags) {
  const auto found = tags.find(kPromptTag);
  return found != tags.end() && base::to_lower_ascii(found->second) == "true";
}

// The number of a version, which the wire has as text.
Result<int> version_number(Fields& fields) {
  const std::string text = fields.required_text("version");
  TRY(fields.status());
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return base::fail(Code::kInvalidArgument,
                      "Parameter 'version' must be an integer, got '" + text + "'.");
  return number;
}

// A model that an endpoint answers with must not vanish under it.
Status check_unused(const Services& s, const std::string& name) {
  if (s.server == nullptr) return {};
  for (const auto& endpoint : s.server->list()) {
    if (endpoint.config.model == name)
      return base::fail(Code::kFailedPrecondition,
                        "the model " + name + " is served by the endpoint " + endpoint.config.name,
                        "remove the endpoint first");
  }
  return {};
}

void tell(const Services& s, const std::string& name) {
  if (s.events == nullptr) return;
  s.events->publish("model:" + name, R"({"type":"changed"})");
  s.events->publish(std::string("project:") + kProject, R"({"type":"changed","kind":"model"})");
}

// ---- registered models ------------------------------------------------------------------------

Result<Json> answer_model(const Services& s, const std::string& name) {
  TRY_ASSIGN(const auto model, s.tracking->registry().get_head(kProject, name));
  tell(s, name);
  return Json::object({{"registered_model", model_object(model)}});
}

Result<Json> create_model(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name"), description = fields.text("description");
  const Text tags = tags_of(fields);
  TRY(fields.status());
  TRY(s.tracking->registry().create_model(kProject, name, description, tags));
  return answer_model(s, name);
}

Result<Json> get_model(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name");
  TRY(fields.status());
  TRY_ASSIGN(const auto model, s.tracking->registry().get_head(kProject, name));
  return Json::object({{"registered_model", model_object(model)}});
}

Result<Json> update_model(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name"), description = fields.text("description");
  TRY(fields.status());
  TRY(s.tracking->registry().describe_model(kProject, name, description));
  return answer_model(s, name);
}

Result<Json> rename_model(const Services& s, Fields& fields, Context& context) {
  const std::string name = fields.required_text("name"), next = fields.required_text("new_name");
  TRY(fields.status());
  TRY(check_unused(s, name));
  TRY(s.tracking->registry().rename_model(kProject, name, next));
  TRY(audit(s, context, "model.rename", name, next));
  tell(s, name);
  return answer_model(s, next);
}

Result<Json> delete_model(const Services& s, Fields& fields, Context& context) {
  const std::string name = fields.required_text("name");
  TRY(fields.status());
  TRY(check_unused(s, name));
  TRY(s.tracking->registry().remove_model(kProject, name));
  TRY(audit(s, context, "model.delete", name, ""));
  tell(s, name);
  return Json::object();
}

// What a page token belongs to.
std::string query_text(const Fields& fields) {
  return fields.json()["filter"].dump() + "\n" + fields.json()["order_by"].dump();
}

Result<tracking::RegistryQuery> query_of(Fields& fields, std::size_t fallback, std::size_t most) {
  tracking::RegistryQuery query;
  query.filter = fields.text("filter");
  query.order_by = fields.texts("order_by");
  query.limit = max_results(fields, fallback, most);
  const std::string token = fields.text("page_token");
  TRY(fields.status());
  TRY_ASSIGN(query.offset, page_offset(token, query_text(fields)));
  return query;
}

Result<Json> search_models(const Services& s, Fields& fields, Context&) {
  TRY_ASSIGN(const auto query, query_of(fields, kDefaultModels, kMostModels));
  TRY_ASSIGN(const auto page, s.tracking->registry().search_models(kProject, query));
  Json models = Json::array(), out = Json::object();
  for (const auto& model : page.models) models.push(model_object(model));
  if (models.size() > 0) out.set("registered_models", std::move(models));
  if (page.more)
    out.set("next_page_token", page_token(query.offset + query.limit, query_text(fields)));
  return out;
}

Result<Json> latest_versions(const Services& s, Fields& fields, Context&) {
  static const std::vector<std::string> kStages = {"none", "staging", "production", "archived"};
  const std::string name = fields.required_text("name");
  auto stages = fields.texts("stages");
  TRY(fields.status());
  TRY_ASSIGN(const auto model, s.tracking->registry().get_head(kProject, name));
  for (auto& stage : stages) {
    const std::string told = stage;
    stage = base::to_lower_ascii(stage);
    if (std::find(kStages.begin(), kStages.end(), stage) == kStages.end())
      return base::fail(Code::kInvalidArgument,
                        "Invalid Model Version stage: " + told +
                            ". Value must be one of None, Staging, Production, Archived.");
  }
  if (stages.empty()) stages = kStages;
  Json versions = Json::array(), out = Json::object();
  for (const auto& version : model.versions) {
    if (std::find(stages.begin(), stages.end(), base::to_lower_ascii(version.stage)) !=
        stages.end())
      versions.push(version_object(version));
  }
  if (versions.size() > 0) out.set("model_versions", std::move(versions));
  return out;
}

Result<Json> set_model_tag(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name"), key = fields.required_text("key"),
                    value = fields.text("value");
  TRY(fields.status());
  TRY(s.tracking->registry().set_model_tag(kProject, name, key, value));
  return Json::object();
}

Result<Json> delete_model_tag(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name"), key = fields.required_text("key");
  TRY(fields.status());
  TRY(s.tracking->registry().remove_model_tag(kProject, name, key));
  return Json::object();
}

// ---- aliases ----------------------------------------------------------------------------------

// An endpoint that follows the alias follows it now, or the alias stays where it was.
Status move_alias(const Services& s, Context& context, const std::string& name,
                  const std::string& alias, int version) {
  auto& registry = s.tracking->registry();
  const bool served = !check_unused(s, name);
  if (served && !http::allows(context.principal.role, Permission::kOperate))
    return base::fail(Code::kPermissionDenied, "an endpoint serves the model " + name +
                                                   ", so only an operator moves its "
                                                   "aliases");
  TRY_ASSIGN(const auto model, registry.get_head(kProject, name));
  const auto current = model.aliases.find(alias);
  const int from = current == model.aliases.end() ? 0 : current->second;
  TRY(registry.set_alias(kProject, name, alias, version, "by an MLflow client",
                         context.principal.name));
  if (served) {
    if (const Status moved = s.server->refresh(name); !moved) {
      TRY(registry.set_alias(kProject, name, alias, from, "taken back: " + moved.error().message,
                             context.principal.name));
      return base::fail(
          Code::kFailedPrecondition,
          "an endpoint of " + name + " cannot answer with that: " + moved.error().message,
          moved.error().hint);
    }
  }
  tell(s, name);
  return {};
}

Result<Json> set_alias(const Services& s, Fields& fields, Context& context) {
  const std::string name = fields.required_text("name"), alias = fields.required_text("alias");
  TRY(fields.status());
  TRY_ASSIGN(const int version, version_number(fields));
  TRY(tracking::check_new_alias(alias));
  TRY(s.tracking->registry().get_version(kProject, name, version));
  TRY(move_alias(s, context, name, alias, version));
  return Json::object();
}

Result<Json> delete_alias(const Services& s, Fields& fields, Context& context) {
  const std::string name = fields.required_text("name"), alias = fields.required_text("alias");
  TRY(fields.status());
  TRY(move_alias(s, context, name, alias, 0));
  return Json::object();
}

Result<Json> get_by_alias(const Services& s, Fields& fields, Context&) {
  const std::string name = fields.required_text("name"), alias = fields.required_text("alias");
  TRY(fields.status());
  TRY_ASSIGN(const auto version, s.tracking->registry().version_of_alias(kProject, name, alias));
  return Json::object({{"model_version", version_object(version)}});
}

// ---- versions ---------------------------------------------------------------------------------

// The logged model says in a tag which versions were made of it.
Status mark_logged_model(const Services& s, const std::string& model_id,
                         const ModelVersion& version) {
  constexpr const char* kTag = "mlflow.modelVersions";
  const auto model = s.tracking->logged_models().get(model_id);
  if (!model) return {};
  Json known = Json::array();
  if (const auto tag = model->tags.find(kTag); tag != model->tags.end()) {
    if (auto parsed = base::parse_json(tag->second); parsed && parsed->is_array())
      known = std::move(*parsed);
  }
  known.push(Json::object({{"name", version.model}, {"version", version.version}}));
  std::string text;  // spaced as MLflow writes it
  for (const auto& entry : known.items())
    text += (text.empty() ? R"({"name": )" : R"(, {"name": )") + entry["name"].dump() +
            R"(, "version": )" + entry["version"].dump() + "}";
  return s.tracking->logged_models().set_tags(model_id, {{kTag, "[" + text + "]"}});
}

Result<Json> create_version(const Services& s, Fields& fields, Context&) {
  tracking::NewVersion version;
  const std::string name = fields.required_text("name");
  ModelSource told{fields.required_text("source"), "", fields.text("run_id"),
                   fields.text("model_id")};
  version.run_link = fields.text("run_link");
  version.description = fields.text("description");
  version.tags = tags_of(fields);
  TRY(fields.status());
  const bool prompt = is_prompt(version.tags);
  TRY_ASSIGN(const auto source, resolve_source(s, std::move(told), prompt));
  version.source = source.source;
  version.storage = source.storage == source.source ? "" : source.storage;
  version.run_id = source.run_id;
  version.model_id = source.model_id;
  if (!prompt) version.files = files_at(s, source.storage);
  TRY_ASSIGN(const auto made, s.tracking->registry().create_version(kProject, name, version));
  if (!version.model_id.empty()) TRY(mark_logged_model(s, version.model_id, made));
  tell(s, name);
  return Json::object({{"model_version", version_object(made)}});
}

struct VersionName {
  std::string model;
  int version = 0;
};

Result<VersionName> version_name(Fields& fields) {
  VersionName out;
  out.model = fields.required_text("name");
  TRY(fields.status());
  TRY_ASSIGN(out.version, version_number(fields));
  return out;
}

Result<Json> answer_version(const Services& s, const VersionName& name) {
  TRY_ASSIGN(const auto version,
             s.tracking->registry().get_version(kProject, name.model, name.version));
  return Json::object({{"model_version", version_object(version)}});
}

Result<Json> get_version(const Services& s, Fields& fields, Context&) {
  TRY_ASSIGN(const VersionName name, version_name(fields));
  return answer_version(s, name);
}

Result<Json> update_version(const Services& s, Fields& fields, Context&) {
  const std::string description = fields.text("description");
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY(s.tracking->registry().update_version(kProject, name.model, name.version,
                                            Json::object({{"description", description}})));
  tell(s, name.model);
  return answer_version(s, name);
}

// An endpoint may hold the version by number or by an alias.
Result<Json> delete_version(const Services& s, Fields& fields, Context& context) {
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY_ASSIGN(const auto version,
             s.tracking->registry().get_version(kProject, name.model, name.version));
  if (s.server != nullptr) {
    for (const auto& endpoint : s.server->list()) {
      if (endpoint.config.model != name.model) continue;
      for (const auto& arm : endpoint.arms) {
        if (arm.version == name.version)
          return base::fail(Code::kFailedPrecondition,
                            "the version is served by the endpoint " + endpoint.config.name,
                            "point the endpoint to another version first");
      }
    }
  }
  TRY(s.tracking->registry().remove_version(kProject, name.model, name.version));
  TRY(audit(s, context, "version.delete", name.model, "v" + std::to_string(name.version)));
  tell(s, name.model);
  return Json::object();
}

Result<Json> transition_stage(const Services& s, Fields& fields, Context& context) {
  const std::string stage = fields.required_text("stage");
  const bool archive = fields.flag("archive_existing_versions");
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY(s.tracking->registry().set_stage(kProject, name.model, name.version, stage, archive));
  TRY(audit(s, context, "version.stage", name.model,
            "v" + std::to_string(name.version) + ": " + stage));
  tell(s, name.model);
  return answer_version(s, name);
}

Result<Json> search_versions(const Services& s, Fields& fields, Context&) {
  TRY_ASSIGN(const auto query, query_of(fields, kDefaultVersions, kMostVersions));
  TRY_ASSIGN(const auto page, s.tracking->registry().search_versions(kProject, query));
  Json out = Json::object();
  if (!page.versions.empty()) out.set("model_versions", versions_array(page.versions));
  if (page.more)
    out.set("next_page_token", page_token(query.offset + query.limit, query_text(fields)));
  return out;
}

Result<Json> download_uri(const Services& s, Fields& fields, Context&) {
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY_ASSIGN(const auto version,
             s.tracking->registry().get_version(kProject, name.model, name.version));
  const std::string uri = !version.storage.empty()  ? version.storage
                          : !version.source.empty() ? version.source
                                                    : version_uri(version);
  return Json::object({{"artifact_uri", uri}});
}

Result<Json> set_version_tag(const Services& s, Fields& fields, Context&) {
  const std::string key = fields.required_text("key"), value = fields.text("value");
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY(s.tracking->registry().set_version_tag(kProject, name.model, name.version, key, value));
  return Json::object();
}

Result<Json> delete_version_tag(const Services& s, Fields& fields, Context&) {
  const std::string key = fields.required_text("key");
  TRY_ASSIGN(const VersionName name, version_name(fields));
  TRY(s.tracking->registry().remove_version_tag(kProject, name.model, name.version, key));
  return Json::object();
}

}  // namespace

std::string version_uri(const ModelVersion& version) {
  return "mlflow-artifacts:/" + std::string(tracking::Artifacts::kVersionsFolder) + "/" +
         version.model + "/" + std::to_string(version.version);
}

void add_registry_routes(Router& router, const Services& s) {
  const auto add = [&](Method method, const std::string& path, Permission permission,
                       Result<Json> (*call)(const Services&, Fields&, Context&)) {
    add_call(router, 2, method, path, permission,
             [s, call](Fields& fields, Context& context) { return call(s, fields, context); });
  };
  constexpr auto kRead = Permission::kRead, kWrite = Permission::kWrite;
  const std::string models = "registered-models/", versions = "model-versions/";
  add(Method::kPost, models + "create", kWrite, create_model);
  add(Method::kGet, models + "get", kRead, get_model);
  add(Method::kPatch, models + "update", kWrite, update_model);
  add(Method::kPost, models + "rename", kWrite, rename_model);
  add(Method::kDelete, models + "delete", kWrite, delete_model);
  add(Method::kGet, models + "search", kRead, search_models);
  add(Method::kPost, models + "get-latest-versions", kRead, latest_versions);
  add(Method::kGet, models + "get-latest-versions", kRead, latest_versions);
  add(Method::kPost, models + "set-tag", kWrite, set_model_tag);
  add(Method::kDelete, models + "delete-tag", kWrite, delete_model_tag);
  add(Method::kPost, models + "alias", kWrite, set_alias);
  add(Method::kDelete, models + "alias", kWrite, delete_alias);
  add(Method::kGet, models + "alias", kRead, get_by_alias);
  add(Method::kPost, versions + "create", kWrite, create_version);
  add(Method::kGet, versions + "get", kRead, get_version);
  add(Method::kPatch, versions + "update", kWrite, update_version);
  add(Method::kDelete, versions + "delete", kWrite, delete_version);
  add(Method::kPost, versions + "transition-stage", kWrite, transition_stage);
  add(Method::kGet, versions + "search", kRead, search_versions);
  add(Method::kGet, versions + "get-download-uri", kRead, download_uri);
  add(Method::kPost, versions + "set-tag", kWrite, set_version_tag);
  add(Method::kDelete, versions + "delete-tag", kWrite, delete_version_tag);
}

}  // namespace maru::api::mlflow
