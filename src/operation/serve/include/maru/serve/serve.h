#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/pool.h"
#include "maru/base/result.h"
#include "maru/base/stage_times.h"
#include "maru/model/model.h"
#include "maru/model/tensor.h"
#include "maru/store/database.h"

namespace maru::serve {

inline constexpr std::size_t kShadowQueueLimit =
    256;                                    // mirrored requests that wait; beyond: shed and counted
inline constexpr int kFallbackVersion = 0;  // of answers that no model gave
inline constexpr std::size_t kOnDemandVersions =
    2;  // versions outside the route kept per endpoint because a caller named them
inline constexpr std::int64_t kOnDemandWaitMs = 5000;  // how long such a caller waits for the load
inline constexpr std::int64_t kFailedLoadRestMs =
    1000;  // a failed load is not tried again on behalf of callers before

// Where versions come from. Implemented by app with the registry. Called on loader threads only.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  // The bundle folder on local disk of a version.
  virtual base::Result<std::string> folder(const std::string& model, int version) = 0;
  virtual base::Result<int> resolve(const std::string& model, const std::string& selector) = 0;
  virtual base::Result<std::vector<std::pair<std::string, std::vector<int>>>>
  models() = 0;  // ready versions, newest first
};

inline constexpr unsigned kCpuEvery =
    16;  // of the calls that a thread answers one in so many has its CPU time measured: a system call twice

// Where the tables of feature lookups come from: the data room's datasets. Implemented by app. Called on loader threads only.
class FeatureSource {
 public:
  struct State {
    std::string snapshot;         // differs when the rows do
    std::int64_t updated_us = 0;  // when the snapshot was made
    std::uint64_t rows = 0;
  };
  virtual ~FeatureSource() = default;
  virtual base::Result<State> current(const std::string& project, const std::string& dataset) = 0;
  virtual base::Result<data::Table> read(const std::string& snapshot,
                                         const std::vector<std::string>& columns) = 0;
};

// One answered (or failed) request, for the prediction log. Row-major copies are made only when a sink is set.
struct PredictionRecord {
  std::string id;  // 32 hex digits
  std::string endpoint, model, principal;
  int version = 0;
  std::int64_t time_us = 0;
  std::shared_ptr<const model::Bundle> bundle;  // whose signature names the inputs
  // Lent for the call; null of a failed one and of a model of tensors.
  const model::InputBatch* inputs = nullptr;
  const model::Predictions* outputs = nullptr;
  std::int64_t parse_ns = 0, queue_ns = 0, features_ns = 0, model_ns = 0, post_ns = 0, total_ns = 0;
  std::int64_t cpu_ns = -1;  // of the thread; -1: not measured (kCpuEvery)
  std::string trace_id;      // 32 hex digits, or ""
  // Of a model of tensors, lent for the call.
  const std::vector<model::TensorValue>* tensors = nullptr;
  const std::vector<model::TensorValue>* answer = nullptr;
  bool shadow = false;
  std::string error;
};
// Must never block: bounded, sheds with a count.
class PredictionSink {
 public:
  virtual ~PredictionSink() = default;
  virtual void record(PredictionRecord&& record) = 0;
};

// What an endpoint was asked lately, asked of a version before it takes over.
class Rehearsal {
 public:
  virtual ~Rehearsal() = default;
  // Nanoseconds of each call that the version answered, in their order; none when nothing is logged or nothing fits. Takes a fraction of a second, or the time of one call.
  virtual std::vector<std::int64_t> ask(const std::string& endpoint,
                                        const model::Bundle& bundle) = 0;
};

enum class VersionState : std::uint8_t { kLoading, kWarming, kReady, kUnloading, kFailed };
std::string_view version_state_name(VersionState state);

struct ServedVersion {
  std::string model;
  int version = 0;
  VersionState state = VersionState::kLoading;
  std::string reason, engine;
  std::uint64_t requests = 0, errors = 0, memory_bytes = 0;
};

struct Arm {
  int version = 0;
  std::string selector;  // alias it follows ("champion"), or "" when pinned to `version`
  double weight = 1;
  std::uint64_t requests = 0, errors = 0;
};

struct EndpointConfig {
  std::string project = "default", name, model;
  base::Json route;           // docs/routing.md; null: the alias champion with weight 1
  base::Json log;             // which answered calls are logged (docs/observability.md); null: all
  bool experimental = false;  // of the lane that editors may change; else operators only
  base::Json bounds;  // what a version may cost to be safe to serve (docs/serving.md); null: none
  base::Json
      execution;  // how calls of models of tensors wait and run (docs/serving.md); null: the defaults
  base::Json
      fallback;  // the answer without a model, or when it failed (docs/serving.md); null: none
  base::Json features;  // columns looked up by key (docs/serving.md); null: none
  base::Json to_json() const;
  static base::Result<EndpointConfig> from_json(const base::Json& json);
};

// What one version did under one name since it was first asked: for statistics of clients.
struct VersionTotals {
  std::string name, model;  // the endpoint, or the model called by its own name
  int version = 0;
  std::uint64_t answered = 0, failed = 0, rows = 0;
  std::uint64_t answered_ns = 0, parse_ns = 0, queue_ns = 0, model_ns = 0,
                post_ns = 0;  // of answered calls
  std::int64_t last_us = 0;   // wall clock of the last call; 0: none
  std::uint64_t memory_bytes = 0;
};

struct LatencySummary {
  std::uint64_t count = 0, errors = 0;
  double per_second = 0, p50_us = 0, p90_us = 0, p95_us = 0, p99_us = 0, mean_us = 0;
};
struct TrafficPoint {
  std::int64_t time_us = 0;  // start of a 1 s bucket
  std::map<int, std::uint64_t> by_version;
  std::uint64_t errors = 0;
  double p50_us = 0, p99_us = 0;
};
struct EndpointStatus {
  EndpointConfig config;
  std::string state;  // "ready", "loading", "failed", "empty"
  std::string reason;
  std::vector<Arm> arms;
  int shadow_version = 0;
  std::uint64_t
      shadow_requests = 0,
      shadow_differences =
          0;  // mirrored; of those answered differently (another class, or a value off by 1e-6)
  std::uint64_t shadow_shed = 0;  // not mirrored because the queue was full
  base::Json
      shadow_evidence;  // how its numbers differ (ShadowBook); null: nothing compared yet, and in list()
  LatencySummary latency;  // last 5 minutes; per_second over the last 10 whole seconds
  std::vector<std::pair<std::string, LatencySummary>>
      stages;  // of answered calls: parse, queue, features, model, post, as far as there were any
  base::Json
      features;  // of the lookup: dataset, snapshot, rows, bytes, found, missing, stale, reason; null: none
  std::uint64_t fallback_answers = 0;  // that the declared fallback gave
  std::uint64_t not_sampled = 0;       // answered calls that the endpoint's `log` leaves out
  // CPU time of answered calls, where it was measured (kCpuEvery).
  std::uint64_t cpu_calls = 0;
  double cpu_mean_us = 0;
  std::vector<TrafficPoint> traffic;  // last 15 minutes
  base::Json
      queue;  // calls of models of tensors: waiting, running, batches, refused by reason, the response cache; null without such a model
  base::Json
      experiment;  // what a route with several arms has learned (docs/routing.md); null for one arm
};

// What a call is answered with.
struct Answer {
  std::string id;
  std::shared_ptr<const model::Bundle> bundle;
  int version = 0;  // 0: the endpoint's fallback
  std::int64_t model_ns = 0;
};

// Makes the protocol's answer of the model's numbers; its time is the stage "post".
using WriteAnswer = std::function<void(const Answer&, const model::Predictions&)>;

struct CallOptions {
  std::string sticky_key;  // of the caller; "": the value of the route's sticky header
  // A header of the call, "" when it has none: for sticky keys, rules and segments. Null: the call has no headers.
  std::string_view (*header)(const void* request, std::string_view name) = nullptr;
  const void* request = nullptr;  // first argument of `header`; must outlive the call
  int version = 0;                // asks for this version; 0: the route decides
  std::string principal = "local";
  std::int64_t parse_ns = 0, received_ns = 0;
  std::int64_t deadline_ns = 0;  // on the server's clock; 0: none. For models of tensors
  int priority = 0;              // of models of tensors that wait: 1 before 2 before 3; 0 is 2
  const base::Json* params =
      nullptr;  // of a model that takes some of its own (mlflow.pyfunc); null: none
  const base::CancelToken* cancel = nullptr;  // a caller who goes; null: never
  bool log = true;
  std::string_view trace_id;           // of the caller's trace; must outlive the call
  base::StageTimes* times = nullptr;   // filled when not null
  const WriteAnswer* write = nullptr;  // called on success, before the call is counted
  bool fallback = false;               // choose() may answer with the endpoint's fallback
  model::InputBatch* rows = nullptr;   // gets a copy of what the model was given, when not null
};

// kAtOnce: microseconds a row. kComputes: a model of tensors. kWaits: another process answers. kLoads: nobody knows before it is loaded.
enum class Pace : std::uint8_t { kAtOnce, kComputes, kWaits, kLoads };

// Called once, on the calling thread or on one of Server::Options' pools; the outputs are there when the answer is.
using InferDone =
    std::function<void(base::Result<Answer>, std::vector<model::TensorValue>&& outputs)>;

// What an answer was worth, once it is known. Binary rewards are 0 or 1.
struct RewardItem {
  std::string id;  // of the prediction
  double value = 0;
};

// A route changed by itself.
struct RouteDecision {
  enum class Kind : std::uint8_t { kStep, kPromote, kRollBack } kind = Kind::kStep;
  EndpointConfig config;
  int version = 0;          // of the canary
  double share = 0;         // of traffic, from now on
  bool move_alias = false;  // kPromote: the route asks for the alias `champion` to follow
  std::string reason;
};

// Where a prediction's arm came from, told again from its id and from what was in force.
struct Assignment {
  int version = 0;              // that answered
  std::int64_t time_us = 0;     // of the prediction
  std::string segment;          // "" when of no named one
  base::Json shares;            // in force: {from_us, versions, segments, shares}
  int version_without_key = 0;  // that a call without sticky key and rule gets under them
};

// Endpoints over an immutable routing table swapped atomically: a request holds its version until it is answered; the old one is freed when the last leaves.
// The previous version of each endpoint stays warm for roll-back. Loading happens on `loader`, never on a request. A failed load keeps the old version and says why.
// A call that names a version outside the route, or a model without an endpoint, loads it once on `loader` and waits at most kOnDemandWaitMs.
// put_endpoint(), remove_endpoint() and refresh() wait for `loader`, so they must not be called on its threads.
// All calls are thread safe; predict() takes no lock on the fast path.
class Server {
 public:
  struct Options {
    ModelSource* source = nullptr;
    PredictionSink* sink = nullptr;  // may be null
    Rehearsal* rehearsal = nullptr;  // may be null
    base::Pool* loader = nullptr;
    FeatureSource* features = nullptr;  // null: endpoints that look features up are refused
    // Run models of tensors that compute, and those that another process runs. Null: the caller's thread does.
    base::Pool* compute = nullptr;
    base::Pool* waiting = nullptr;
    std::size_t cores = 1;  // calls of a model that computes at a time
    // Of all versions; what callers only named goes first, the longest unused. 0: no cap.
    std::uint64_t memory_bytes = 0;
    base::Clock* clock = &base::system_clock();
    std::uint64_t seed = 0;  // of the bandits' draws
    store::Database* db =
        nullptr;  // for rewards and experiments; null: they are refused, and steps of a canary do not survive a restart
    // Called by tick() without a lock held; may call the server.
    std::function<void(const RouteDecision&)> on_decision;
    // How a folder becomes a bundle; tests put their own here.
    std::function<base::Result<std::shared_ptr<const model::Bundle>>(const std::string& folder)>
        load = model::Bundle::load;
  };
  explicit Server(Options options);
  ~Server();

  // Creates or replaces; returns when the new route serves or its load failed (the old route then stays).
  base::Status put_endpoint(const EndpointConfig& config);
  base::Status remove_endpoint(const std::string& name);
  // The next put_endpoint() of the same route begins its experiment anew.
  base::Status forget_experiment(const std::string& name);
  // What answers were worth. Durable when it returns; gives the number of rewards that are new: a prediction has one, the first. All or nothing: kNotFound for an
  // id that no arm of the route gave, kInvalidArgument for a value that is no reward of the route, kFailedPrecondition for a route without rewards.
  base::Result<std::uint64_t> reward(const std::string& name, const std::vector<RewardItem>& items);
  base::Result<Assignment> assignment(const std::string& name, const std::string& id) const;
  // Moves canaries on or back and looks at bandits' shares. To be called every second or so, by one thread.
  void tick();
  // Re-resolves aliases of every endpoint of `model`; returns when every later request is answered by the new version.
  base::Status refresh(const std::string& model);
  std::vector<EndpointStatus> list() const;
  base::Result<EndpointStatus> status(const std::string& name) const;  // kNotFound with near names
  std::vector<ServedVersion> versions() const;
  std::vector<VersionTotals> totals() const;

  // Loads a model that callers may name, and keeps it. Waits for `loader`.
  base::Status load(const std::string& model);
  // Frees a model that was loaded because callers named it; later calls are kUnavailable until load(). kFailedPrecondition for an endpoint: it is in production.
  base::Status unload(const std::string& model);

  // What a call of this name asks of its thread. Takes no lock.
  Pace pace(std::string_view name, int version) const;
  // Picks the version that answers (route, stickiness). kNotFound, kUnavailable while loading, also where a fallback would answer unless options.fallback. `name` is an endpoint, or a model when no endpoint has the name.
  base::Result<Answer> choose(std::string_view name, const CallOptions& options) const;
  // choose() + run. `fill` writes the rows for the chosen version's signature.
  using Fill = std::function<base::Status(const model::Signature&, model::InputBatch&)>;
  base::Result<Answer> predict(std::string_view name, const CallOptions& options, const Fill& fill,
                               model::Predictions& out) const;
  // The same for tensors: a model of named columns takes and gives its columns as tensors (model::fill_from_tensors, answer_tensors), a model from elsewhere
  // its own. The outputs in the order of `wanted`, or all when it is empty. A call of a model from elsewhere may wait for its turn: kUnavailable when too much waits,
  // kResourceExhausted for a caller with too many calls, kDeadlineExceeded.
  base::Result<Answer> infer(std::string_view name, const CallOptions& options,
                             std::vector<model::TensorValue> tensors,
                             std::vector<std::string> wanted,
                             std::vector<model::TensorValue>& out) const;
  // infer() without a thread that waits. What `options` points to must live until `done` has returned.
  void infer_later(std::string_view name, const CallOptions& options,
                   std::vector<model::TensorValue> tensors, std::vector<std::string> wanted,
                   InferDone done) const;
  // Prometheus text: requests, errors, histograms of latency by endpoint, version and stage, and the same under the names that Triton gives them.
  std::string metrics_text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::serve
