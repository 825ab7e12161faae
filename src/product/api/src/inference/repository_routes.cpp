#include <algorithm>
#include <map>
#include <set>

#include "inference/wire.h"

// Triton's repository, statistics and configuration extensions: what its clients and perf_analyzer ask for.
namespace maru::api::inference {
namespace {

using model::Datatype;
using model::TensorSpec;

struct IndexEntry {
  std::string name, version, state, reason;
};

std::string_view state_word(serve::VersionState state) {
  switch (state) {
    case serve::VersionState::kReady:
      return "READY";
    case serve::VersionState::kLoading:
    case serve::VersionState::kWarming:
      return "LOADING";
    case serve::VersionState::kUnloading:
      return "UNLOADING";
    case serve::VersionState::kFailed:
      break;
  }
  return "UNAVAILABLE";
}

// Endpoints with the versions of their arms, then every registered model with its versions that are, were or failed to be in memory.
base::Result<std::vector<IndexEntry>> repository_index(const Services& s) {
  std::vector<IndexEntry> out;
  std::set<std::string> endpoints;
  for (const auto& status : s.server->list()) {
    endpoints.insert(status.config.name);
    for (const auto& arm : status.arms)
      out.push_back({status.config.name, std::to_string(arm.version), "READY", ""});
    if (status.arms.empty())
      out.push_back({status.config.name, "", "UNAVAILABLE",
                     status.reason.empty() ? status.state : status.reason});
  }
  std::map<std::string, std::vector<serve::ServedVersion>> loaded;
  for (auto& version : s.server->versions()) loaded[version.model].push_back(std::move(version));
  TRY_ASSIGN(const auto models, s.tracking->registry().list_models("default"));
  for (const auto& registered : models) {
    if (endpoints.count(registered.name) != 0) continue;
    const auto held = loaded.find(registered.name);
    if (held == loaded.end()) {
      out.push_back({registered.name, "", "UNAVAILABLE", "unloaded"});
      continue;
    }
    for (const auto& version : held->second)
      out.push_back({registered.name, std::to_string(version.version),
                     std::string(state_word(version.state)), version.reason});
  }
  return out;
}

base::Result<Response> index(const Services& s, const Request& request) {
  bool only_ready = false;
  if (!request.body.empty()) {
    TRY_ASSIGN(const Json body, body_json(request));
    only_ready = body["ready"].as_bool();
  }
  TRY_ASSIGN(const auto entries, repository_index(s));
  Json out = Json::array();
  for (const auto& entry : entries) {
    if (only_ready && entry.state != "READY") continue;
    Json row = Json::object({{"name", entry.name}});
    if (!entry.version.empty()) row.set("version", entry.version);
    out.push(row.set("state", entry.state).set("reason", entry.reason));
  }
  return json_exactly(out.dump());
}

base::Result<Response> load(const Services& s, const Request& request, const Context& context) {
  const std::string name(request.param("model"));
  if (!request.body.empty()) {
    TRY_ASSIGN(const Json body, body_json(request));
    for (const auto& [key, value] : body["parameters"].members())
      if (key == "config" || key.starts_with("file:"))
        return base::fail(base::Code::kUnimplemented,
                          "failed to load '" + name + "': a load takes no `" + key + "`",
                          "models come from the registry: maru model import");
  }
  const base::Status loaded = s.server->load(name);
  if (!loaded) {
    base::Error error = unknown_model(loaded.error(), name);
    error.message = "failed to load '" + name + "': " + error.message;
    return tl::unexpected<base::Error>(std::move(error));
  }
  TRY(audit(s, context, "model.load", name, ""));
  return json_exactly("");
}

base::Result<Response> unload(const Services& s, const Request& request, const Context& context) {
  const std::string name(request.param("model"));
  const base::Status done = s.server->unload(name);
  if (!done) return tl::unexpected<base::Error>(unknown_model(done.error(), name));
  TRY(audit(s, context, "model.unload", name, ""));
  return json_exactly("");
}

Json duration(std::uint64_t calls, std::uint64_t ns) {
  return Json::object({{"count", count(calls)}, {"ns", count(ns)}});
}

Json totals_json(const serve::VersionTotals& t) {
  const Json none = duration(0, 0);
  return Json::object(
      {{"name", t.name},
       {"version", std::to_string(t.version)},
       {"last_inference", t.last_us / 1000},
       {"inference_count", count(t.rows)},
       {"execution_count", count(t.answered)},
       {"inference_stats", Json::object({{"success", duration(t.answered, t.answered_ns)},
                                         {"fail", duration(t.failed, 0)},
                                         {"queue", duration(t.answered, t.queue_ns)},
                                         {"compute_input", duration(t.answered, t.parse_ns)},
                                         {"compute_infer", duration(t.answered, t.model_ns)},
                                         {"compute_output", duration(t.answered, 0)},
                                         {"cache_hit", none},
                                         {"cache_miss", none}})},
       {"batch_stats", Json::array()},
       {"memory_usage", Json::array({Json::object(
                            {{"type", "CPU"}, {"id", 0}, {"byte_size", count(t.memory_bytes)}})})},
       {"response_stats", Json::object()}});
}

base::Result<Response> statistics(const Services& s, const Request& request) {
  const std::string name(request.param("model"));
  TRY_ASSIGN(const int version, parse_version(request.param("version")));
  if (!name.empty()) TRY(describe(s, name, version));
  Json rows = Json::array();
  for (const auto& totals : s.server->totals()) {
    if (!name.empty() && totals.name != name) continue;
    if (version != 0 && totals.version != version) continue;
    rows.push(totals_json(totals));
  }
  return json_exactly(Json::object({{"model_stats", std::move(rows)}}).dump());
}

std::string config_type(Datatype type) {
  return type == Datatype::kBytes ? "TYPE_STRING"
                                  : "TYPE_" + std::string(model::datatype_name(type));
}

// Without the batch dimension where the model has one.
Json config_tensors(const std::vector<TensorSpec>& specs, bool batched) {
  Json out = Json::array();
  for (const TensorSpec& spec : specs) {
    Json dims = Json::array();
    for (std::size_t i = batched ? 1 : 0; i < spec.shape.size(); ++i) dims.push(spec.shape[i]);
    out.push(Json::object(
        {{"name", spec.name}, {"data_type", config_type(spec.type)}, {"dims", std::move(dims)}}));
  }
  return out;
}

base::Result<Response> configuration(const Services& s, const Request& request) {
  const std::string name(request.param("model"));
  TRY_ASSIGN(const int version, parse_version(request.param("version")));
  TRY_ASSIGN(const Described described, describe(s, name, version));
  const auto open = [](const TensorSpec& spec) {
    return !spec.shape.empty() && spec.shape.front() < 0;
  };
  const bool batched = std::all_of(described.inputs.begin(), described.inputs.end(), open) &&
                       std::all_of(described.outputs.begin(), described.outputs.end(), open);
  const bool foreign = described.answer.bundle->tensors() != nullptr;
  // A number that no batch reaches: rows are bounded by the size of a body alone.
  constexpr int kMaxBatch = 1 << 20;
  return json_exactly(
      Json::object(
          {{"name", name},
           {"platform", platform_of(*described.answer.bundle)},
           {"backend", foreign ? described.answer.bundle->evaluator().engine() : "maru"},
           {"version_policy", Json::object({{"latest", Json::object({{"num_versions", 1}})}})},
           {"max_batch_size", batched ? kMaxBatch : 0},
           {"input", config_tensors(described.inputs, batched)},
           {"output", config_tensors(described.outputs, batched)},
           {"instance_group",
            Json::array({Json::object({{"name", name}, {"kind", "KIND_CPU"}, {"count", 1}})})},
           {"default_model_filename", "model.onnx"}})
          .dump());
}

}  // namespace

void add_repository_routes(Router& router, const Services& s) {
  const auto with = [s](auto handler) {
    return [s, handler](const Request& request, Context& context) {
      return handler(s, request, context);
    };
  };
  for (const char* base : {"/v2/repository", "/v2/repository/{repository}"}) {
    const std::string path(base);
    router.add(Method::kPost, path + "/index", plain(Permission::kRead, RunOn::kBlocking),
               [s](const Request& request, Context&) { return index(s, request); });
    router.add(Method::kPost, path + "/models/{model}/load",
               plain(Permission::kOperate, RunOn::kBlocking), with(load));
    router.add(Method::kPost, path + "/models/{model}/unload",
               plain(Permission::kOperate, RunOn::kBlocking), with(unload));
  }
  for (const char* path : {"/v2/models/stats", "/v2/models/{model}/stats",
                           "/v2/models/{model}/versions/{version}/stats"})
    router.add(Method::kGet, path, plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return statistics(s, request); });
  for (const char* path :
       {"/v2/models/{model}/config", "/v2/models/{model}/versions/{version}/config"})
    router.add(Method::kGet, path, plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return configuration(s, request); });
}

}  // namespace maru::api::inference
