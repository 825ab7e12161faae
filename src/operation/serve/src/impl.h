#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bounds.h"
#include "epoch_cell.h"
#include "execution.h"
#include "experiment.h"
#include "lane.h"
#include "log_rule.h"
#include "lookup.h"
#include "maru/serve/serve.h"
#include "reward_book.h"
#include "route.h"
#include "telemetry.h"
#include "warm_up.h"

namespace maru::serve {

struct LoadedVersion {
  std::string model;
  int version = 0;
  std::shared_ptr<const model::Bundle> bundle;
  std::int64_t p99_ns = -1;  // of a call, when it was warmed up; -1: not measured
};

// Takes a canary out of the route when it fails too often; lives as long as the route that was written.
struct CanaryGuard {
  explicit CanaryGuard(double rate) : max_error_rate(rate) {}
  const double max_error_rate;  // requests read it while a route is built
  std::atomic<bool> off{false};
  std::atomic<std::uint64_t> requests{0}, errors{0};
};

// A version as one endpoint serves it. A request holds exactly this, through one shared_ptr.
struct ServedArm {
  std::string endpoint;
  std::shared_ptr<const LoadedVersion> loaded;
  std::shared_ptr<VersionStats> stats;
  std::shared_ptr<EndpointStats> endpoint_stats;
  std::shared_ptr<CanaryGuard> guard;  // of a canary arm only
  LogRule log_rule;
  std::shared_ptr<Lane> lane;  // of a model of tensors
  std::shared_ptr<const LookupView> features;
};
using ArmPtr = std::shared_ptr<const ServedArm>;

struct Entry {
  EndpointConfig config;
  RouteSpec route;
  std::vector<ArmPtr> arms;  // as route.arms
  ShareTable shares;         // in force
  std::vector<std::uint64_t> identities;
  std::shared_ptr<Experiment> experiment;  // of a route with several arms
  std::vector<ArmPtr> extra;               // the previous versions and those that callers named
  ArmPtr shadow;
  ArmPtr fallback;  // answers when the model fails; null: none
  std::shared_ptr<Lookup> lookup;
  std::shared_ptr<CanaryGuard> guard;
};
using EntryPtr = std::shared_ptr<const Entry>;

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};
struct Table {
  std::unordered_map<std::string, EntryPtr, NameHash, std::equal_to<>> entries;
};

struct Picked {
  ArmPtr arm;
  ArmPtr shadow;
  std::string id;  // of the prediction, where the route has several arms
  ArmPtr stable;   // answers instead when the model of `arm` fails; null: `arm` is the stable one
  ArmPtr fallback = nullptr;  // answers when that fails too; null: none
  bool failed = false;        // run_rows() met a failure of the model, not of the input
};

// The control side of an endpoint. `work` is held by the loader thread that changes it; the rest is guarded by Impl::mutex.
struct Endpoint {
  std::mutex work;
  EndpointConfig config;
  // Of the config that is being made the route.
  LogRule log_rule;
  Execution execution;
  Bounds bounds;
  std::shared_ptr<Lookup> lookup;
  std::map<const LoadedVersion*, std::weak_ptr<Lane>> lanes;  // guarded by `work`
  EntryPtr entry;
  EntryPtr cold;  // answers while there is no entry: the fallback alone; null: none
  std::shared_ptr<EndpointStats> stats = std::make_shared<EndpointStats>();
  std::vector<std::shared_ptr<const LoadedVersion>> previous;
  std::deque<std::shared_ptr<const LoadedVersion>> on_demand;
  std::string state = "loading", reason;
  bool implicit = false;  // a model asked for by its own name
  bool pinned = false;    // by load()
  bool removed = false;
};

struct VersionRecord {
  VersionState state = VersionState::kLoading;
  std::string engine;
  std::uint64_t memory_bytes = 0;
  double load_seconds = 0;
  std::weak_ptr<const LoadedVersion> loaded;
  base::Error error;
  std::int64_t failed_ns = 0;
};

struct Server::Impl {
  explicit Impl(Options given);
  ~Impl();

  // server.cpp: the request side
  base::Result<Picked> pick(std::string_view name, const CallOptions& call);
  base::Result<Picked> pick_slowly(std::string_view name, const CallOptions& call);
  // run_rows(), and once more on the stable arm when another arm's model fails.
  base::Result<Answer> run_picked(Picked& picked, const CallOptions& call, std::int64_t start_ns,
                                  const Fill& fill, model::Predictions& out);
  base::Result<Answer> run_rows(Picked& picked, const CallOptions& call, std::int64_t start_ns,
                                const Fill& fill, model::Predictions& out);
  void finish(const ServedArm& arm, const Timing& timing, std::size_t shard);
  void queue_shadow(EndpointStats& stats, std::function<void()> job);
  void mirror(const Picked& picked, const model::InputBatch& batch,
              const model::Predictions& answer, const std::string& id,
              const std::string& principal);
  void run_shadow(const Picked& picked, const model::InputBatch& batch,
                  const model::Predictions& answer, const std::string& id,
                  const std::string& principal);
  std::string next_id(Picked& picked) const;

  // infer.cpp: calls of models of tensors
  struct TensorRequest;
  using TensorRequestPtr = std::shared_ptr<TensorRequest>;
  base::Result<Answer> infer_columns(Picked& picked, const CallOptions& call, std::int64_t start_ns,
                                     const std::vector<model::TensorValue>& tensors,
                                     const std::vector<std::string>& wanted,
                                     std::vector<model::TensorValue>& out);
  TensorRequestPtr tensor_request(Picked&& picked, const CallOptions& call, std::int64_t start_ns,
                                  std::vector<model::TensorValue>&& tensors,
                                  std::vector<std::string>&& wanted);
  void enqueue(const TensorRequestPtr& request, bool wait);
  void answered(const TensorRequestPtr& request, LaneCall::Result&& result);
  void ask_stable(TensorRequest& failed, std::int64_t waited_ns);
  void mirror_tensors(const TensorRequest& request, const std::vector<model::TensorValue>& outputs,
                      const std::string& id);
  std::shared_ptr<Lane> lane_of(Endpoint& endpoint, const LoadedVersion& version,
                                std::shared_ptr<LaneTotals> totals) const;
  void sweep_lanes();

  // load.cpp: on loader threads
  base::Result<std::shared_ptr<const LoadedVersion>> acquire(const std::string& model, int version,
                                                             const Purpose& purpose);
  base::Result<std::shared_ptr<const LoadedVersion>> load(const std::string& model, int version,
                                                          const Purpose& purpose);
  struct Spare;
  std::uint64_t held_bytes() const;
  std::optional<Spare> longest_unused() const;
  std::optional<Spare> kept_for_roll_back() const;
  base::Status make_room(const LoadedVersion& newcomer);

  // control.cpp: on loader threads
  base::Status apply(const std::shared_ptr<Endpoint>& endpoint, const EndpointConfig& config,
                     bool only_when_moved);
  base::Result<EntryPtr> build(Endpoint& endpoint, const EndpointConfig& config,
                               const EntryPtr& old);
  base::Result<int> version_of(const EndpointConfig& config, const ArmSpec& spec, bool by_default);
  base::Status load_on_demand(const std::string& name, int version);
  base::Status add_on_demand(const std::shared_ptr<Endpoint>& endpoint, int version);
  base::Status answer_when_cold(Endpoint& endpoint, const EndpointConfig& config,
                                const EntryPtr& old);
  base::Result<std::shared_ptr<Lookup>> lookup_of(const EndpointConfig& config,
                                                  const EntryPtr& old);
  void check_lookups();
  ArmPtr fallback_of(Endpoint& endpoint, const EndpointConfig& config);
  ArmPtr arm_of(Endpoint& endpoint, const std::string& name,
                std::shared_ptr<const LoadedVersion> loaded, std::shared_ptr<CanaryGuard> guard);
  std::vector<ArmPtr> extras(Endpoint& endpoint, const EndpointConfig& config);
  std::shared_ptr<Endpoint> take_out(
      std::map<std::string, std::shared_ptr<Endpoint>, std::less<>>::iterator at);
  void publish();  // with `mutex` held: the table from all entries
  base::Status add_experiment(Entry& entry, const EntryPtr& same_route);
  base::Status note_shares(const Entry& entry) const;

  // learn.cpp: rewards, canaries, bandits
  base::Status share_again(const std::string& name, const std::shared_ptr<Experiment>& experiment);
  base::Status step(const std::string& name, const EntryPtr& entry);
  base::Status on_loader(std::function<base::Status()> job, std::int64_t wait_ms);
  std::shared_ptr<Endpoint> find(std::string_view name) const;
  std::vector<std::string> near_names() const;

  struct Waiters {  // background work that must end before the server does
    std::mutex mutex;
    std::condition_variable idle;
    std::size_t running = 0;
    void begin();
    void end();
    void wait();
  };

  Options options;
  std::unique_ptr<RewardBook> book;  // null without a database
  EpochCell<Table> table;
  Waiters waiters;
  std::atomic<std::size_t> shadows_waiting{0};
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<Endpoint>, std::less<>> endpoints;
  std::map<std::pair<std::string, int>, VersionRecord> records;
  std::condition_variable record_changed;  // a record left kLoading or kWarming
  std::map<std::string, std::int64_t, std::less<>>
      unknown;                                  // names that are no model -> when asked
  std::set<std::string, std::less<>> unloaded;  // by unload(), until load()
};

}  // namespace maru::serve
