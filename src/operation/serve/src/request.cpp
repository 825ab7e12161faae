#include "request.h"

#include <algorithm>
#include <cmath>

namespace maru::serve {

void tell_times(const Timing& timing, base::StageTimes* out) {
  if (out == nullptr) return;
  out->parse_ns = timing.parse_ns;
  out->queue_ns = timing.queue_ns;
  if (timing.features_ns > 0) out->features_ns = timing.features_ns;
  out->model_ns = timing.model_ns;
  out->post_ns = timing.post_ns;
  out->cpu_ns = timing.cpu_ns;
}

std::int64_t queued_ns(const CallOptions& options, std::int64_t start_ns) {
  if (options.received_ns <= 0) return 0;
  return std::max<std::int64_t>(0, start_ns - options.received_ns - options.parse_ns);
}

bool logged(const ServedArm& arm, const CallOptions& call, const std::string& id,
            const Timing& timing, std::size_t shard) {
  if (timing.outcome != Timing::Outcome::kAnswered || arm.log_rule.keeps_all() ||
      arm.log_rule.keeps({id, call.principal, arm.loaded->version, timing.total_ns}))
    return true;
  arm.endpoint_stats->not_sampled.add(shard, std::max<std::uint64_t>(1, timing.rows));
  return false;
}

PredictionRecord record_of(const std::string& id, const CallOptions& call,
                           const base::Status& done) {
  PredictionRecord out;
  out.id = id;
  out.principal = call.principal;
  out.trace_id = call.trace_id;
  if (!done) out.error = done.error().text();
  return out;
}

void lend(PredictionSink& sink, const ServedArm& arm, const Timing& timing,
          PredictionRecord&& record) {
  record.endpoint = arm.endpoint;
  record.model = arm.loaded->model;
  record.version = arm.loaded->version;
  record.time_us = timing.time_us;
  record.bundle = arm.loaded->bundle;
  record.parse_ns = timing.parse_ns;
  record.queue_ns = timing.queue_ns;
  record.features_ns = timing.features_ns;
  record.model_ns = timing.model_ns;
  record.post_ns = timing.post_ns;
  record.total_ns = timing.total_ns;
  record.cpu_ns = timing.cpu_ns;
  sink.record(std::move(record));
}

bool same_score(double answered, double shadow) {
  return std::abs(answered - shadow) <= 1e-6 * std::max(1.0, std::abs(answered));
}

void note_mirrored(EndpointStats& stats, bool answered, bool same) {
  const std::size_t shard = thread_number() % kShards;
  stats.shadow_requests.add(shard, 1);
  if (!answered) stats.shadow_errors.add(shard, 1);
  if (!same) stats.shadow_differences.add(shard, 1);
}

}  // namespace maru::serve
