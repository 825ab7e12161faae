#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kHistory = 100;

struct Traffic {
  double share = 0;
  Json endpoints = Json::array();
};

Traffic traffic_of(const std::vector<serve::EndpointStatus>& endpoints, const std::string& model,
                   int version) {
  Traffic out;
  for (const auto& endpoint : endpoints) {
    if (endpoint.config.model != model) continue;
    double total = 0, mine = 0;
    for (const auto& arm : endpoint.arms) {
      total += arm.weight;
      if (arm.version == version) mine += arm.weight;
    }
    if (mine <= 0) continue;
    out.share = std::max(out.share, mine / total);
    out.endpoints.push(endpoint.config.name);
  }
  return out;
}

Json aliases_json(const tracking::Model& model) {
  Json out = Json::object();
  for (const auto& [alias, version] : model.aliases) out.set(alias, version);
  return out;
}

Json headline(const tracking::ModelVersion& version, const std::string& task) {
  const std::string metric = version.card["metric"].as_string_or(primary_metric(task));
  const Json& value = version.metrics[metric];
  return Json::object({{"version", version.version},
                       {"state", version.state},
                       {"created_us", version.created_us},
                       {"metric", metric},
                       {"value", value["value"]},
                       {"low", value["low"]},
                       {"high", value["high"]}});
}

Json model_row(const tracking::Model& model) {
  Json out = Json::object({{"name", model.name},
                           {"task", model.task},
                           {"description", model.description},
                           {"created_us", model.created_us},
                           {"updated_us", model.updated_us},
                           {"aliases", aliases_json(model)},
                           {"versions", count(model.versions.size())}});
  if (model.versions.empty()) return out.set("latest", nullptr).set("gates", nullptr);
  std::int64_t passed = 0, failed = 0;
  for (const auto& gate : model.versions.front().gates.items())
    ++(gate["ok"].as_bool() ? passed : failed);
  return out.set("latest", headline(model.versions.front(), model.task))
      .set("gates", Json::object({{"ok", passed}, {"failed", failed}}));
}

base::Result<Response> get_model(const Services& s, const Request& request) {
  const std::string project = project_of(request), name(request.param("model"));
  TRY_ASSIGN(const auto model, s.tracking->registry().get_model(project, name));
  TRY_ASSIGN(const auto history, s.tracking->registry().alias_history(project, name, kHistory));
  const auto endpoints = s.server->list();
  Json versions = Json::array(), changes = Json::array();
  for (const auto& version : model.versions) {
    const Traffic traffic = traffic_of(endpoints, name, version.version);
    Json row = version_json(version);
    row.set("metric", version.card["metric"].as_string_or(primary_metric(model.task)));
    versions.push(row.set("traffic", traffic.share).set("endpoints", traffic.endpoints));
  }
  for (const auto& change : history) {
    changes.push(Json::object({{"alias", change.alias},
                               {"from", change.from},
                               {"to", change.to},
                               {"reason", change.reason},
                               {"principal", change.principal},
                               {"time_us", change.time_us}}));
  }
  return answer(Json::object({{"name", model.name},
                              {"task", model.task},
                              {"description", model.description},
                              {"aliases", aliases_json(model)},
                              {"versions", versions},
                              {"history", changes}}));
}

const tracking::ModelVersion* find_version(const tracking::Model& model, int version) {
  for (const auto& entry : model.versions) {
    if (entry.version == version) return &entry;
  }
  return nullptr;
}

// The endpoints whose answers a move of this alias changes.
Json followers(const Services& s, const std::string& model, const std::string& alias) {
  Json out = Json::array();
  for (const auto& endpoint : s.server->list()) {
    const bool follows = std::any_of(endpoint.arms.begin(), endpoint.arms.end(),
                                     [&](const serve::Arm& arm) { return arm.selector == alias; });
    if (endpoint.config.model == model && follows) out.push(endpoint.config.name);
  }
  return out;
}

Json consequences(const Services& s, const tracking::Model& model, const std::string& alias,
                  int from, int to) {
  Json lines = Json::array();
  lines.push(alias + " moves from " +
             (from == 0 ? std::string("nothing") : "v" + std::to_string(from)) + " to v" +
             std::to_string(to));
  const Json endpoints =
      followers(s, model.name, alias);  // named: a range over a temporary dangles
  for (const auto& endpoint : endpoints.items()) {
    lines.push("endpoint " + endpoint.as_string() + " answers every later request with v" +
               std::to_string(to) + "; v" + std::to_string(from) + " stays warm for a roll-back");
  }
  const auto* target = find_version(model, to);
  for (const auto& gate : target->gates.items()) {
    if (!gate["ok"].as_bool())
      lines.push("gate " + gate["name"].as_string() + " failed: " + gate["value"].dump() +
                 ", bound " + gate["bound"].dump());
  }
  return lines;
}

base::Result<Response> move_alias(const Services& s, const Request& request, Context& context,
                                  const std::string& alias, int to, const std::string& reason) {
  const std::string project = project_of(request), name(request.param("model"));
  TRY_ASSIGN(const auto model, s.tracking->registry().get_model(project, name));
  const auto current = model.aliases.find(alias);
  const int from = current == model.aliases.end() ? 0 : current->second;
  const auto* target = find_version(model, to);
  if (target == nullptr)
    return base::fail(base::Code::kNotFound,
                      "model " + name + " has no version " + std::to_string(to),
                      "see `maru model show " + name + "`");
  if (target->state != "ready")
    return base::fail(base::Code::kFailedPrecondition,
                      "version " + std::to_string(to) + " is not ready: " + target->state,
                      target->reason);
  Json out = Json::object({{"model", name}, {"alias", alias}, {"from", from}, {"to", to}});
  if (request.query_param("dry_run") == "true") {
    const auto* source = find_version(model, from);
    out.set("consequences", consequences(s, model, alias, from, to))
        .set("endpoints", followers(s, name, alias));
    return answer(out.set("metrics_from", source == nullptr ? Json() : source->metrics)
                      .set("metrics_to", target->metrics));
  }
  TRY(s.tracking->registry().set_alias(project, name, alias, to, reason, context.principal.name));
  const base::Status refreshed = s.server->refresh(name);
  if (!refreshed) {
    // The registry must not say what no endpoint does.
    TRY(s.tracking->registry().set_alias(project, name, alias, from,
                                         "taken back: " + refreshed.error().message,
                                         context.principal.name));
    return base::wrap(refreshed.error(), "version " + std::to_string(to) +
                                             " could not be loaded; " + alias + " stays on v" +
                                             std::to_string(from));
  }
  s.events->publish("model:" + name, R"({"type":"changed"})");
  s.events->publish("project:" + project, R"({"type":"changed","kind":"model"})");
  return answer(std::move(out));
}

base::Result<Response> put_alias(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string project = project_of(request), name(request.param("model"));
  const Json& wanted = body["version"];
  int version = static_cast<int>(wanted.as_int());
  if (wanted.is_string()) {
    TRY_ASSIGN(version, s.tracking->registry().resolve(project, name, wanted.as_string()));
  }
  return move_alias(s, request, context, std::string(request.param("alias")), version,
                    body["reason"].as_string());
}

// The version that the alias pointed to before its newest move that is not itself a roll-back target.
base::Result<Response> roll_back(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string alias = body["alias"].as_string_or("champion"), name(request.param("model"));
  TRY_ASSIGN(const auto model, s.tracking->registry().get_model(project_of(request), name));
  const auto current = model.aliases.find(alias);
  if (current == model.aliases.end())
    return base::fail(base::Code::kFailedPrecondition, "model " + name + " has no alias " + alias);
  TRY_ASSIGN(const auto history,
             s.tracking->registry().alias_history(project_of(request), name, kHistory));
  for (const auto& change : history) {
    if (change.alias != alias || change.to != current->second || change.from == 0 ||
        change.from == current->second)
      continue;
    return move_alias(s, request, context, alias, change.from,
                      body["reason"].as_string_or("roll-back"));
  }
  return base::fail(base::Code::kFailedPrecondition,
                    "there is no earlier version to go back to: " + name + " " + alias +
                        " has pointed only to v" + std::to_string(current->second));
}

std::string_view kind_of(model::Datatype type) {
  switch (type) {
    case model::Datatype::kBytes:
      return "text";
    case model::Datatype::kBool:
      return "boolean";
    case model::Datatype::kFp16:
    case model::Datatype::kBf16:
    case model::Datatype::kFp32:
    case model::Datatype::kFp64:
      return "number";
    default:
      return "integer";
  }
}

// Tensors that hold one value a row are columns too.
Json columns_of(const std::vector<model::TensorSpec>& specs, const Json& example) {
  Json out = Json::array();
  for (const model::TensorSpec& spec : specs) {
    if (spec.shape.empty() || spec.shape.size() > 2 || spec.shape.front() >= 0 ||
        (spec.shape.size() == 2 && spec.shape.back() != 1))
      return Json::array();
    out.push(Json::object({{"name", spec.name},
                           {"kind", kind_of(spec.type)},
                           {"required", true},
                           {"datatype", model::datatype_name(spec.type)},
                           {"example", example[spec.name]}}));
  }
  return out;
}

Json signature_json(const model::Bundle& bundle) {
  Json out = bundle.signature().to_json();
  const model::TensorModel* tensors = bundle.tensors();
  if (tensors == nullptr) return out;
  out.set("task", "tensors")
      .set("inputs", columns_of(tensors->inputs(), bundle.metadata()["example"]));
  return out.set("tensors", Json::object({{"inputs", model::specs_json(tensors->inputs())},
                                          {"outputs", model::specs_json(tensors->outputs())}}));
}

base::Result<Response> get_signature(const Services& s, const Request& request) {
  const std::string project = project_of(request), name(request.param("model"));
  TRY_ASSIGN(const int version, s.tracking->registry().resolve(
                                    project, name, std::string(request.query_param("version"))));
  TRY_ASSIGN(const auto files, s.tracking->registry().version_files(project, name, version));
  serve::CallOptions options;
  options.version = version;
  TRY_ASSIGN(const auto chosen, s.server->choose(name, options));
  Json out = signature_json(*chosen.bundle);
  return answer(out.set("version", version));
}

base::Result<Response> get_file(const Services& s, const Request& request) {
  const std::string project = project_of(request), name(request.param("model"));
  TRY_ASSIGN(const int version,
             s.tracking->registry().resolve(project, name, std::string(request.param("version"))));
  TRY_ASSIGN(const auto model, s.tracking->registry().get_model(project, name));
  const auto* entry = find_version(model, version);
  if (entry == nullptr) return base::fail(base::Code::kNotFound, "no such version");
  TRY_ASSIGN(std::string bytes, s.tracking->artifacts().read_artifact(
                                    entry->run_id, "model/" + std::string(request.param("path"))));
  Response response = Response::text(std::move(bytes), 200, "application/octet-stream");
  response.headers.set("Content-Disposition", "attachment");
  return response;
}

base::Result<Response> export_version(const Services& s, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string project = project_of(request), name(request.param("model")),
                    folder = body["folder"].as_string();
  if (folder.empty() || folder.front() != '/')
    return base::fail(base::Code::kInvalidArgument, "`folder` must be an absolute path: " + folder);
  if (base::path_exists(folder))
    return base::fail(base::Code::kAlreadyExists, "export would overwrite: " + folder,
                      "choose a folder that does not exist");
  TRY_ASSIGN(const int version,
             s.tracking->registry().resolve(project, name, body["selector"].as_string()));
  TRY(s.tracking->registry().export_version(project, name, version, folder));
  return answer(Json::object({{"model", name}, {"version", version}, {"folder", folder}}));
}

}  // namespace

Json version_json(const tracking::ModelVersion& v) {
  return Json::object({{"version", v.version},
                       {"state", v.state},
                       {"run_id", v.run_id},
                       {"snapshot", v.snapshot},
                       {"created_us", v.created_us},
                       {"bytes", count(v.bytes)},
                       {"aliases", text_array(v.aliases)},
                       {"metrics", v.metrics},
                       {"gates", v.gates},
                       {"card", v.card},
                       {"description", v.description},
                       {"reason", v.reason}});
}

void add_model_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/models", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto models,
                          s.tracking->registry().list_models(project_of(request)));
               Json rows = Json::array();
               for (const auto& model : models) rows.push(model_row(model));
               return answer(Json::object({{"models", rows}}));
             });
  router.add(Method::kGet, "/api/v1/models/{model}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_model(s, request); });
  router.add(Method::kGet, "/api/v1/models/{model}/signature", {Permission::kRead},
             [s](const Request& request, Context&) { return get_signature(s, request); });
  router.add(
      Method::kPut, "/api/v1/models/{model}/aliases/{alias}", {Permission::kOperate},
      [s](const Request& request, Context& context) { return put_alias(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/models/{model}/rollback", {Permission::kOperate},
      [s](const Request& request, Context& context) { return roll_back(s, request, context); });
  router.add(Method::kPost, "/api/v1/models/{model}/export", {Permission::kAdmin},
             [s](const Request& request, Context&) { return export_version(s, request); });
  router.add(Method::kPost, "/api/v1/model-imports", {Permission::kAdmin, RunOn::kWork},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               TRY_ASSIGN(const Json body, body_json(request));
               TRY_ASSIGN(Json result, s.import_model(body, context));
               return answer(std::move(result), 201);
             });
  router.add(Method::kPost, "/api/v1/predictions", {Permission::kOperate, RunOn::kWork},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               TRY_ASSIGN(const Json body, body_json(request));
               TRY_ASSIGN(Json result, s.predict_files(body, context));
               return answer(std::move(result));
             });
  router.add(
      Method::kGet, "/api/v1/models/{model}/versions/{version}/files", {Permission::kRead},
      [s](const Request& request, Context&) -> base::Result<Response> {
        const std::string project = project_of(request), name(request.param("model"));
        TRY_ASSIGN(const int version, s.tracking->registry().resolve(
                                          project, name, std::string(request.param("version"))));
        TRY_ASSIGN(const auto files, s.tracking->registry().version_files(project, name, version));
        Json out = Json::array();
        for (const auto& file : files)
          out.push(Json::object(
              {{"path", file.path}, {"sha256", file.sha256}, {"bytes", count(file.bytes)}}));
        return answer(Json::object({{"files", out}}));
      });
  router.add(Method::kGet, "/api/v1/models/{model}/versions/{version}/files/{path...}",
             {Permission::kRead},
             [s](const Request& request, Context&) { return get_file(s, request); });
}

}  // namespace maru::api
