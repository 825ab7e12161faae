#include <algorithm>
#include <cmath>
#include <set>

#include "impl.h"
#include "maru/base/json.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Json;

EndpointStatus status_of(const Endpoint& endpoint, std::int64_t now_us) {
  EndpointStatus out;
  out.config = endpoint.config;
  out.state = endpoint.state;
  out.reason = endpoint.reason;
  endpoint.stats->report(now_us, out);
  out.shadow_shed = endpoint.stats->shadow_shed.read();
  if (!endpoint.entry) return out;
  const Entry& entry = *endpoint.entry;
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
  if (entry.shadow) out.shadow_version = entry.shadow->loaded->version;
  if (entry.experiment) {
    out.experiment = entry.experiment->report();
    const CanaryState canary = entry.experiment->canary();
    if (canary.phase == CanaryPhase::kRolledBack)
      out.reason = "canary was rolled back: " + canary.reason;
  }
  return out;
}

// Prometheus label values escape backslash, quote and newline.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ")
      .append(name)
      .append(" ")
      .append(help)
      .append("\n# TYPE ")
      .append(name)
      .append(" ")
      .append(type)
      .append("\n");
}

void line(std::string& out, std::string_view name, const std::string& labels, double value) {
  out.append(name).append("{").append(labels).append("} ");
  if (value == std::floor(value) && std::abs(value) < 1e15)
    out += std::to_string(static_cast<std::int64_t>(value));
  else
    out += base::format_double(value);
  out += '\n';
}

// Every power of two of nanoseconds is an exact edge of the counters: from 8 µs to 17 s.
void histogram(std::string& out, std::string_view name, const std::string& labels,
               const Counts& counts, double sum_seconds) {
  constexpr std::size_t kFirst = 6 * 8, kLast = 27 * 8;
  double seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (i >= kFirst && i <= kLast && i % 8 == 0) {
      line(out, std::string(name) + "_bucket",
           labels + ",le=\"" + base::format_double(bucket_low_ns(i) * 1e-9) + "\"", seen);
    }
    seen += static_cast<double>(counts[i]);
  }
  line(out, std::string(name) + "_bucket", labels + ",le=\"+Inf\"", seen);
  line(out, std::string(name) + "_sum", labels, sum_seconds);
  line(out, std::string(name) + "_count", labels, seen);
}

struct Series {
  std::string labels;
  std::shared_ptr<VersionStats> stats;
};

void version_metrics(std::string& out, const std::vector<Series>& all) {
  head(out, "maru_requests_total", "counter",
       "Prediction requests by endpoint and version, failed ones included");
  for (const Series& s : all)
    line(out, "maru_requests_total", s.labels, static_cast<double>(s.stats->requests()));
  head(out, "maru_request_errors_total", "counter",
       "Failed prediction requests: input is the caller's, model is ours");
  for (const Series& s : all) {
    line(out, "maru_request_errors_total", s.labels + ",reason=\"input\"",
         static_cast<double>(s.stats->input_errors.read()));
    line(out, "maru_request_errors_total", s.labels + ",reason=\"model\"",
         static_cast<double>(s.stats->model_errors.read()));
  }
  head(out, "maru_predictions_total", "counter", "Rows predicted");
  for (const Series& s : all)
    line(out, "maru_predictions_total", s.labels, static_cast<double>(s.stats->rows.read()));
  head(out, "maru_request_duration_seconds", "histogram",
       "Time of a request from receipt to answer");
  for (const Series& s : all)
    histogram(out, "maru_request_duration_seconds", s.labels, s.stats->total.read(),
              static_cast<double>(s.stats->total_ns.read()) * 1e-9);
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
  return Json::object({{"project", project}, {"name", name}, {"model", model}, {"route", route}});
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
  TRY(parse_route(out.route));
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
  return status_of(*found->second, impl_->options.clock->now_us());
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
      totals.parse_ns = stats->parse_ns.read();
      totals.queue_ns = stats->queue_ns.read();
      totals.model_ns = stats->model_ns.read();
      totals.last_us = stats->last_us.load(std::memory_order_relaxed);
      const auto record = impl_->records.find({stats->model, stats->version});
      if (record != impl_->records.end()) totals.memory_bytes = record->second.memory_bytes;
      out.push_back(std::move(totals));
    }
  }
  return out;
}

std::string Server::metrics_text() const {
  std::vector<Series> series;
  std::vector<std::pair<std::string, std::shared_ptr<EndpointStats>>> endpoints;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, endpoint] : impl_->endpoints) {
      const std::string labels = "endpoint=\"" + label(name) + "\"";
      endpoints.emplace_back(labels, endpoint->stats);
      for (auto& stats : endpoint->stats->versions()) {
        series.push_back({labels + ",model=\"" + label(stats->model) + "\",version=\"" +
                              std::to_string(stats->version) + "\"",
                          std::move(stats)});
      }
    }
  }
  std::string out;
  version_metrics(out, series);
  head(out, "maru_request_stage_seconds", "histogram",
       "Time by stage: parse, queue, model; the sum is estimated from the buckets");
  for (const auto& [labels, stats] : endpoints) {
    for (int i = 0; i < 3; ++i) {
      const Counts counts = stats->stages[i].read();
      double sum_ns = 0;
      for (std::size_t b = 0; b < kBuckets; ++b)
        sum_ns += static_cast<double>(counts[b]) * 0.5 * (bucket_low_ns(b) + bucket_low_ns(b + 1));
      histogram(out, "maru_request_stage_seconds",
                labels + ",stage=\"" + EndpointStats::kStageNames[i] + "\"", counts, sum_ns * 1e-9);
    }
  }
  head(out, "maru_shadow_requests_total", "counter", "Requests mirrored to the shadow version");
  for (const auto& [labels, stats] : endpoints)
    line(out, "maru_shadow_requests_total", labels,
         static_cast<double>(stats->shadow_requests.read()));
  head(out, "maru_shadow_differences_total", "counter",
       "Mirrored requests that the shadow answered differently or failed");
  for (const auto& [labels, stats] : endpoints)
    line(out, "maru_shadow_differences_total", labels,
         static_cast<double>(stats->shadow_differences.read()));
  head(out, "maru_shadow_shed_total", "counter",
       "Requests not mirrored because the queue was full");
  for (const auto& [labels, stats] : endpoints)
    line(out, "maru_shadow_shed_total", labels, static_cast<double>(stats->shadow_shed.read()));
  return out;
}

}  // namespace maru::serve
