#include <algorithm>
#include <cmath>
#include <set>

#include "fallback.h"
#include "impl.h"
#include "maru/base/json.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Json;

// The lanes of the arms together; null without one.
Json queue_json(const Entry& entry) {
  LaneCounts now;
  std::map<std::string, std::uint64_t> sums;
  bool any = false;
  for (const ArmPtr& arm : entry.arms) {
    if (!arm->lane) continue;
    any = true;
    const LaneCounts counts = arm->lane->counts();
    now.waiting += counts.waiting;
    now.running += counts.running;
    now.waiting_bytes += counts.waiting_bytes;
    const LaneTotals& totals = arm->lane->totals();
    sums["full"] += totals.full;
    sums["quota"] += totals.quota;
    sums["late"] += totals.late;
    sums["cancelled"] += totals.cancelled;
    sums["calls"] += totals.calls;
    sums["batches"] += totals.batches;
    sums["cache_hits"] += totals.cache_hits;
    sums["cache_misses"] += totals.cache_misses;
  }
  if (!any) return Json();
  return Json::object(
      {{"waiting", now.waiting},
       {"running", now.running},
       {"waiting_bytes", now.waiting_bytes},
       {"calls", sums["calls"]},
       {"batches", sums["batches"]},
       {"refused", Json::object({{"full", sums["full"]},
                                 {"quota", sums["quota"]},
                                 {"late", sums["late"]},
                                 {"cancelled", sums["cancelled"]}})},
       {"cache", Json::object({{"hits", sums["cache_hits"]}, {"misses", sums["cache_misses"]}})}});
}

EndpointStatus status_of(const Endpoint& endpoint, std::int64_t now_us) {
  EndpointStatus out;
  out.config = endpoint.config;
  out.state = endpoint.state;
  out.reason = endpoint.reason;
  endpoint.stats->report(now_us, out);
  out.shadow_shed = endpoint.stats->shadow_shed.read();
  if (!out.config.fallback.is_null())
    out.fallback_answers = endpoint.stats->version(out.config.model, kFallbackVersion)->requests();
  if (!endpoint.entry) return out;
  const Entry& entry = *endpoint.entry;
  if (entry.lookup) out.features = entry.lookup->report(now_us);
  for (std::size_t i = 0; i < entry.arms.size(); ++i) {
    const ServedArm& served = *entry.arms[i];
    Arm arm;
    arm.version = served.loaded->version;
    arm.selector = entry.route.arms[i].selector;
    arm.weight = entry.shares.front()[i];
    arm.requests = served.stats->requests();
    arm.errors = served.stats->input_errors.read() + served.stats->model_errors.read();
    out.arms.push_back(std::move(arm));
  }
  if (entry.guard && entry.guard->off.load()) {
    out.reason = "canary is out of the route: " + std::to_string(entry.guard->errors.load()) +
                 " of " + std::to_string(entry.guard->requests.load()) + " requests failed";
  }
  if (entry.shadow) {
    out.shadow_version = entry.shadow->loaded->version;
  }
  out.queue = queue_json(entry);
  if (entry.experiment) {
    out.experiment = entry.experiment->report();
    const CanaryState canary = entry.experiment->canary();
    if (canary.phase == CanaryPhase::kRolledBack)
      out.reason = "canary was rolled back: " + canary.reason;
  }
  return out;
}

}  // namespace

std::string_view version_state_name(VersionState state) {
  switch (state) {
    case VersionState::kLoading:
      return "loading";
    case VersionState::kWarming:
      return "warming";
    case VersionState::kReady:
      return "ready";
    case VersionState::kUnloading:
      return "unloading";
    case VersionState::kFailed:
      return "failed";
  }
  return "failed";
}

Json EndpointConfig::to_json() const {
  Json out =
      Json::object({{"project", project}, {"name", name}, {"model", model}, {"route", route}});
  if (!log.is_null()) out.set("log", log);
  if (!execution.is_null()) out.set("execution", execution);
  if (!bounds.is_null()) out.set("bounds", bounds);
  out.set("lane", experimental ? "experimental" : "production");
  if (!fallback.is_null()) out.set("fallback", fallback);
  if (!features.is_null()) out.set("features", features);
  return out;
}

base::Result<EndpointConfig> EndpointConfig::from_json(const Json& json) {
  EndpointConfig out;
  if (!json.is_object())
    return base::fail(base::Code::kInvalidArgument,
                      "endpoint is not an object: " + json.dump().substr(0, 100));
  out.project = json["project"].as_string_or("default");
  out.name = json["name"].as_string();
  out.model = json["model"].as_string();
  out.route = json["route"];
  if (out.name.empty()) return base::fail(base::Code::kInvalidArgument, "endpoint has no name");
  if (out.model.empty())
    return base::fail(base::Code::kInvalidArgument, "endpoint names no model: " + out.name,
                      R"(write {"model": "..."})");
  out.log = json["log"];
  TRY(parse_route(out.route));
  TRY(LogRule::parse(out.log));
  out.execution = json["execution"];
  TRY(parse_execution(out.execution));
  const std::string lane = json["lane"].as_string_or("production");
  if (lane != "production" && lane != "experimental")
    return base::fail(base::Code::kInvalidArgument, "lane is none: " + lane,
                      "production or experimental");
  out.experimental = lane == "experimental";
  out.bounds = json["bounds"];
  TRY(Bounds::parse(out.bounds));
  out.fallback = json["fallback"];
  TRY(fallback_bundle(out.fallback));
  out.features = json["features"];
  if (!out.features.is_null()) TRY(LookupSpec::parse(out.features));
  return out;
}

std::vector<EndpointStatus> Server::list() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<EndpointStatus> out;
  for (const auto& [name, endpoint] : impl_->endpoints) {
    if (!endpoint->implicit) out.push_back(status_of(*endpoint, impl_->options.clock->now_us()));
  }
  return out;
}

base::Result<EndpointStatus> Server::status(const std::string& name) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->endpoints.find(name);
  if (found == impl_->endpoints.end())
    return base::fail(base::Code::kNotFound, "no endpoint has the name: " + name,
                      base::did_you_mean(name, impl_->near_names()));
  EndpointStatus out = status_of(*found->second, impl_->options.clock->now_us());
  if (out.shadow_version > 0)
    out.shadow_evidence = found->second->stats->shadow_book.report(out.shadow_version);
  return out;
}

std::vector<ServedVersion> Server::versions() const {
  const std::lock_guard lock(impl_->mutex);
  std::set<std::pair<std::string, int>> held;
  std::map<std::pair<std::string, int>, std::pair<std::uint64_t, std::uint64_t>> counts;
  for (const auto& [name, endpoint] : impl_->endpoints) {
    if (endpoint->entry) {
      for (const auto* arms : {&endpoint->entry->arms, &endpoint->entry->extra}) {
        for (const ArmPtr& arm : *arms) held.emplace(arm->loaded->model, arm->loaded->version);
      }
      if (endpoint->entry->shadow)
        held.emplace(endpoint->entry->shadow->loaded->model,
                     endpoint->entry->shadow->loaded->version);
    }
    for (const auto& stats : endpoint->stats->versions()) {
      auto& [requests, errors] = counts[{stats->model, stats->version}];
      requests += stats->requests();
      errors += stats->input_errors.read() + stats->model_errors.read();
    }
  }
  std::vector<ServedVersion> out;
  for (auto at = impl_->records.begin(); at != impl_->records.end();) {
    const auto& [key, record] = *at;
    if (record.state == VersionState::kReady && record.loaded.expired()) {
      at = impl_->records.erase(at);
      continue;
    }
    ServedVersion version{
        key.first,     key.second,        record.state,       {},
        record.engine, counts[key].first, counts[key].second, record.memory_bytes};
    if (record.state == VersionState::kFailed) version.reason = record.error.text();
    if (record.state == VersionState::kReady && held.count(key) == 0)
      version.state = VersionState::kUnloading;
    out.push_back(std::move(version));
    ++at;
  }
  return out;
}

std::vector<VersionTotals> Server::totals() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<VersionTotals> out;
  for (const auto& [name, endpoint] : impl_->endpoints) {
    for (const auto& stats : endpoint->stats->versions()) {
      VersionTotals totals;
      totals.name = name;
      totals.model = stats->model;
      totals.version = stats->version;
      totals.failed = stats->input_errors.read() + stats->model_errors.read();
      totals.answered = stats->requests() - std::min(stats->requests(), totals.failed);
      totals.rows = stats->rows.read();
      totals.answered_ns = stats->answered_ns.read();
      totals.parse_ns = stats->stage_ns[0].read();
      totals.queue_ns = stats->stage_ns[1].read();
      totals.model_ns = stats->stage_ns[3].read();
      totals.post_ns = stats->stage_ns[4].read();
      totals.last_us = stats->last_us.load(std::memory_order_relaxed);
      const auto record = impl_->records.find({stats->model, stats->version});
      if (record != impl_->records.end()) totals.memory_bytes = record->second.memory_bytes;
      out.push_back(std::move(totals));
    }
  }
  return out;
}

}  // namespace maru::serve
