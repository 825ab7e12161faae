#include "webhook_examples.h"

namespace maru::tracking {
namespace {

using base::Json;

Json tags() { return Json::object({{"example_key", "example_value"}}); }

Json named(const char* name, const char* description) {
  return Json::object({{"name", name}, {"tags", tags()}, {"description", description}});
}

Json run(const char* status) {
  return Json::object({{"run_id", "abcd1234abcd5678"},
                       {"experiment_id", "1"},
                       {"run_name", "example_run"},
                       {"status", status}});
}

Json version_of(bool prompt) {
  Json out =
      Json::object({{"name", prompt ? "example_prompt" : "example_model"}, {"version", "1"}});
  if (prompt) {
    out.set("template", "Hello {{name}}!");
  } else {
    out.set("source", "models:/123");
    out.set("run_id", "abcd1234abcd5678");
  }
  out.set("tags", tags());
  out.set("description", prompt ? "An example prompt version" : "An example model version");
  return out;
}

}  // namespace

Json example_payload(const std::string& entity, const std::string& action) {
  const bool prompt = entity.starts_with("prompt");
  if (entity == "registered_model") return named("example_model", "An example registered model");
  if (entity == "prompt") return named("example_prompt", "An example prompt");
  if (entity == "model_version" || entity == "prompt_version") return version_of(prompt);
  if (entity == "run") return run(action == "created" ? "RUNNING" : "FINISHED");
  Json out = Json::object({{"name", prompt ? "example_prompt" : "example_model"}});
  if (entity.ends_with("_alias")) {
    out.set("alias", "example_alias");
    if (action == "created") out.set("version", "1");
    return out;
  }
  if (entity != "prompt_tag") out.set("version", "1");
  out.set("key", "example_key");
  if (action == "set") out.set("value", "example_value");
  return out;
}

}  // namespace maru::tracking
