#include "events.h"

#include "maru/tracking/webhooks.h"
#include "registry.h"

namespace maru::tracking {
namespace {

using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr std::string_view kTypeTag = "_mlflow_prompt_type";
constexpr const char* kTextTag = "mlflow.prompt.text";

bool says_prompt(const Text& tags) {
  const auto found = tags.find(std::string(kPromptTag));
  return found != tags.end() && (found->second == "true" || found->second == "True");
}

Result<bool> is_prompt(Writer& writer, const RegistryPlace& place) {
  const auto key = params(place.project, place.model, std::string(kPromptTag));
  TRY_ASSIGN(const auto rows, writer.query("SELECT value FROM model_tags WHERE project = $1 AND "
                                           "model = $2 AND key = $3",
                                           key));
  return !rows.empty() && (rows[0].text(0) == "true" || rows[0].text(0) == "True");
}

Json tags_json(const Text& tags, bool prompt) {
  Json::Object out;
  for (const auto& [key, value] : tags) {
    if (!prompt || (key != kPromptTag && key != kTypeTag && key != kTextTag))
      out.emplace_back(key, value);
  }
  return Json::object_of(std::move(out));
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

Status tell_model_created(Writer& writer, std::int64_t now_us, const std::string& name,
                          const std::string& description, const Text& tags) {
  const bool prompt = says_prompt(tags);
  return enqueue_event(writer, now_us, prompt ? "prompt" : "registered_model", "created",
                       Json::object({{"name", name},
                                     {"tags", tags_json(tags, prompt)},
                                     {"description", or_null(description)}}));
}

Status tell_version_created(Writer& writer, std::int64_t now_us, const std::string& project,
                            const ModelVersion& version) {
  TRY_ASSIGN(const bool prompt, is_prompt(writer, {project, version.model}));
  Json payload =
      Json::object({{"name", version.model}, {"version", std::to_string(version.version)}});
  if (prompt) {
    const auto text = version.tags.find(kTextTag);
    payload.set("template", text == version.tags.end() ? Json() : Json(text->second));
  } else {
    payload.set("source", version.source);
    payload.set("run_id", or_null(version.run_id));
  }
  payload.set("tags", tags_json(version.tags, prompt));
  payload.set("description", or_null(version.description));
  return enqueue_event(writer, now_us, prompt ? "prompt_version" : "model_version", "created",
                       payload);
}

Status tell_model_tag(Writer& writer, std::int64_t now_us, const RegistryPlace& place,
                      const std::string& key, const std::optional<std::string>& value) {
  TRY_ASSIGN(const bool prompt, is_prompt(writer, place));
  if (!prompt) return {};  // MLflow has no such event for models
  Json payload = Json::object({{"name", place.model}, {"key", key}});
  if (value) payload.set("value", *value);
  return enqueue_event(writer, now_us, "prompt_tag", value ? "set" : "deleted", payload);
}

Status tell_version_tag(Writer& writer, std::int64_t now_us, const RegistryPlace& place,
                        int version, const std::string& key,
                        const std::optional<std::string>& value) {
  TRY_ASSIGN(const bool prompt, is_prompt(writer, place));
  Json payload =
      Json::object({{"name", place.model}, {"version", std::to_string(version)}, {"key", key}});
  if (value) payload.set("value", *value);
  return enqueue_event(writer, now_us, prompt ? "prompt_version_tag" : "model_version_tag",
                       value ? "set" : "deleted", payload);
}

Status tell_alias(Writer& writer, std::int64_t now_us, const RegistryPlace& place,
                  const std::string& alias, int version) {
  TRY_ASSIGN(const bool prompt, is_prompt(writer, place));
  Json payload = Json::object({{"name", place.model}, {"alias", alias}});
  if (version != 0) payload.set("version", std::to_string(version));
  return enqueue_event(writer, now_us, prompt ? "prompt_alias" : "model_version_alias",
                       version != 0 ? "created" : "deleted", payload);
}

Status tell_run(Writer& writer, std::int64_t now_us, const char* action, const RunFacts& run) {
  return enqueue_event(writer, now_us, "run", action,
                       Json::object({{"run_id", run.id},
                                     {"experiment_id", run.experiment_id},
                                     {"run_name", run.name},
                                     {"status", run.status}}));
}

}  // namespace maru::tracking
