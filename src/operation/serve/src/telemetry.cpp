#include "telemetry.h"

#include <algorithm>
#include <bit>

namespace maru::serve {
namespace {

constexpr int kFirstPower = 7;  // 128 ns

Sparse difference(const Counts& now, Counts& before) {
  Sparse out;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (now[i] > before[i])
      out.emplace_back(
          static_cast<std::uint16_t>(i),
          static_cast<std::uint32_t>(std::min<std::uint64_t>(now[i] - before[i], UINT32_MAX)));
  }
  before = now;
  return out;
}

void add_to(Counts& counts, const Sparse& sparse) {
  for (const auto& [bucket, n] : sparse) counts[bucket] += n;
}

void add_to(Sparse& into, const Sparse& from) {
  for (const auto& [bucket, n] : from) {
    const auto at =
        std::lower_bound(into.begin(), into.end(), bucket,
                         [](const auto& item, std::uint16_t key) { return item.first < key; });
    if (at != into.end() && at->first == bucket)
      at->second += n;
    else
      into.insert(at, {bucket, n});
  }
}

// Features are looked up, and answers written, of some calls only.
bool always_there(std::size_t stage) { return stage != 2 && stage != 4; }

std::uint64_t total_of(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t n : counts) sum += n;
  return sum;
}

LatencySummary summary_of(const Counts& counts, double sum_ns) {
  LatencySummary out;
  out.count = total_of(counts);
  out.p50_us = quantile_us(counts, 0.5);
  out.p90_us = quantile_us(counts, 0.9);
  out.p95_us = quantile_us(counts, 0.95);
  out.p99_us = quantile_us(counts, 0.99);
  if (out.count > 0) out.mean_us = sum_ns / 1000.0 / static_cast<double>(out.count);
  return out;
}

// A stage keeps no exact sum: the middle of each bucket, within 6 %.
double middle_sum_ns(const Counts& counts) {
  double sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i)
    sum += static_cast<double>(counts[i]) * 0.5 * (bucket_low_ns(i) + bucket_low_ns(i + 1));
  return sum;
}

}  // namespace

std::size_t bucket_of(std::int64_t ns) {
  if (ns < (std::int64_t{1} << kFirstPower)) return 0;
  const int power = 63 - std::countl_zero(static_cast<std::uint64_t>(ns));
  const auto part = static_cast<std::size_t>((static_cast<std::uint64_t>(ns) >> (power - 3)) & 7);
  return std::min(kBuckets - 1, static_cast<std::size_t>(power - kFirstPower) * 8 + part);
}

double bucket_low_ns(std::size_t bucket) {
  if (bucket == 0) return 0;
  const std::size_t power = bucket / 8 + kFirstPower, part = bucket % 8;
  return static_cast<double>((std::uint64_t{8} + part) << (power - 3));
}

double quantile_us(const Counts& counts, double p) {
  const std::uint64_t total = total_of(counts);
  if (total == 0) return 0;
  const double rank = p * static_cast<double>(total);
  double seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && seen + here >= rank) {
      const double low = bucket_low_ns(i), high = bucket_low_ns(i + 1);
      return (low + (high - low) * std::max(0.0, rank - seen) / here) / 1000.0;
    }
    seen += here;
  }
  return bucket_low_ns(kBuckets) / 1000.0;
}

Counts Histogram::read() const {
  Counts out{};
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < kBuckets; ++i)
      out[i] += shard.counts[i].load(std::memory_order_relaxed);
  }
  return out;
}

std::uint64_t Counter::read() const {
  std::uint64_t out = 0;
  for (const Shard& shard : shards_) out += shard.value.load(std::memory_order_relaxed);
  return out;
}

std::uint64_t VersionStats::requests() const { return total_of(total.read()); }

std::shared_ptr<VersionStats> EndpointStats::version(const std::string& model, int number) {
  const std::lock_guard lock(mutex_);
  for (const auto& stats : versions_) {
    if (stats->version == number && stats->model == model) return stats;
  }
  // The oldest that nothing routes to goes first.
  for (std::size_t i = 0; versions_.size() >= kKeptVersions && i < versions_.size();) {
    if (versions_[i].use_count() == 1)
      versions_.erase(versions_.begin() + static_cast<std::ptrdiff_t>(i));
    else
      ++i;
  }
  versions_.push_back(std::make_shared<VersionStats>(model, number));
  return versions_.back();
}

std::vector<std::shared_ptr<VersionStats>> EndpointStats::versions() const {
  const std::lock_guard lock(mutex_);
  return versions_;
}

void EndpointStats::record(VersionStats& stats, const Timing& timing, std::size_t shard) {
  const std::int64_t second = timing.time_us / 1'000'000;
  if (second_.load(std::memory_order_relaxed) != second) fold(second);
  stats.total.add(shard, timing.total_ns);
  stats.total_ns.add(shard, static_cast<std::uint64_t>(std::max<std::int64_t>(0, timing.total_ns)));
  if (timing.outcome == Timing::Outcome::kInputError)
    stats.input_errors.add(shard, 1);
  else if (timing.outcome == Timing::Outcome::kModelError)
    stats.model_errors.add(shard, 1);
  stats.rows.add(shard, timing.rows);
  stats.last_us.store(timing.time_us, std::memory_order_relaxed);
  if (timing.outcome == Timing::Outcome::kAnswered) {
    const auto whole = [](std::int64_t ns) {
      return static_cast<std::uint64_t>(std::max<std::int64_t>(0, ns));
    };
    stats.answered_ns.add(shard, whole(timing.total_ns));
    const std::int64_t stages[kStages] = {timing.parse_ns, timing.queue_ns, timing.features_ns,
                                          timing.model_ns, timing.post_ns};
    for (std::size_t i = 0; i < kStages; ++i) {
      if (stages[i] <= 0 && !always_there(i)) continue;
      stats.stages[i].add(shard, stages[i]);
      stats.stage_ns[i].add(shard, whole(stages[i]));
    }
    if (timing.cpu_ns >= 0) {
      stats.cpu_calls.add(shard, 1);
      stats.cpu_ns.add(shard, whole(timing.cpu_ns));
    }
  }
}

// Everything counted since the last fold happened in second_.
EndpointStats::Second EndpointStats::take_delta() {
  Second out;
  for (const auto& stats : versions_) {
    const Counts now = stats->total.read();
    const Sparse delta = difference(now, stats->folded_);
    const std::uint64_t requests = total_of(now),
                        errors = stats->input_errors.read() + stats->model_errors.read(),
                        ns = stats->total_ns.read();
    if (requests > stats->folded_requests_)
      out.by_version[stats->version] += requests - stats->folded_requests_;
    out.errors += errors - stats->folded_errors_;
    out.sum_ns += ns - stats->folded_ns_;
    stats->folded_requests_ = requests;
    stats->folded_errors_ = errors;
    stats->folded_ns_ = ns;
    add_to(out.total, delta);
    for (std::size_t i = 0; i < kStages; ++i)
      add_to(out.stages[i], difference(stats->stages[i].read(), stats->folded_stages_[i]));
  }
  return out;
}

void EndpointStats::merge(Second& into, Second&& delta) {
  for (const auto& [version, n] : delta.by_version) into.by_version[version] += n;
  into.errors += delta.errors;
  into.sum_ns += delta.sum_ns;
  add_to(into.total, delta.total);
  for (std::size_t i = 0; i < kStages; ++i) add_to(into.stages[i], delta.stages[i]);
}

void EndpointStats::fold(std::int64_t second) {
  const std::lock_guard lock(mutex_);
  const std::int64_t finished = second_.load(std::memory_order_relaxed);
  Second delta = take_delta();
  if (!delta.by_version.empty() || delta.errors > 0) {
    // A wall clock that went back adds to the newest second instead of making history run backwards.
    if (!history_.empty() && history_.back().second >= finished) {
      merge(history_.back(), std::move(delta));
    } else {
      delta.second = finished;
      history_.push_back(std::move(delta));
    }
  }
  second_.store(second, std::memory_order_relaxed);
  trim(std::max(second, finished));
}

void EndpointStats::trim(std::int64_t newest) {
  while (!history_.empty() && history_.front().second <= newest - kTrafficSeconds)
    history_.pop_front();
  for (Second& old : history_) {
    if (old.second > newest - kLatencySeconds) break;
    if (old.total.empty()) continue;
    Counts counts{};
    add_to(counts, old.total);
    old.p50_us = quantile_us(counts, 0.5);
    old.p99_us = quantile_us(counts, 0.99);
    old.total = Sparse();
    for (Sparse& stage : old.stages) stage = Sparse();
  }
}

void EndpointStats::report(std::int64_t now_us, EndpointStatus& out) {
  const std::int64_t now = now_us / 1'000'000;
  fold(now);
  const std::lock_guard lock(mutex_);
  Counts total{}, stage_counts[kStages] = {};
  double sum_ns = 0;
  std::uint64_t errors = 0, recent = 0;
  for (const Second& second : history_) {
    TrafficPoint point{second.second * 1'000'000, second.by_version, second.errors, second.p50_us,
                       second.p99_us};
    if (!second.total.empty()) {
      Counts counts{};
      add_to(counts, second.total);
      point.p50_us = quantile_us(counts, 0.5);
      point.p99_us = quantile_us(counts, 0.99);
    }
    if (second.second > now - kLatencySeconds) {
      add_to(total, second.total);
      for (std::size_t i = 0; i < kStages; ++i) add_to(stage_counts[i], second.stages[i]);
      sum_ns += static_cast<double>(second.sum_ns);
      errors += second.errors;
    }
    // Whole seconds only: the one that has just begun would pull the rate down.
    if (second.second < now && second.second >= now - kRateSeconds) {
      for (const auto& [version, n] : second.by_version) recent += n;
    }
    out.traffic.push_back(std::move(point));
  }
  out.latency = summary_of(total, sum_ns);
  out.latency.errors = errors;
  out.latency.per_second = static_cast<double>(recent) / static_cast<double>(kRateSeconds);
  for (std::size_t i = 0; i < kStages; ++i) {
    LatencySummary stage = summary_of(stage_counts[i], middle_sum_ns(stage_counts[i]));
    if (stage.count > 0 || always_there(i)) out.stages.emplace_back(kStageNames[i], stage);
  }
  std::uint64_t cpu_ns = 0;
  for (const auto& stats : versions_) {
    out.cpu_calls += stats->cpu_calls.read();
    cpu_ns += stats->cpu_ns.read();
  }
  if (out.cpu_calls > 0)
    out.cpu_mean_us = static_cast<double>(cpu_ns) / 1000.0 / static_cast<double>(out.cpu_calls);
  out.not_sampled = not_sampled.read();
  out.shadow_requests = shadow_requests.read();
  out.shadow_differences = shadow_differences.read();
}

}  // namespace maru::serve
