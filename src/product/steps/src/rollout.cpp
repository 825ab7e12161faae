#include "rollout.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "maru/base/text.h"
#include "maru/evaluate/evaluate.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

constexpr std::chrono::milliseconds kLook{250};

// Labels of most tasks come long after a step is over: the monitor watches these after the release.
bool is_quality(const std::string& check) {
  for (const model::Task task :
       {model::Task::kBinary, model::Task::kMulticlass, model::Task::kRegression}) {
    const std::vector<std::string> names = evaluate::metric_names(task);
    if (std::find(names.begin(), names.end(), check) != names.end()) return true;
  }
  return false;
}

std::string share_text(double share) {
  return base::format_double(std::round(share * 1000) / 10) + " %";
}

}  // namespace

Json rollout_route(const Json& rollout, int version) {
  Json checks = Json::array();
  for (const Json& check : rollout["rollback_on"].items())
    if (!is_quality(check.as_string())) checks.push(check);
  Json out = Json::object({{"kind", "canary"},
                           {"arms", Json::array({Json::object({{"version", "champion"}}),
                                                 Json::object({{"version", version}})})},
                           {"steps", rollout["canary"]}});
  if (rollout.has("rollback_on")) out.set("rollback_on", std::move(checks));
  if (rollout.has("step_seconds")) out.set("step_seconds", rollout["step_seconds"]);
  if (rollout.has("step_requests")) out.set("step_requests", rollout["step_requests"]);
  if (rollout.has("reward")) out.set("reward", rollout["reward"]);
  return out;
}

base::Status check_rollout(const Json& rollout) {
  const auto checked = serve::EndpointConfig::from_json(
      Json::object({{"name", "e"}, {"model", "m"}, {"route", rollout_route(rollout, 1)}}));
  if (!checked) return tl::unexpected<base::Error>(checked.error());
  return {};
}

bool rolls_out(const Services& services, const pipeline::Attempt& attempt, const Json& params) {
  if (params["rollout"]["canary"].size() == 0 || services.serving == nullptr ||
      !services.serving->load())
    return false;
  const auto status = services.server->status(params["endpoint"].as_string());
  if (!status || status->config.project != attempt.project || status->state != "ready")
    return false;
  const Json& route = status->config.route;
  // A canary that this step left behind, when it is started again, is its own.
  return route.is_null() || route["kind"].as_string() == "canary";
}

base::Result<std::string> roll_out(const Services& services, pipeline::Attempt& attempt,
                                   const serve::EndpointConfig& endpoint, int version) {
  const auto before =
      services.tracking->registry().resolve(attempt.project, endpoint.model, "champion");
  if (before && *before == version) return std::string();  // done before this step was interrupted
  serve::EndpointConfig config = endpoint;
  config.route = rollout_route(attempt.params["rollout"], version);
  TRY(services.tracking->put_document(attempt.project, "endpoint", config.name, config.to_json()));
  TRY(services.server->put_endpoint(config));
  double told = -1;
  while (true) {
    TRY(attempt.context->alive());
    TRY_ASSIGN(const auto status, services.server->status(config.name));
    const Json& canary = status.experiment["canary"];
    const std::string phase = canary["phase"].as_string();
    if (phase == "rolled_back") return canary["reason"].as_string();
    // The alias has moved and the route is the champion's again; or somebody gave the endpoint another one.
    if (phase.empty()) {
      TRY_ASSIGN(const int champion,
                 services.tracking->registry().resolve(attempt.project, config.model, "champion"));
      return champion == version ? std::string() : std::string("the route was changed meanwhile");
    }
    const double share = status.arms.back().weight;
    if (phase == "running" && share != told) {
      say(attempt,
          "v" + std::to_string(version) + " takes " + share_text(share) + " of the requests");
      told = share;
    }
    progress(attempt, "rolling out", share);
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace maru::steps
