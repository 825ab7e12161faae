#include <filesystem>

#include "mlflow/limits.h"
#include "mlflow/run_shapes.h"

// MLflow's experiments. Source: protos/service.proto, sections Experiment.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;
using tracking::View;

constexpr const char* kProject = "default";

View view_of(Fields& fields, std::string_view name) {
  const std::string word = fields.text(name);
  if (word.empty() || word == "ACTIVE_ONLY" || word == "1") return View::kActive;
  if (word == "DELETED_ONLY" || word == "2") return View::kDeleted;
  if (word == "ALL" || word == "3") return View::kAll;
  fields.refuse(name, word, "ACTIVE_ONLY, DELETED_ONLY or ALL");
  return View::kActive;
}

// A path of this machine is told to clients as it is here, wherever they were started.
std::string absolute_location(const std::string& location) {
  if (location.empty() || location.front() == '/' || location.find(':') != std::string::npos)
    return location;
  std::error_code failure;
  const auto folder = std::filesystem::current_path(failure);
  return failure ? location : (folder / location).string();
}

Result<Json> create(const Services& s, Fields& fields) {
  const std::string name = fields.required_text("name");
  const std::string location = fields.text("artifact_location");
  tracking::Text tags;
  for (const auto& [key, value] : pairs(fields, "tags")) {
    TRY(check_wire_key("tags.key", key));
    tags[key] = cut(value, kMaxExperimentTagValue);
  }
  TRY(fields.status());
  // A query or fragment in a location would end up inside every artifact's path.
  if (location.find('#') != std::string::npos || location.find("..") != std::string::npos)
    return base::fail(Code::kInvalidArgument, "Invalid value \"" + location +
                                                  "\" for parameter 'artifact_location' supplied: "
                                                  "URL can't include fragments or '..'");
  TRY_ASSIGN(const auto made, s.tracking->runs().create_experiment(
                                  kProject, name, absolute_location(location), tags));
  return Json::object({{"experiment_id", made.id}});
}

Result<Json> search(const Services& s, Fields& fields) {
  tracking::ExperimentQuery query;
  query.limit = max_results(fields, 1000, kMaxRuns);
  query.filter = fields.text("filter");
  query.order_by = fields.texts("order_by");
  query.view = view_of(fields, "view_type");
  const std::string token = fields.text("page_token");
  TRY(fields.status());
  std::string identity =
      "experiments\n" + query.filter + "\n" + std::to_string(static_cast<int>(query.view));
  for (const auto& term : query.order_by) identity += "\n" + term;
  TRY_ASSIGN(query.after, after_of(token, identity));
  TRY_ASSIGN(const auto page, s.tracking->runs().search_experiments(kProject, query));
  Json out = Json::object();
  if (!page.experiments.empty()) {
    Json rows = Json::array();
    for (const auto& one : page.experiments) rows.push(experiment_json(one));
    out.set("experiments", std::move(rows));
  }
  if (!page.next_after.empty()) out.set("next_page_token", after_token(page.next_after, identity));
  return out;
}

Result<Json> get(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("experiment_id");
  TRY(fields.status());
  TRY_ASSIGN(const auto experiment, s.tracking->runs().get_experiment(id));
  return Json::object({{"experiment", experiment_json(experiment)}});
}

Result<Json> get_by_name(const Services& s, Fields& fields) {
  const std::string name = fields.required_text("experiment_name");
  TRY(fields.status());
  TRY_ASSIGN(const auto experiment, s.tracking->runs().find_experiment(kProject, name));
  return Json::object({{"experiment", experiment_json(experiment)}});
}

Result<Json> set_tag(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("experiment_id");
  const std::string key = fields.required_text("key"), value = fields.text("value");
  TRY(fields.status());
  TRY(check_wire_key("key", key));
  TRY(s.tracking->runs().set_experiment_tag(id, key, cut(value, kMaxExperimentTagValue)));
  return Json::object();
}

Result<Json> delete_tag(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("experiment_id"), key = fields.required_text("key");
  TRY(fields.status());
  TRY(s.tracking->runs().delete_experiment_tag(id, key));
  return Json::object();
}

Result<Json> rename(const Services& s, Fields& fields) {
  const std::string id = fields.required_text("experiment_id");
  const auto name = fields.optional_text("new_name");
  TRY(fields.status());
  if (!name) return Json::object();
  TRY(s.tracking->runs().rename_experiment(id, *name));
  return Json::object();
}

Result<Json> change_state(const Services& s, Fields& fields, bool deleted) {
  const std::string id = fields.required_text("experiment_id");
  TRY(fields.status());
  TRY(check_experiment_id(id));
  TRY(deleted ? s.tracking->runs().delete_experiment(id)
              : s.tracking->runs().restore_experiment(id));
  return Json::object();
}

Result<Json> search_datasets(const Services& s, Fields& fields) {
  const auto ids = fields.texts("experiment_ids");
  TRY(fields.status());
  if (ids.empty() || ids.size() > 20)
    return base::fail(Code::kInvalidArgument,
                      ids.empty()
                          ? "SearchDatasets request must specify at least one experiment_id."
                          : "SearchDatasets request cannot specify more than 20 experiment_ids. "
                            "Received " +
                                std::to_string(ids.size()) + " experiment_ids.");
  TRY_ASSIGN(const auto summaries, s.tracking->runs().dataset_summaries(ids));
  Json rows = Json::array();
  for (const auto& one : summaries) {
    Json row = Json::object(
        {{"experiment_id", one.experiment_id}, {"name", one.name}, {"digest", one.digest}});
    set_text(row, "context", one.context);
    rows.push(std::move(row));
    if (rows.size() == 1000) break;
  }
  Json out = Json::object();
  if (rows.size() > 0) out.set("dataset_summaries", std::move(rows));
  return out;
}

}  // namespace

void add_experiment_calls(Router& router, const Services& s) {
  using Function = Result<Json> (*)(const Services&, Fields&);
  const auto add = [&](Method method, const char* path, Permission permission, Function function) {
    add_call(router, 2, method, path, permission,
             [s, function](Fields& fields, Context&) { return function(s, fields); });
  };
  add(Method::kPost, "experiments/create", Permission::kWrite, create);
  add(Method::kPost, "experiments/search", Permission::kRead, search);
  add(Method::kGet, "experiments/search", Permission::kRead, search);
  add(Method::kGet, "experiments/get", Permission::kRead, get);
  add(Method::kGet, "experiments/get-by-name", Permission::kRead, get_by_name);
  add(Method::kPost, "experiments/set-experiment-tag", Permission::kWrite, set_tag);
  add(Method::kPost, "experiments/delete-experiment-tag", Permission::kWrite, delete_tag);
  add(Method::kPost, "experiments/update", Permission::kWrite, rename);
  add(Method::kPost, "experiments/delete", Permission::kWrite,
      [](const Services& services, Fields& fields) {
        return change_state(services, fields, true);
      });
  add(Method::kPost, "experiments/restore", Permission::kWrite,
      [](const Services& services, Fields& fields) {
        return change_state(services, fields, false);
      });
  add(Method::kPost, "experiments/search-datasets", Permission::kRead, search_datasets);
}

}  // namespace maru::api::mlflow
