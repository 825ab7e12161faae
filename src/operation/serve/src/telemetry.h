#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "maru/serve/serve.h"
#include "shadow_book.h"

namespace maru::serve {

inline constexpr std::size_t kBuckets =
    240;  // 8 a power of two of nanoseconds, 128 ns to 137 s: at most 12.5 % wide
inline constexpr std::size_t kShards = 4;
inline constexpr std::size_t kStages = 5;
inline constexpr const char* kStageNames[kStages] = {"parse", "queue", "features", "model", "post"};
inline constexpr std::int64_t kTrafficSeconds = 900;
inline constexpr std::int64_t kLatencySeconds = 300;
inline constexpr std::int64_t kRateSeconds = 10;
inline constexpr std::size_t kKeptVersions = 16;  // versions whose counters an endpoint remembers

std::size_t bucket_of(std::int64_t ns);
double bucket_low_ns(
    std::size_t bucket);  // inclusive; bucket_low_ns(kBuckets) is the end of the last
using Counts = std::array<std::uint64_t, kBuckets>;
double quantile_us(const Counts& counts, double p);  // linear within the bucket; 0 when empty

// Bucket counts without the empty ones.
using Sparse = std::vector<std::pair<std::uint16_t, std::uint32_t>>;

// Counters that grow only, one copy a group of threads so that recording does not bounce cache lines.
class Histogram {
 public:
  void add(std::size_t shard, std::int64_t ns) {
    shards_[shard].counts[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
  }
  Counts read() const;

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, kBuckets> counts{};
  };
  std::array<Shard, kShards> shards_;
};

class Counter {
 public:
  void add(std::size_t shard, std::uint64_t n) {
    shards_[shard].value.fetch_add(n, std::memory_order_relaxed);
  }
  std::uint64_t read() const;

 private:
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Shard, kShards> shards_;
};

// Of the calls that come to a lane.
struct LaneTotals {
  std::atomic<std::uint64_t> full{0}, quota{0}, late{0}, cancelled{0};  // not answered, by reason
  std::atomic<std::uint64_t> calls{0}, batches{0};                      // ran
  std::atomic<std::uint64_t> cache_hits{0}, cache_misses{0};
};

// What one version did on one endpoint. Thread safe.
struct VersionStats {
  VersionStats(std::string model_name, int number)
      : model(std::move(model_name)), version(number) {}
  const std::string model;
  const int version;
  Histogram total;
  Counter total_ns, rows, input_errors, model_errors;
  // Of answered calls.
  Counter answered_ns, stage_ns[kStages];
  Histogram stages[kStages];
  Counter cpu_calls, cpu_ns;
  std::atomic<std::int64_t> last_us{0};
  const std::shared_ptr<LaneTotals> lane = std::make_shared<LaneTotals>();
  std::uint64_t requests() const;  // answered and failed

 private:
  friend class EndpointStats;
  std::uint64_t folded_requests_ = 0, folded_errors_ = 0, folded_ns_ = 0;
  Counts folded_{}, folded_stages_[kStages] = {};
};

struct Timing {
  std::int64_t time_us = 0;  // wall clock at the end
  std::int64_t parse_ns = 0, queue_ns = 0, features_ns = 0, model_ns = 0, post_ns = 0, total_ns = 0;
  std::int64_t cpu_ns = -1;  // -1: not measured
  std::uint64_t rows = 0;
  void set(std::int64_t parse, std::int64_t queue, std::int64_t model, std::int64_t post = 0) {
    parse_ns = parse;
    queue_ns = queue;
    model_ns = model;
    post_ns = post;
    total_ns = parse + queue + features_ns + model + post;
  }
  enum class Outcome : std::uint8_t {
    kAnswered,
    kInputError,
    kModelError
  } outcome = Outcome::kAnswered;
};

// Everything measured on one endpoint. record() takes no lock, except once a second on one thread, which folds the finished second into the history.
class EndpointStats {
 public:
  std::shared_ptr<VersionStats> version(const std::string& model,
                                        int number);  // made when first asked for
  void record(VersionStats& stats, const Timing& timing, std::size_t shard);
  std::vector<std::shared_ptr<VersionStats>> versions() const;
  void report(std::int64_t now_us, EndpointStatus& out);

  Counter shadow_requests, shadow_differences, shadow_shed, shadow_errors;
  Counter not_sampled;
  ShadowBook shadow_book;

 private:
  struct Second {
    std::int64_t second = 0;
    std::map<int, std::uint64_t> by_version;
    std::uint64_t errors = 0, sum_ns = 0;
    Sparse total, stages[kStages];
    double p50_us = 0, p99_us = 0;  // once `total` is dropped
  };
  void fold(std::int64_t second);
  Second take_delta();
  static void merge(Second& into, Second&& delta);
  void trim(std::int64_t newest);

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<VersionStats>> versions_;
  std::atomic<std::int64_t> second_{0};
  std::deque<Second> history_;
};

}  // namespace maru::serve
