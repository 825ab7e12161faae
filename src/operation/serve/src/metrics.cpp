// Prometheus text: our own names, and those of Triton's dashboards.
#include <cmath>

#include "impl.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

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
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
}

void line(std::string& out, std::string_view name, const std::string& labels, double value) {
  out.append(name).append("{").append(labels).append("} ");
  if (value == std::floor(value) && std::abs(value) < 1e15)
    out += std::to_string(static_cast<std::int64_t>(value));
  else
    out += base::format_double(value);
  out += '\n';
}

// Every power of two of nanoseconds is an exact edge of the counters: from 128 ns for stages, 8 µs for whole requests, to 17 s.
void histogram(std::string& out, std::string_view name, const std::string& labels,
               const Counts& counts, double sum_seconds, std::size_t first_power) {
  constexpr std::size_t kLast = 27 * 8;
  double seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (i >= first_power * 8 && i <= kLast && i % 8 == 0) {
      line(out, std::string(name) + "_bucket",
           labels + ",le=\"" + base::format_double(bucket_low_ns(i) * 1e-9) + "\"", seen);
    }
    seen += static_cast<double>(counts[i]);
  }
  line(out, std::string(name) + "_bucket", labels + ",le=\"+Inf\"", seen);
  line(out, std::string(name) + "_sum", labels, sum_seconds);
  line(out, std::string(name) + "_count", labels, seen);
}

// One version under one name.
struct Series {
  std::string labels;         // endpoint, model, version
  std::string triton_labels;  // model is the name that callers use
  std::shared_ptr<VersionStats> stats;
  double load_seconds = 0;
  std::uint64_t waiting = 0;  // in its lane

  double of(const Counter& counter) const { return static_cast<double>(counter.read()); }
  double failed() const { return of(stats->input_errors) + of(stats->model_errors); }
  double answered() const {
    return std::max(0.0, static_cast<double>(stats->requests()) - failed());
  }
};

template <class Value>
void family(std::string& out, const std::vector<Series>& all, const char* name, const char* type,
            const char* help, Value value) {
  head(out, name, type, help);
  for (const Series& series : all)
    line(out, name,
         std::string_view(name).starts_with("nv_") ? series.triton_labels : series.labels,
         value(series));
}

void version_metrics(std::string& out, const std::vector<Series>& all) {
  family(out, all, "maru_requests_total", "counter",
         "Prediction requests by endpoint and version, failed ones included",
         [](const Series& s) { return static_cast<double>(s.stats->requests()); });
  head(out, "maru_request_errors_total", "counter",
       "Failed prediction requests: input is the caller's, model is ours");
  for (const Series& s : all) {
    line(out, "maru_request_errors_total", s.labels + ",reason=\"input\"",
         s.of(s.stats->input_errors));
    line(out, "maru_request_errors_total", s.labels + ",reason=\"model\"",
         s.of(s.stats->model_errors));
  }
  head(out, "maru_fallback_answers_total", "counter",
       "Requests that the endpoint's fallback answered; among maru_requests_total they are version "
       "0");
  for (const Series& s : all)
    if (s.stats->version == kFallbackVersion)
      line(out, "maru_fallback_answers_total", s.labels, static_cast<double>(s.stats->requests()));
  family(out, all, "maru_predictions_total", "counter", "Rows predicted",
         [](const Series& s) { return s.of(s.stats->rows); });
  head(out, "maru_request_duration_seconds", "histogram",
       "Time of a request from receipt to answer");
  for (const Series& s : all)
    histogram(out, "maru_request_duration_seconds", s.labels, s.stats->total.read(),
              s.of(s.stats->total_ns) * 1e-9, 6);
  head(out, "maru_request_stage_seconds", "histogram",
       "Time of answered requests by stage: parse, queue, features, model, post");
  for (const Series& s : all) {
    for (std::size_t i = 0; i < kStages; ++i) {
      const Counts counts = s.stats->stages[i].read();
      // Features and post are stages of some calls only.
      if ((i == 2 || i == 4) && s.stats->stage_ns[i].read() == 0) continue;
      histogram(out, "maru_request_stage_seconds", s.labels + ",stage=\"" + kStageNames[i] + "\"",
                counts, s.of(s.stats->stage_ns[i]) * 1e-9, 0);
    }
  }
  family(out, all, "maru_request_cpu_seconds_sum", "counter",
         "CPU time of the answered requests whose CPU time was measured, one in 16 of a thread",
         [](const Series& s) { return s.of(s.stats->cpu_ns) * 1e-9; });
  family(out, all, "maru_request_cpu_seconds_count", "counter",
         "Answered requests whose CPU time was measured",
         [](const Series& s) { return s.of(s.stats->cpu_calls); });
}

void queue_metrics(std::string& out, const std::vector<Series>& all) {
  family(out, all, "maru_queue_waiting", "gauge", "Calls of models of tensors that wait",
         [](const Series& s) { return static_cast<double>(s.waiting); });
  head(out, "maru_queue_refused_total", "counter",
       "Calls of models of tensors that were not run: full is the queue, quota the caller's own "
       "limit, late the deadline, cancelled a caller who went");
  for (const Series& s : all) {
    const LaneTotals& lane = *s.stats->lane;
    for (const auto& [reason, count] :
         {std::pair{"full", &lane.full}, std::pair{"quota", &lane.quota},
          std::pair{"late", &lane.late}, std::pair{"cancelled", &lane.cancelled}})
      line(out, "maru_queue_refused_total", s.labels + ",reason=\"" + reason + "\"",
           static_cast<double>(count->load()));
  }
}

// The names, labels and units of Triton, so that its dashboards read this server.
void triton_metrics(std::string& out, const std::vector<Series>& all) {
  family(out, all, "nv_inference_request_success", "counter",
         "Number of successful inference requests", [](const Series& s) { return s.answered(); });
  head(out, "nv_inference_request_failure", "counter", "Number of failed inference requests");
  for (const Series& s : all) {
    line(out, "nv_inference_request_failure", s.triton_labels + ",reason=\"BACKEND\"",
         s.of(s.stats->model_errors));
    line(out, "nv_inference_request_failure", s.triton_labels + ",reason=\"OTHER\"",
         s.of(s.stats->input_errors));
    const LaneTotals& lane = *s.stats->lane;
    line(out, "nv_inference_request_failure", s.triton_labels + ",reason=\"REJECTED\"",
         static_cast<double>(lane.full.load() + lane.quota.load() + lane.late.load()));
    line(out, "nv_inference_request_failure", s.triton_labels + ",reason=\"CANCELED\"",
         static_cast<double>(lane.cancelled.load()));
  }
  family(out, all, "nv_inference_count", "counter", "Number of inferences performed (rows)",
         [](const Series& s) { return s.of(s.stats->rows); });
  family(out, all, "nv_inference_exec_count", "counter", "Number of model executions performed",
         [](const Series& s) {
           const LaneTotals& lane = *s.stats->lane;  // calls that ran together were one
           const double together = static_cast<double>(lane.calls.load() - lane.batches.load());
           return std::max(0.0, s.answered() + s.of(s.stats->model_errors) - together);
         });
  family(out, all, "nv_inference_pending_request_count", "gauge",
         "Instantaneous number of pending requests awaiting execution",
         [](const Series& s) { return static_cast<double>(s.waiting); });
  family(out, all, "nv_cache_num_hits_per_model", "counter", "Number of cache hits per model",
         [](const Series& s) { return static_cast<double>(s.stats->lane->cache_hits.load()); });
  family(out, all, "nv_cache_num_misses_per_model", "counter", "Number of cache misses per model",
         [](const Series& s) { return static_cast<double>(s.stats->lane->cache_misses.load()); });
  const auto micros = [&](const char* name, const char* help, auto counter) {
    family(out, all, name, "counter", help,
           [&](const Series& s) { return std::floor(s.of(counter(*s.stats)) * 1e-3); });
  };
  using Stats = const VersionStats&;
  micros("nv_inference_request_duration_us",
         "Cumulative inference request duration in microseconds",
         [](Stats v) -> const Counter& { return v.answered_ns; });
  micros("nv_inference_queue_duration_us", "Cumulative inference queuing duration in microseconds",
         [](Stats v) -> const Counter& { return v.stage_ns[1]; });
  micros("nv_inference_compute_input_duration_us",
         "Cumulative compute input duration in microseconds",
         [](Stats v) -> const Counter& { return v.stage_ns[0]; });
  micros("nv_inference_compute_infer_duration_us",
         "Cumulative compute inference duration in microseconds",
         [](Stats v) -> const Counter& { return v.stage_ns[3]; });
  micros("nv_inference_compute_output_duration_us",
         "Cumulative inference compute output duration in microseconds",
         [](Stats v) -> const Counter& { return v.stage_ns[4]; });
  head(out, "nv_model_load_duration_secs", "gauge",
       "Duration of the last load of the model in seconds");
  for (const Series& s : all)
    if (s.load_seconds > 0)
      line(out, "nv_model_load_duration_secs", s.triton_labels, s.load_seconds);
}

std::uint64_t waiting_calls(const Endpoint& endpoint, const std::string& model, int version) {
  if (!endpoint.entry) return 0;
  for (const auto* arms : {&endpoint.entry->arms, &endpoint.entry->extra}) {
    for (const ArmPtr& arm : *arms) {
      if (arm->lane && arm->loaded->model == model && arm->loaded->version == version)
        return arm->lane->counts().waiting;
    }
  }
  return 0;
}

struct Named {
  std::string labels;
  std::shared_ptr<EndpointStats> stats;
  std::shared_ptr<Lookup> lookup;
};

template <class Value>
void family(std::string& out, const std::vector<Named>& all, const char* name, const char* help,
            Value value) {
  head(out, name, "counter", help);
  for (const Named& named : all)
    line(out, name, named.labels, static_cast<double>(value(*named.stats).read()));
}

void endpoint_metrics(std::string& out, const std::vector<Named>& all) {
  using Stats = const EndpointStats&;
  family(out, all, "maru_shadow_requests_total", "Requests mirrored to the shadow version",
         [](Stats e) -> const Counter& { return e.shadow_requests; });
  family(out, all, "maru_shadow_differences_total",
         "Mirrored requests that the shadow answered differently or failed",
         [](Stats e) -> const Counter& { return e.shadow_differences; });
  family(out, all, "maru_shadow_shed_total", "Requests not mirrored because the queue was full",
         [](Stats e) -> const Counter& { return e.shadow_shed; });
  family(out, all, "maru_log_not_sampled_total",
         "Rows that the endpoint's rule keeps out of the prediction log",
         [](Stats e) -> const Counter& { return e.not_sampled; });
  head(out, "maru_feature_lookups_total", "counter",
       "Rows whose features were looked up; stale ones are also found or missing");
  for (const Named& each : all) {
    if (!each.lookup) continue;
    for (const auto& [result, counter] :
         {std::pair{"found", &each.lookup->found}, std::pair{"missing", &each.lookup->missing},
          std::pair{"stale", &each.lookup->stale}})
      line(out, "maru_feature_lookups_total", each.labels + ",result=\"" + result + "\"",
           static_cast<double>(counter->read()));
  }
}

}  // namespace

std::string Server::metrics_text() const {
  std::vector<Series> series;
  std::vector<Named> endpoints;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, endpoint] : impl_->endpoints) {
      const std::string labels = "endpoint=\"" + label(name) + "\"";
      endpoints.push_back(
          {labels, endpoint->stats, endpoint->entry ? endpoint->entry->lookup : nullptr});
      for (auto& stats : endpoint->stats->versions()) {
        const std::string version = ",version=\"" + std::to_string(stats->version) + "\"";
        const auto record = impl_->records.find({stats->model, stats->version});
        const double loaded = record == impl_->records.end() ? 0 : record->second.load_seconds;
        const std::uint64_t waiting = waiting_calls(*endpoint, stats->model, stats->version);
        series.push_back({labels + ",model=\"" + label(stats->model) + "\"" + version,
                          "model=\"" + label(name) + "\"" + version, std::move(stats), loaded,
                          waiting});
      }
    }
  }
  std::string out;
  version_metrics(out, series);
  queue_metrics(out, series);
  triton_metrics(out, series);
  endpoint_metrics(out, endpoints);
  return out;
}

}  // namespace maru::serve
