#include <algorithm>
#include <chrono>
#include <future>

#include "fallback.h"
#include "impl.h"
#include "maru/base/log.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Code;

constexpr std::size_t kUnknownNames = 1024;

bool same_versions(const Entry& a, const Entry& b) {
  const auto same = [](const ArmPtr& x, const ArmPtr& y) {
    return x == nullptr || y == nullptr ? x == y : x->loaded == y->loaded;
  };
  return std::equal(a.arms.begin(), a.arms.end(), b.arms.begin(), b.arms.end(), same) &&
         same(a.shadow, b.shadow);
}

}  // namespace

// Runs `job` on a loader thread and waits for it; wait_ms < 0 waits as long as it takes.
base::Status Server::Impl::on_loader(std::function<base::Status()> job, std::int64_t wait_ms) {
  if (options.loader == nullptr) return job();
  auto promise = std::make_shared<std::promise<base::Status>>();
  std::future<base::Status> result = promise->get_future();
  waiters.begin();
  const base::Status queued = options.loader->submit([this, promise, job = std::move(job)] {
    promise->set_value(job());
    waiters.end();
  });
  if (!queued) {
    waiters.end();
    return queued;
  }
  if (wait_ms >= 0 &&
      result.wait_for(std::chrono::milliseconds(wait_ms)) != std::future_status::ready) {
    return base::fail(Code::kUnavailable,
                      "version is still loading after ms: " + std::to_string(wait_ms),
                      "try again in a moment");
  }
  return result.get();
}

std::shared_ptr<Endpoint> Server::Impl::find(std::string_view name) const {
  const std::lock_guard lock(mutex);
  const auto found = endpoints.find(name);
  return found == endpoints.end() ? nullptr : found->second;
}

std::vector<std::string> Server::Impl::near_names() const {
  std::vector<std::string> names;
  for (const auto& [name, endpoint] : endpoints) names.push_back(name);
  return names;
}

void Server::Impl::publish() {
  auto next = std::make_unique<Table>();
  for (const auto& [name, endpoint] : endpoints) {
    if (const EntryPtr& entry = endpoint->entry ? endpoint->entry : endpoint->cold)
      next->entries.emplace(name, entry);
  }
  table.replace(std::move(next));
}

// kNotFound means: nothing to serve yet.
base::Result<int> Server::Impl::version_of(const EndpointConfig& config, const ArmSpec& spec,
                                           bool by_default) {
  if (spec.version > 0) return spec.version;
  auto resolved = options.source->resolve(config.model, spec.selector);
  if (resolved || !by_default || resolved.error().code != Code::kNotFound) return resolved;
  TRY_ASSIGN(const auto models, options.source->models());
  for (const auto& [name, versions] : models) {
    if (name == config.model && !versions.empty()) return versions.front();
  }
  return base::fail(Code::kNotFound, "model has no ready version: " + config.model,
                    "register one: maru run, or maru model import");
}

ArmPtr Server::Impl::arm_of(Endpoint& endpoint, const std::string& name,
                            std::shared_ptr<const LoadedVersion> version,
                            std::shared_ptr<CanaryGuard> guard) {
  auto arm = std::make_shared<ServedArm>();
  arm->endpoint = name;
  arm->stats = endpoint.stats->version(version->model, version->version);
  arm->loaded = std::move(version);
  arm->endpoint_stats = endpoint.stats;
  arm->guard = std::move(guard);
  arm->log_rule = endpoint.log_rule;
  if (endpoint.lookup && arm->loaded->version != kFallbackVersion)
    if (auto view = LookupView::make(endpoint.lookup, arm->loaded->bundle->signature()); view)
      arm->features = std::move(*view);
  arm->lane = lane_of(endpoint, *arm->loaded, arm->stats->lane);
  return arm;
}

// The table that the same declaration has in memory already, else a new one, read now.
base::Result<std::shared_ptr<Lookup>> Server::Impl::lookup_of(const EndpointConfig& config,
                                                              const EntryPtr& old) {
  if (config.features.is_null()) return std::shared_ptr<Lookup>();
  if (old && old->lookup && old->config.features == config.features &&
      old->config.project == config.project)
    return old->lookup;
  if (options.features == nullptr)
    return base::fail(Code::kUnimplemented, "there are no datasets here to look features up in");
  TRY_ASSIGN(LookupSpec spec, LookupSpec::parse(config.features));
  auto lookup = std::make_shared<Lookup>(std::move(spec), config.project, options.features);
  if (auto read = lookup->refresh(); !read) {
    base::Error error = std::move(read.error());
    if (error.code == Code::kNotFound) error.code = Code::kFailedPrecondition;  // not of the model
    return tl::unexpected<base::Error>(std::move(error));
  }
  lookup->checked_us = options.clock->now_us();
  return lookup;
}

// Whether datasets have newer snapshots is looked up on loader threads, one at a time for each endpoint.
void Server::Impl::check_lookups() {
  std::vector<std::shared_ptr<Lookup>> due;
  const std::int64_t now_us = options.clock->now_us();
  {
    const std::lock_guard lock(mutex);
    for (const auto& [name, endpoint] : endpoints) {
      if (!endpoint->entry || !endpoint->entry->lookup) continue;
      Lookup& lookup = *endpoint->entry->lookup;
      if (now_us - lookup.checked_us < kLookupCheckUs || lookup.checking.exchange(true)) continue;
      lookup.checked_us = now_us;
      due.push_back(endpoint->entry->lookup);
    }
  }
  for (const auto& lookup : due) {
    const auto refresh = [lookup] {
      if (const auto read = lookup->refresh(); !read)
        base::log_error("features stay as they are",
                        {{"dataset", lookup->spec().dataset}, {"reason", read.error().text()}});
      lookup->checking = false;
    };
    if (options.loader == nullptr) {
      refresh();
      continue;
    }
    waiters.begin();
    const base::Status queued = options.loader->submit([this, refresh] {
      refresh();
      waiters.end();
    });
    if (queued) continue;
    lookup->checking = false;
    waiters.end();
  }
}

// Null when none is declared, or when what is declared is wrong.
ArmPtr Server::Impl::fallback_of(Endpoint& endpoint, const EndpointConfig& config) {
  auto bundle = fallback_bundle(config.fallback);
  if (!bundle || *bundle == nullptr) return nullptr;
  auto loaded = std::make_shared<LoadedVersion>();
  loaded->model = config.model;
  loaded->version = kFallbackVersion;
  loaded->bundle = std::move(*bundle);
  return arm_of(endpoint, config.name, std::move(loaded), nullptr);
}

base::Result<EntryPtr> Server::Impl::build(Endpoint& endpoint, const EndpointConfig& config,
                                           const EntryPtr& old) {
  auto entry = std::make_shared<Entry>();
  entry->config = config;
  TRY_ASSIGN(entry->route, parse_route(config.route));
  TRY_ASSIGN(entry->lookup, lookup_of(config, old));
  endpoint.lookup = entry->lookup;
  const RouteSpec& route = entry->route;
  const bool same_route =
      old && old->config.model == config.model && old->config.route == config.route;
  // A canary with steps is judged by its experiment.
  if (route.kind == RouteSpec::Kind::kCanary && route.canary.steps.empty()) {
    entry->guard = same_route ? old->guard : std::make_shared<CanaryGuard>(route.max_error_rate);
  }
  const Purpose purpose{old ? config.name : "", endpoint.bounds.p99_us > 0};
  for (std::size_t i = 0; i < route.arms.size(); ++i) {
    TRY_ASSIGN(const int version, version_of(config, route.arms[i], route.by_default));
    TRY_ASSIGN(auto ready, acquire(config.model, version, purpose));
    const bool canary = entry->guard && i + 1 == route.arms.size();
    if (canary && same_route &&
        old->arms.back()->loaded->version !=
            version) {  // a new version behind the alias starts afresh
      entry->guard = std::make_shared<CanaryGuard>(route.max_error_rate);
    }
    TRY(endpoint.bounds.check(*ready));
    if (entry->lookup) TRY(LookupView::make(entry->lookup, ready->bundle->signature()));
    entry->arms.push_back(
        arm_of(endpoint, config.name, std::move(ready), canary ? entry->guard : nullptr));
    entry->identities.push_back(route.arms[i].identity);
  }
  if (route.shadow.weight > 0) {
    TRY_ASSIGN(const int version, version_of(config, route.shadow, false));
    TRY_ASSIGN(auto ready, acquire(config.model, version, purpose));
    entry->shadow = arm_of(endpoint, config.name, std::move(ready), nullptr);
  }
  if ((entry->fallback = fallback_of(endpoint, config)) != nullptr)
    for (const ArmPtr& arm : entry->arms)
      TRY(check_fallback(*entry->fallback->loaded->bundle, *arm->loaded->bundle));
  TRY(add_experiment(*entry, same_route ? old : nullptr));
  return EntryPtr(std::move(entry));
}

// What a route of several arms learns goes on while the route is the same; of a canary, while its versions are.
base::Status Server::Impl::add_experiment(Entry& entry, const EntryPtr& same_route) {
  entry.shares = {{1}};
  if (entry.arms.size() < 2) return {};
  std::vector<int> versions;
  std::vector<std::shared_ptr<VersionStats>> stats;
  for (const ArmPtr& arm : entry.arms) {
    versions.push_back(arm->loaded->version);
    stats.push_back(arm->stats);
  }
  std::string key = entry.config.model + " " + entry.config.route.dump();
  if (entry.route.kind == RouteSpec::Kind::kCanary) {
    for (const int version : versions) key += " " + std::to_string(version);
  }
  const bool moved = same_route && entry.route.kind == RouteSpec::Kind::kCanary &&
                     !same_versions(*same_route, entry);
  if (same_route && same_route->experiment && !moved) {
    entry.experiment = same_route->experiment;
    entry.experiment->arms(std::move(versions), std::move(stats));
  } else {
    TRY_ASSIGN(
        entry.experiment,
        Experiment::open({entry.config.name, entry.route, std::move(versions), std::move(stats),
                          std::move(key), options.clock, book.get(), options.seed}));
  }
  entry.shares = entry.experiment->shares();
  return note_shares(entry);
}

base::Status Server::Impl::note_shares(const Entry& entry) const {
  if (!book || !entry.experiment) return {};
  base::Json versions = base::Json::array(), segments = base::Json::array({""}),
             shares = base::Json::array();
  for (const ArmPtr& arm : entry.arms) versions.push(arm->loaded->version);
  for (const std::string& value : entry.route.segment_values) segments.push(value);
  for (const std::vector<double>& row : entry.shares) {
    base::Json one = base::Json::array();
    for (const double share : row) one.push(share);
    shares.push(std::move(one));
  }
  return book->note_shares(entry.config.name, options.clock->now_us(),
                           base::Json::object({{"versions", std::move(versions)},
                                               {"segments", std::move(segments)},
                                               {"shares", std::move(shares)}}));
}

std::vector<ArmPtr> Server::Impl::extras(Endpoint& endpoint, const EndpointConfig& config) {
  std::vector<ArmPtr> out;
  for (const auto& version : endpoint.previous)
    out.push_back(arm_of(endpoint, config.name, version, nullptr));
  for (const auto& version : endpoint.on_demand)
    out.push_back(arm_of(endpoint, config.name, version, nullptr));
  return out;
}

// While the first version loads, or when there is none, the fallback answers.
base::Status Server::Impl::answer_when_cold(Endpoint& endpoint, const EndpointConfig& config,
                                            const EntryPtr& old) {
  TRY(fallback_bundle(config.fallback));
  if (old) return {};
  std::shared_ptr<Entry> cold;
  if (ArmPtr arm = fallback_of(endpoint, config)) {
    cold = std::make_shared<Entry>();
    cold->config = config;
    cold->arms.push_back(std::move(arm));
    cold->shares = {{1}};
  }
  const std::lock_guard lock(mutex);
  endpoint.cold = std::move(cold);
  if (!endpoint.removed) publish();
  return {};
}

// Makes `config` the endpoint's route. Whatever fails leaves the route that serves; the reason is kept.
base::Status Server::Impl::apply(const std::shared_ptr<Endpoint>& endpoint,
                                 const EndpointConfig& config, bool only_when_moved) {
  const std::lock_guard work(endpoint->work);
  EntryPtr old;
  {
    const std::lock_guard lock(mutex);
    if (endpoint->removed) return {};
    old = endpoint->entry;
    if (!old) endpoint->config = config;
  }
  TRY_ASSIGN(endpoint->log_rule, LogRule::parse(config.log));
  TRY_ASSIGN(endpoint->execution, parse_execution(config.execution));
  TRY_ASSIGN(endpoint->bounds, Bounds::parse(config.bounds));
  TRY(answer_when_cold(*endpoint, config, old));
  auto built = build(*endpoint, config, old);
  std::vector<std::shared_ptr<const LoadedVersion>>
      dropped;  // models are freed after the lock is released
  const std::lock_guard lock(mutex);
  if (endpoint->removed) return {};
  if (!built) {
    endpoint->lookup = old ? old->lookup : nullptr;
    endpoint->reason = built.error().text();
    if (old) {
      base::log_error("route kept", {{"endpoint", config.name}, {"reason", endpoint->reason}});
      return tl::unexpected<base::Error>(std::move(built.error()));
    }
    const auto spec = parse_route(config.route);
    const bool empty = built.error().code == Code::kNotFound && spec && spec->by_default;
    endpoint->state = empty ? "empty" : "failed";
    if (empty) return {};
    return tl::unexpected<base::Error>(std::move(built.error()));
  }
  endpoint->reason.clear();
  endpoint->state = "ready";
  if (only_when_moved && old && same_versions(*old, **built)) return {};
  std::vector<std::shared_ptr<const LoadedVersion>> left;
  if (old && old->config.model == config.model) {
    for (const ArmPtr& arm : old->arms) {
      const auto stays = [&](const ArmPtr& other) { return other->loaded == arm->loaded; };
      if (std::none_of((*built)->arms.begin(), (*built)->arms.end(), stays))
        left.push_back(arm->loaded);
    }
  }
  if (!left.empty()) endpoint->previous.swap(left);
  dropped.swap(left);
  auto entry = std::make_shared<Entry>(**built);
  entry->extra = extras(*endpoint, config);
  endpoint->config = config;
  endpoint->entry = std::move(entry);
  endpoint->cold.reset();
  publish();
  return {};
}

// A caller named a version outside the route, or a model that has no endpoint.
base::Status Server::Impl::load_on_demand(const std::string& name, int version) {
  std::shared_ptr<Endpoint> endpoint = find(name);
  if (!endpoint) {
    TRY_ASSIGN(const auto models, options.source->models());
    const bool known = std::any_of(models.begin(), models.end(),
                                   [&](const auto& model) { return model.first == name; });
    const std::lock_guard lock(mutex);
    if (!known) {
      if (unknown.size() >= kUnknownNames) unknown.clear();
      unknown[name] = options.clock->monotonic_ns();
      std::vector<std::string> names = near_names();
      for (const auto& [model, versions] : models) names.push_back(model);
      return base::fail(Code::kNotFound, "no endpoint or model has the name: " + name,
                        base::did_you_mean(name, names));
    }
    auto& slot = endpoints[name];
    if (!slot) {
      slot = std::make_shared<Endpoint>();
      slot->implicit = true;
      slot->config.name = slot->config.model = name;
    }
    endpoint = slot;
  }
  EntryPtr entry;
  EndpointConfig config;
  {
    const std::lock_guard lock(mutex);
    entry = endpoint->entry;
    config = endpoint->config;
  }
  if (!entry) {
    TRY(apply(endpoint, config, true));
    const std::lock_guard lock(mutex);
    if (!endpoint->entry) return base::fail(Code::kNotFound, endpoint->reason);
  }
  return version == 0 ? base::Status() : add_on_demand(endpoint, version);
}

base::Status Server::Impl::add_on_demand(const std::shared_ptr<Endpoint>& endpoint, int version) {
  const std::lock_guard work(endpoint->work);
  std::string model;
  {
    const std::lock_guard lock(mutex);
    const auto has = [&](const ArmPtr& arm) { return arm->loaded->version == version; };
    const EntryPtr& entry = endpoint->entry;
    if (endpoint->removed || !entry)
      return base::fail(Code::kNotFound, "endpoint was removed: " + endpoint->config.name);
    if (std::any_of(entry->arms.begin(), entry->arms.end(), has) ||
        std::any_of(entry->extra.begin(), entry->extra.end(), has))
      return {};
    model = endpoint->config.model;
    const auto failed = records.find({model, version});
    if (failed != records.end() && failed->second.state == VersionState::kFailed &&
        options.clock->monotonic_ns() - failed->second.failed_ns < kFailedLoadRestMs * 1'000'000) {
      return tl::unexpected<base::Error>(failed->second.error);
    }
  }
  TRY_ASSIGN(auto ready, acquire(model, version, {}));
  std::shared_ptr<const LoadedVersion> dropped;
  const std::lock_guard lock(mutex);
  if (endpoint->removed) return {};
  endpoint->on_demand.push_front(std::move(ready));
  if (endpoint->on_demand.size() > kOnDemandVersions) {
    dropped = std::move(endpoint->on_demand.back());
    endpoint->on_demand.pop_back();
  }
  auto entry = std::make_shared<Entry>(*endpoint->entry);
  entry->extra = extras(*endpoint, endpoint->config);
  endpoint->entry = std::move(entry);
  publish();
  return {};
}

base::Status Server::put_endpoint(const EndpointConfig& config) {
  if (config.name.empty() || config.model.empty())
    return base::fail(Code::kInvalidArgument, "endpoint needs a name and a model");
  TRY(parse_route(config.route));
  TRY(LogRule::parse(config.log));
  TRY(parse_execution(config.execution));
  TRY(Bounds::parse(config.bounds));
  TRY(fallback_bundle(config.fallback));
  if (!config.features.is_null()) TRY(LookupSpec::parse(config.features));
  Impl& impl = *impl_;
  std::shared_ptr<Endpoint> endpoint;
  {
    const std::lock_guard lock(impl.mutex);
    auto& slot = impl.endpoints[config.name];
    if (!slot) {
      slot = std::make_shared<Endpoint>();
      slot->config = config;
    }
    slot->implicit = false;
    endpoint = slot;
    impl.unknown.erase(config.name);
    impl.unloaded.erase(config.name);
  }
  return impl.on_loader([&impl, endpoint, config] { return impl.apply(endpoint, config, false); },
                        -1);
}

// With `mutex` held. What the caller then destroys, without the lock, frees the models.
std::shared_ptr<Endpoint> Server::Impl::take_out(
    std::map<std::string, std::shared_ptr<Endpoint>, std::less<>>::iterator at) {
  auto gone = std::make_shared<Endpoint>();
  at->second->removed = true;
  gone->entry.swap(at->second->entry);
  gone->cold.swap(at->second->cold);
  gone->previous.swap(at->second->previous);
  gone->on_demand.swap(at->second->on_demand);
  endpoints.erase(at);
  publish();
  return gone;
}

base::Status Server::remove_endpoint(const std::string& name) {
  Impl& impl = *impl_;
  std::shared_ptr<Endpoint> gone;  // outlives the lock
  {
    const std::lock_guard lock(impl.mutex);
    const auto found = impl.endpoints.find(name);
    if (found == impl.endpoints.end() || found->second->implicit) {
      return base::fail(Code::kNotFound, "no endpoint has the name: " + name,
                        base::did_you_mean(name, impl.near_names()));
    }
    gone = impl.take_out(found);
  }
  if (!impl.book) return {};
  return impl.book->erase(name);
}

base::Status Server::load(const std::string& model) {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.unloaded.erase(model);
  }
  return impl.on_loader(
      [&impl, model]() -> base::Status {
        TRY(impl.load_on_demand(model, 0));
        if (const auto endpoint = impl.find(model)) {
          const std::lock_guard lock(impl.mutex);
          endpoint->pinned = true;
        }
        return {};
      },
      -1);
}

base::Status Server::unload(const std::string& model) {
  Impl& impl = *impl_;
  TRY_ASSIGN(const auto models, impl.options.source->models());
  const bool known = std::any_of(models.begin(), models.end(),
                                 [&](const auto& each) { return each.first == model; });
  std::shared_ptr<Endpoint> gone;  // outlives the lock
  const std::lock_guard lock(impl.mutex);
  const auto found = impl.endpoints.find(model);
  if (found == impl.endpoints.end() && !known)
    return base::fail(Code::kNotFound, "no endpoint or model has the name: " + model,
                      base::did_you_mean(model, impl.near_names()));
  if (found != impl.endpoints.end() && !found->second->implicit)
    return base::fail(Code::kFailedPrecondition, "an endpoint is in production: " + model,
                      "delete the endpoint, or change its route");
  if (found != impl.endpoints.end()) gone = impl.take_out(found);
  impl.unloaded.insert(model);
  return {};
}

base::Status Server::refresh(const std::string& model) {
  Impl& impl = *impl_;
  std::vector<std::shared_ptr<Endpoint>> concerned;
  {
    const std::lock_guard lock(impl.mutex);
    impl.unknown.erase(model);
    for (const auto& [name, endpoint] : impl.endpoints) {
      if (endpoint->config.model == model) concerned.push_back(endpoint);
    }
  }
  if (concerned.empty()) return {};
  return impl.on_loader(
      [&impl, concerned] {
        base::Status first;
        for (const auto& endpoint : concerned) {
          EndpointConfig config;
          {
            const std::lock_guard lock(impl.mutex);
            config = endpoint->config;
          }
          base::Status applied = impl.apply(endpoint, config, true);
          if (!applied && first) first = std::move(applied);
        }
        return first;
      },
      -1);
}

}  // namespace maru::serve
