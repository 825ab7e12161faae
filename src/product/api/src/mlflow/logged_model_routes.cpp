#include "mlflow/artifact_files.h"

// MLflow 3's logged models (mlflow.md §1.5).
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using tracking::LoggedModel;
using tracking::Text;

constexpr std::size_t kDefaultResults = 50;
constexpr std::size_t kMostResults = 1000;

Json metric_json(const tracking::ModelMetric& metric) {
  Json out = Json::object({{"key", metric.point.key},
                           {"value", metric.point.value},
                           {"timestamp", metric.point.time_ms},
                           {"step", metric.point.step},
                           {"model_id", metric.model_id}});
  set_text(out, "run_id", metric.run_id);
  set_text(out, "dataset_name", metric.dataset_name);
  set_text(out, "dataset_digest", metric.dataset_digest);
  return out;
}

std::string status_word(const std::string& status) {
  if (status == "ready") return "LOGGED_MODEL_READY";
  return status == "upload_failed" ? "LOGGED_MODEL_UPLOAD_FAILED" : "LOGGED_MODEL_PENDING";
}

Json model_json(const LoggedModel& model) {
  Json info = Json::object({{"model_id", model.id},
                            {"experiment_id", model.experiment_id},
                            {"name", model.name},
                            {"creation_timestamp_ms", model.created_us / 1000},
                            {"last_updated_timestamp_ms", model.updated_us / 1000},
                            {"artifact_uri", model.artifact_uri},
                            {"status", status_word(model.status)}});
  set_text(info, "model_type", model.model_type);
  set_text(info, "source_run_id", model.source_run_id);
  set_text(info, "status_message", model.status_message);
  if (!model.tags.empty()) info.set("tags", pairs_json(model.tags));
  Json data = Json::object();
  if (!model.params.empty()) data.set("params", pairs_json(model.params));
  Json metrics = Json::array();
  for (const auto& metric : model.metrics) metrics.push(metric_json(metric));
  if (metrics.size() > 0) data.set("metrics", std::move(metrics));
  return Json::object({{"info", std::move(info)}, {"data", std::move(data)}});
}

Text text_of(Fields& fields, std::string_view name) {
  Text out;
  for (auto& [key, value] : pairs(fields, name)) out[key] = value;
  return out;
}

Result<Json> create(const Services& s, Fields& fields) {
  tracking::NewLoggedModel model;
  model.experiment_id = fields.required_text("experiment_id");
  model.name = fields.text("name");
  model.model_type = fields.text("model_type");
  model.source_run_id = fields.text("source_run_id");
  model.params = text_of(fields, "params");
  model.tags = text_of(fields, "tags");
  TRY(fields.status());
  TRY_ASSIGN(const auto made, s.tracking->logged_models().create(model));
  return Json::object({{"model", model_json(made)}});
}

Result<Json> finalize(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("model_id");
  std::string status = fields.required_text("status");
  TRY(fields.status());
  static constexpr std::pair<std::string_view, const char*> kWords[] = {
      {"LOGGED_MODEL_PENDING", "pending"},
      {"LOGGED_MODEL_READY", "ready"},
      {"LOGGED_MODEL_UPLOAD_FAILED", "upload_failed"},
      {"1", "pending"},
      {"2", "ready"},
      {"3", "upload_failed"}};
  for (const auto& [word, ours] : kWords) {
    if (status != word) continue;
    TRY_ASSIGN(const auto model, s.tracking->logged_models().set_status(id, ours));
    return Json::object({{"model", model_json(model)}});
  }
  fields.refuse("status", status, "It must be a status of a logged model");
  TRY(fields.status());
  return Json::object();
}

// What a page token belongs to: everything but the page itself.
std::string query_text(const Fields& fields) {
  Json out = Json::object();
  for (const char* name : {"experiment_ids", "filter", "order_by", "datasets"})
    out.set(name, fields.json()[name]);
  return out.dump();
}

Result<Json> search(const Services& s, Fields& fields) {
  tracking::LoggedModelQuery query;
  query.experiment_ids = fields.texts("experiment_ids");
  if (query.experiment_ids.empty()) static_cast<void>(fields.required_text("experiment_ids"));
  query.filter = fields.text("filter");
  for (auto& item : fields.objects("datasets")) {
    query.datasets.push_back({item.text("dataset_name"), item.text("dataset_digest")});
    fields.adopt(item);
    if (query.datasets.back().name.empty())
      return base::fail(Code::kInvalidArgument,
                        "`dataset_name` in the `datasets` clause must be specified.");
  }
  for (auto& item : fields.objects("order_by")) {
    query.order_by.push_back({item.required_text("field_name"),
                              item.flag("ascending", true),
                              {item.text("dataset_name"), item.text("dataset_digest")}});
    fields.adopt(item);
  }
  query.limit = max_results(fields, kDefaultResults, kMostResults);
  const std::string token = fields.text("page_token"), bound = query_text(fields);
  TRY(fields.status());
  TRY_ASSIGN(query.offset, page_offset(token, bound));
  TRY_ASSIGN(const auto page, s.tracking->logged_models().search(query));
  Json models = Json::array(), out = Json::object();
  for (const auto& model : page.models) models.push(model_json(model));
  if (models.size() > 0) out.set("models", std::move(models));
  if (page.more) out.set("next_page_token", page_token(query.offset + query.limit, bound));
  return out;
}

Result<Json> list_files(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("model_id");
  TRY(fields.status());
  TRY_ASSIGN(const std::string path, safe_path(fields.text("artifact_directory_path")));
  TRY_ASSIGN(const auto model, s.tracking->logged_models().get(id));
  Json out = Json::object({{"root_uri", model.artifact_uri}});
  TRY_ASSIGN(Json files, list_json(s, {id, path}, path));
  if (files.size() > 0) out.set("files", std::move(files));
  return out;
}

Result<Response> get_file(const Services& s, const Request& request) {
  const std::string id(request.param("model_id"));
  if (request.query_param("artifact_file_path").empty())
    return base::fail(Code::kInvalidArgument,
                      "Request must include the \"artifact_file_path\" query parameter.");
  TRY_ASSIGN(const std::string path, safe_path(request.query_param("artifact_file_path")));
  TRY(s.tracking->logged_models().get(id));
  return send_artifact(s, request, {id, path});
}

}  // namespace

void add_logged_model_routes(Router& router, const Services& s) {
  const auto add = [&](Method method, const char* path, Permission permission,
                       Result<Json> (*call)(const Services&, Fields&)) {
    add_call(router, 2, method, path, permission,
             [s, call](Fields& fields, Context&) { return call(s, fields); });
  };
  add(Method::kPost, "logged-models", Permission::kWrite, create);
  add(Method::kPost, "logged-models/search", Permission::kRead, search);
  add(Method::kPatch, "logged-models/{model_id}", Permission::kWrite, finalize);
  add(Method::kGet, "logged-models/{model_id}", Permission::kRead,
      [](const Services& services, Fields& fields) -> Result<Json> {
        const std::string id = fields.required_text("model_id");
        const bool deleted_too = fields.flag("allow_deleted");
        TRY(fields.status());
        auto& models = services.tracking->logged_models();
        TRY_ASSIGN(const auto model, deleted_too ? models.get_any(id) : models.get(id));
        return Json::object({{"model", model_json(model)}});
      });
  add(Method::kDelete, "logged-models/{model_id}", Permission::kWrite,
      [](const Services& services, Fields& fields) -> Result<Json> {
        TRY(services.tracking->logged_models().remove(fields.required_text("model_id")));
        return Json::object();
      });
  add(Method::kPost, "logged-models/{model_id}/params", Permission::kWrite,
      [](const Services& services, Fields& fields) -> Result<Json> {
        const std::string id = fields.required_text("model_id");
        const Text values = text_of(fields, "params");
        TRY(fields.status());
        TRY(services.tracking->logged_models().log_params(id, values));
        return Json::object();
      });
  add(Method::kPatch, "logged-models/{model_id}/tags", Permission::kWrite,
      [](const Services& services, Fields& fields) -> Result<Json> {
        const std::string id = fields.required_text("model_id");
        const Text tags = text_of(fields, "tags");
        TRY(fields.status());
        TRY(services.tracking->logged_models().set_tags(id, tags));
        return Json::object();
      });
  add(Method::kDelete, "logged-models/{model_id}/tags/{tag_key}", Permission::kWrite,
      [](const Services& services, Fields& fields) -> Result<Json> {
        TRY(services.tracking->logged_models().remove_tag(fields.required_text("model_id"),
                                                          fields.required_text("tag_key")));
        return Json::object();
      });
  add(Method::kGet, "logged-models/{model_id}/artifacts/directories", Permission::kRead,
      list_files);
  for (const char* root : {"/api/", "/ajax-api/"}) {
    router.add(Method::kGet,
               root + std::string("2.0/mlflow/logged-models/{model_id}/artifacts/files"),
               options(Permission::kRead),
               [s](const Request& request, Context&) { return get_file(s, request); });
  }
}

}  // namespace maru::api::mlflow
