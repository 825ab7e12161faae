#include <set>

#include "mlflow/limits.h"
#include "mlflow/run_shapes.h"

// MLflow's runs. Source: protos/service.proto, sections Run and Metric.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr const char* kProject = "default";
constexpr const char* kNameTag = "mlflow.runName";
constexpr const char* kUserTag = "mlflow.user";
constexpr const char* kStatuses[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};

// run_id, or run_uuid of old clients.
std::string run_id_of(Fields& fields) {
  std::string id = fields.text("run_id");
  if (id.empty()) id = fields.text("run_uuid");
  if (id.empty()) return fields.required_text("run_id");
  return id;
}

Status check_tag(tracking::Text& tags, const std::string& key, const std::string& value,
                 const char* what) {
  TRY(check_wire_key(what, key));
  tags[key] = cut(value, kMaxRunTagValue);
  return {};
}

Result<Json> create(const Services& s, Fields& fields) {
  tracking::NewRun run;
  run.experiment_id = fields.text("experiment_id");
  if (run.experiment_id.empty()) run.experiment_id = "0";
  run.user = fields.text("user_id");
  run.name = fields.text("run_name");
  run.source = "mlflow";
  if (const auto start = fields.integer("start_time")) run.start_us = us_of_ms(*start);
  for (const auto& [key, value] : pairs(fields, "tags"))
    TRY(check_tag(run.tags, key, value, "tags.key"));
  TRY(fields.status());
  TRY(check_experiment_id(run.experiment_id));
  const auto tag = run.tags.find(kNameTag);
  const std::string tagged = tag == run.tags.end() ? std::string() : tag->second;
  if (!run.name.empty() && !tagged.empty() && run.name != tagged)
    return base::fail(Code::kInvalidArgument,
                      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                      "different values (run_name='" +
                          run.name + "', mlflow.runName='" + tagged + "').");
  if (run.name.empty()) run.name = tagged;
  if (run.name.empty())
    run.name = generated_name(std::to_string(s.clock->monotonic_ns()) + run.experiment_id);
  if (const auto user = run.tags.find(kUserTag); run.user.empty() && user != run.tags.end())
    run.user = user->second;
  TRY_ASSIGN(const auto made, s.tracking->runs().create_run(run));
  return Json::object({{"run", run_json(made)}});
}

Result<Json> update(const Services& s, Fields& fields) {
  const std::string id = run_id_of(fields);
  tracking::RunUpdate change;
  if (fields.has("status")) {
    std::string status = fields.text("status");
    if (status.size() == 1 && status[0] >= '1' && status[0] <= '5')
      status = kStatuses[static_cast<std::size_t>(status[0] - '1')];
    change.status = status;
  }
  if (const auto end = fields.integer("end_time")) change.end_us = us_of_ms(*end);
  change.name = fields.optional_text("run_name");
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY_ASSIGN(const auto run, s.tracking->runs().update_run(id, change));
  return Json::object({{"run_info", info_json(run)}});
}

Result<Json> get(const Services& s, Fields& fields) {
  const std::string id = run_id_of(fields);
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY_ASSIGN(const auto run, s.tracking->runs().get_run(id));
  return Json::object({{"run", run_json(run)}});
}

Result<Json> change_state(const Services& s, Fields& fields, bool deleted) {
  const std::string id = fields.required_text("run_id");
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY(deleted ? s.tracking->runs().delete_run(id) : s.tracking->runs().restore_run(id));
  return Json::object();
}

Result<Json> search(const Services& s, Fields& fields) {
  tracking::RunQuery query;
  query.experiment_ids = fields.texts("experiment_ids");
  query.filter = fields.text("filter");
  query.order_by = fields.texts("order_by");
  query.limit = max_results(fields, 1000, kMaxRuns);
  const std::string view = fields.text("run_view_type"), token = fields.text("page_token");
  if (view == "DELETED_ONLY" || view == "2") query.view = tracking::View::kDeleted;
  if (view == "ALL" || view == "3") query.view = tracking::View::kAll;
  TRY(fields.status());
  if (query.experiment_ids.empty()) return Json::object();
  std::string identity = "runs\n" + query.filter + "\n" + view;
  for (const auto* list : {&query.experiment_ids, &query.order_by})
    for (const auto& item : *list) identity += "\n" + item;
  TRY_ASSIGN(query.after, after_of(token, identity));
  TRY_ASSIGN(const auto page, s.tracking->runs().search_runs(kProject, query));
  Json out = Json::object();
  if (!page.runs.empty()) {
    Json rows = Json::array();
    for (const auto& run : page.runs) rows.push(run_json(run));
    out.set("runs", std::move(rows));
  }
  if (!page.next_after.empty()) out.set("next_page_token", after_token(page.next_after, identity));
  return out;
}

Result<Json> delete_tag(const Services& s, Fields& fields) {
  const std::string id = run_id_of(fields), key = fields.required_text("key");
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY(s.tracking->runs().delete_tag(id, key));
  return Json::object();
}

// Reads one point; it is logged for a model too when the client names one.
Status read_metric(Fields& fields, const char* what, tracking::RunBatch& batch) {
  tracking::MetricPoint point;
  point.key = fields.required_text("key");
  point.value = finite(fields.required_real("value"));
  point.time_ms = fields.required_integer("timestamp");
  point.step = fields.integer("step").value_or(0);
  TRY(fields.status());
  TRY(check_wire_key(what, point.key));
  if (!fields.has("model_id")) {
    batch.metrics.push_back(std::move(point));
    return {};
  }
  tracking::ScopedMetric scoped{std::move(point), fields.text("model_id"),
                                fields.text("dataset_name"), fields.text("dataset_digest")};
  batch.scoped.push_back(std::move(scoped));
  return fields.status();
}

Status read_param(Fields& fields, const char* what, tracking::Text& params) {
  const std::string key = fields.required_text("key"), value = fields.text("value");
  TRY(fields.status());
  TRY(check_wire_key(what, key));
  const std::string kept = cut(value, kMaxParamValue);
  const auto [known, fresh] = params.try_emplace(key, kept);
  if (!fresh)
    return base::fail(Code::kInvalidArgument,
                      "Duplicate parameter keys have been submitted: '" + key +
                          "'. Please ensure "
                          "the request contains only one param value per param key.");
  return {};
}

void log(const Services& s, const std::string& id, tracking::RunBatch batch, Done done) {
  s.tracking->runs().log_async(id, std::move(batch), [done = std::move(done)](Status outcome) {
    if (outcome)
      done(Json::object());
    else
      done(tl::unexpected(outcome.error()));
  });
}

Status log_metric(const Services& s, Fields& fields, Done done) {
  tracking::RunBatch batch;
  const std::string id = run_id_of(fields);
  TRY(read_metric(fields, "name", batch));
  TRY(check_run_id(id));
  log(s, id, std::move(batch), std::move(done));
  return {};
}

Status log_param(const Services& s, Fields& fields, Done done) {
  tracking::RunBatch batch;
  const std::string id = run_id_of(fields);
  TRY(read_param(fields, "key", batch.params));
  TRY(check_run_id(id));
  log(s, id, std::move(batch), std::move(done));
  return {};
}

Status set_tag(const Services& s, Fields& fields, Done done) {
  tracking::RunBatch batch;
  const std::string id = run_id_of(fields), key = fields.required_text("key");
  const std::string value = fields.text("value");
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY(check_tag(batch.tags, key, value, "key"));
  log(s, id, std::move(batch), std::move(done));
  return {};
}

Status check_count(const char* what, std::size_t have, std::size_t most) {
  if (have <= most) return {};
  return base::fail(Code::kInvalidArgument,
                    "A batch logging request can contain at most " + std::to_string(most) + " " +
                        what + ". Got " + std::to_string(have) + " " + what + ". Please split up " +
                        what + " across multiple requests and try again.");
}

// A failure of one of many names its place, as MLflow does: 'metrics[3].name'.
Status placed(Status outcome, std::string_view list, std::size_t index, std::string_view field) {
  if (outcome) return outcome;
  base::Error failure = outcome.error();
  const std::string plain = "'" + std::string(list) + ".key'";
  const std::size_t at = failure.message.find(plain);
  if (at != std::string::npos)
    failure.message.replace(
        at, plain.size(),
        "'" + std::string(list) + "[" + std::to_string(index) + "]." + std::string(field) + "'");
  return tl::unexpected(std::move(failure));
}

Status log_batch(const Services& s, Fields& fields, Done done) {
  tracking::RunBatch batch;
  const std::string id = fields.required_text("run_id");
  auto metrics = fields.objects("metrics");
  auto params = fields.objects("params");
  auto tags = fields.objects("tags");
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY(check_count("metrics", metrics.size(), kMaxBatchMetrics));
  TRY(check_count("params", params.size(), kMaxBatchParams));
  TRY(check_count("tags", tags.size(), kMaxBatchTags));
  TRY(check_count("metrics, params, and tags", metrics.size() + params.size() + tags.size(),
                  kMaxBatchTotal));
  batch.metrics.reserve(metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i)
    TRY(placed(read_metric(metrics[i], "metrics.key", batch), "metrics", i, "name"));
  for (std::size_t i = 0; i < params.size(); ++i)
    TRY(placed(read_param(params[i], "params.key", batch.params), "params", i, "key"));
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::string key = tags[i].required_text("key"), value = tags[i].text("value");
    TRY(tags[i].status());
    TRY(placed(check_tag(batch.tags, key, value, "tags.key"), "tags", i, "key"));
  }
  log(s, id, std::move(batch), std::move(done));
  return {};
}

// The log of 2.x clients: the model's description is appended to a tag.
Result<Json> log_model(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("run_id"), text = fields.required_text("model_json");
  TRY(fields.status());
  TRY(check_run_id(id));
  const auto model = base::parse_json(text);
  if (!model || !model->is_object())
    return base::fail(Code::kInvalidArgument, "Malformed model info. \n " + text.substr(0, 1000) +
                                                  " \n could not be deserialized from JSON.");
  std::string missing;
  for (const char* name : {"artifact_path", "flavors", "utc_time_created", "run_id"})
    if (!model->has(name)) missing += (missing.empty() ? "'" : ", '") + std::string(name) + "'";
  if (!missing.empty())
    return base::fail(Code::kInvalidArgument,
                      "Model json is missing mandatory fields: {" + missing + "}");
  constexpr const char* kHistory = "mlflow.log-model.history";
  TRY_ASSIGN(const auto run, s.tracking->runs().get_run(id));
  Json history = Json::array();
  if (const auto known = run.tags.find(kHistory); known != run.tags.end()) {
    if (auto before = base::parse_json(known->second); before && before->is_array())
      history = *before;
  }
  history.push(*model);
  TRY(s.tracking->runs().log(id, {{}, {{kHistory, history.dump()}}, {}}));
  return Json::object();
}

Status check_dataset(const tracking::DatasetInput& input) {
  TRY(check_length("name", input.dataset.name, kMaxDatasetName));
  TRY(check_length("digest", input.dataset.digest, kMaxDatasetDigest));
  TRY(check_length("source", input.dataset.source, kMaxDatasetSource));
  TRY(check_length("schema", input.dataset.schema, kMaxDatasetSchema));
  TRY(check_length("profile", input.dataset.profile, kMaxDatasetProfile));
  for (const auto& [key, value] : input.tags) {
    TRY(check_length("key", key, kMaxInputTagKey));
    TRY(check_length("value", value, kMaxInputTagValue));
  }
  return {};
}

Result<Json> log_inputs(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("run_id");
  std::vector<tracking::DatasetInput> inputs;
  for (auto& item : fields.objects("datasets")) {
    tracking::DatasetInput input;
    for (const auto& [key, value] : pairs(item, "tags")) input.tags[key] = value;
    if (auto dataset = item.object("dataset")) {
      input.dataset.name = dataset->required_text("name");
      input.dataset.digest = dataset->required_text("digest");
      input.dataset.source_type = dataset->required_text("source_type");
      input.dataset.source = dataset->required_text("source");
      input.dataset.schema = dataset->text("schema");
      input.dataset.profile = dataset->text("profile");
      fields.adopt(*dataset);
    } else {
      static_cast<void>(item.required_text("dataset"));
    }
    fields.adopt(item);
    TRY(check_dataset(input));
    inputs.push_back(std::move(input));
  }
  std::vector<std::string> models;
  for (auto& item : fields.objects("models")) {
    models.push_back(item.required_text("model_id"));
    fields.adopt(item);
  }
  TRY(fields.status());
  TRY(check_run_id(id));
  TRY(s.tracking->runs().log_inputs(id, inputs, models));
  return Json::object();
}

Result<Json> log_outputs(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("run_id");
  std::vector<tracking::ModelOutput> models;
  for (auto& item : fields.objects("models")) {
    models.push_back({item.required_text("model_id"), item.integer("step").value_or(0)});
    fields.adopt(item);
  }
  TRY(fields.status());
  TRY(s.tracking->runs().log_outputs(id, models));
  return Json::object();
}

}  // namespace

void add_experiment_calls(Router& router, const Services& services);
void add_metric_calls(Router& router, const Services& services);

void add_run_routes(Router& router, const Services& s) {
  add_experiment_calls(router, s);
  add_metric_calls(router, s);
  using Function = Result<Json> (*)(const Services&, Fields&);
  const auto add = [&](Method method, const char* path, Permission permission, Function function) {
    add_call(router, 2, method, path, permission,
             [s, function](Fields& fields, Context&) { return function(s, fields); });
  };
  using Begin = Status (*)(const Services&, Fields&, Done);
  const auto add_log = [&](const char* path, Begin begin) {
    add_later_call(router, 2, Method::kPost, path, Permission::kWrite,
                   [s, begin](Fields& fields, Context&, Done done) {
                     return begin(s, fields, std::move(done));
                   });
  };
  add(Method::kPost, "runs/create", Permission::kWrite, create);
  add(Method::kPost, "runs/update", Permission::kWrite, update);
  add(Method::kGet, "runs/get", Permission::kRead, get);
  add(Method::kPost, "runs/search", Permission::kRead, search);
  add(Method::kPost, "runs/delete-tag", Permission::kWrite, delete_tag);
  add(Method::kPost, "runs/log-model", Permission::kWrite, log_model);
  add(Method::kPost, "runs/log-inputs", Permission::kWrite, log_inputs);
  add(Method::kPost, "runs/outputs", Permission::kWrite, log_outputs);
  add(Method::kPost, "runs/delete", Permission::kWrite,
      [](const Services& services, Fields& fields) {
        return change_state(services, fields, true);
      });
  add(Method::kPost, "runs/restore", Permission::kWrite,
      [](const Services& services, Fields& fields) {
        return change_state(services, fields, false);
      });
  add_log("runs/log-metric", log_metric);
  add_log("runs/log-parameter", log_param);
  add_log("runs/set-tag", set_tag);
  add_log("runs/log-batch", log_batch);
}

}  // namespace maru::api::mlflow
