#include <algorithm>
#include <optional>
#include <set>

#include "impl.h"
#include "maru/base/log.h"
#include "warm_up.h"

// How a version comes into memory, on a loader thread: read, tried on its sample rows, measured, and given room under the cap.
namespace maru::serve {
namespace {

using base::Code;

constexpr std::size_t kFailedRecords = 64;  // failed versions that are remembered

}  // namespace

base::Result<std::shared_ptr<const LoadedVersion>> Server::Impl::load(const std::string& model,
                                                                      int version,
                                                                      const Purpose& purpose) {
  TRY_ASSIGN(const std::string folder, options.source->folder(model, version));
  TRY_ASSIGN(auto bundle, options.load(folder));
  {
    const std::lock_guard lock(mutex);
    records[{model, version}].state = VersionState::kWarming;
  }
  auto p99_ns = warm_up(*bundle, *options.clock, options.rehearsal, purpose);
  if (!p99_ns) return base::wrap(std::move(p99_ns.error()), "warm-up on the sample rows failed");
  auto loaded = std::make_shared<LoadedVersion>();
  loaded->p99_ns = *p99_ns;
  loaded->model = model;
  loaded->version = version;
  loaded->bundle = std::move(bundle);
  return loaded;
}

// The version, loaded once however many ask at the same time.
base::Result<std::shared_ptr<const LoadedVersion>> Server::Impl::acquire(const std::string& model,
                                                                         int version,
                                                                         const Purpose& purpose) {
  const std::pair<std::string, int> key{model, version};
  {
    std::unique_lock lock(mutex);
    record_changed.wait(lock, [&] {
      const auto found = records.find(key);
      return found == records.end() || (found->second.state != VersionState::kLoading &&
                                        found->second.state != VersionState::kWarming);
    });
    VersionRecord& record = records[key];
    if (auto alive = record.loaded.lock()) return alive;
    record = VersionRecord();
  }
  const std::int64_t start_ns = options.clock->monotonic_ns();
  auto result = load(model, version, purpose);
  if (result) {
    if (auto fits = make_room(**result); !fits)
      result = tl::unexpected<base::Error>(std::move(fits.error()));
  }
  const std::lock_guard lock(mutex);
  VersionRecord& record = records[key];
  if (result) {
    const model::Bundle& bundle = *(*result)->bundle;
    record.state = VersionState::kReady;
    record.engine = std::string(bundle.evaluator().engine());
    record.memory_bytes = bundle.memory_bytes();
    record.load_seconds = static_cast<double>(options.clock->monotonic_ns() - start_ns) * 1e-9;
    record.loaded = *result;
  } else {
    record.state = VersionState::kFailed;
    record.error =
        base::Error(base::wrap(std::move(result.error()), "version could not be loaded: " + model +
                                                              "/" + std::to_string(version))
                        .value());
    record.failed_ns = options.clock->monotonic_ns();
    result = tl::unexpected<base::Error>(record.error);
    std::size_t failed = 0;
    for (auto at = records.begin(); at != records.end();) {
      const bool old = at->second.state == VersionState::kFailed && at->first != key &&
                       ++failed > kFailedRecords;
      at = old ? records.erase(at) : std::next(at);
    }
  }
  record_changed.notify_all();
  return result;
}

// What may go: loaded because a caller named it and not pinned by load(), or kept for a roll-back.
struct Server::Impl::Spare {
  std::shared_ptr<Endpoint> endpoint;
  std::shared_ptr<const LoadedVersion>
      version;               // of an endpoint in production; null: a model on its own, whole
  std::int64_t last_us = 0;  // when it was last asked
};

// With `mutex` held: the bytes of every version that a table or a roll-back slot holds.
std::uint64_t Server::Impl::held_bytes() const {
  std::set<const LoadedVersion*> held;
  for (const auto& [name, endpoint] : endpoints) {
    if (!endpoint->entry) continue;
    for (const auto* arms : {&endpoint->entry->arms, &endpoint->entry->extra})
      for (const ArmPtr& arm : *arms) held.insert(arm->loaded.get());
    if (endpoint->entry->shadow) held.insert(endpoint->entry->shadow->loaded.get());
  }
  std::uint64_t out = 0;
  for (const LoadedVersion* version : held) out += version->bundle->memory_bytes();
  return out;
}

// With `mutex` held.
std::optional<Server::Impl::Spare> Server::Impl::longest_unused() const {
  std::optional<Spare> out;
  const auto offer = [&](const std::shared_ptr<Endpoint>& endpoint,
                         std::shared_ptr<const LoadedVersion> version, std::int64_t last_us) {
    if (!out || last_us < out->last_us) out = Spare{endpoint, std::move(version), last_us};
  };
  for (const auto& [name, endpoint] : endpoints) {
    if (!endpoint->entry) continue;
    for (const auto& version : endpoint->on_demand)
      offer(endpoint, version,
            endpoint->stats->version(version->model, version->version)->last_us.load());
    if (!endpoint->implicit || endpoint->pinned) continue;
    std::int64_t last_us = 0;
    for (const auto& stats : endpoint->stats->versions())
      last_us = std::max(last_us, stats->last_us.load());
    offer(endpoint, nullptr, last_us);
  }
  return out;
}

// With `mutex` held: a version that waits for a roll-back, which then loads it again.
std::optional<Server::Impl::Spare> Server::Impl::kept_for_roll_back() const {
  for (const auto& [name, endpoint] : endpoints) {
    if (endpoint->entry && !endpoint->previous.empty())
      return Spare{endpoint, endpoint->previous.back(), 0};
  }
  return {};
}

// Frees what was loaded for callers only, the longest unused first, then what waits for a roll-back, until the newcomer fits under the cap.
base::Status Server::Impl::make_room(const LoadedVersion& newcomer) {
  if (options.memory_bytes == 0) return {};
  const std::uint64_t needed = newcomer.bundle->memory_bytes();
  for (;;) {
    std::shared_ptr<Endpoint> gone;  // outlives the lock
    std::shared_ptr<const LoadedVersion> version;
    const std::lock_guard lock(mutex);
    const std::uint64_t held = held_bytes();
    if (held + needed <= options.memory_bytes) return {};
    auto spare = longest_unused();
    if (!spare) spare = kept_for_roll_back();
    if (!spare)
      return base::fail(Code::kUnavailable,
                        "the model needs " + std::to_string(needed) +
                            " bytes, those in production hold " + std::to_string(held) +
                            " of the " + std::to_string(options.memory_bytes) +
                            " that serve.memory allows",
                        "set serve.memory higher, or take an endpoint or a pinned model away");
    base::log_info("a model leaves the memory",
                   {{"name", spare->endpoint->config.name}, {"for", newcomer.model}});
    if (!spare->version) {
      gone = take_out(endpoints.find(spare->endpoint->config.name));
      continue;
    }
    Endpoint& endpoint = *spare->endpoint;
    version = spare->version;
    std::erase(endpoint.on_demand, version);
    std::erase(endpoint.previous, version);
    auto entry = std::make_shared<Entry>(*endpoint.entry);
    std::erase_if(entry->extra, [&](const ArmPtr& arm) { return arm->loaded == version; });
    endpoint.entry = std::move(entry);
    publish();
  }
}

}  // namespace maru::serve
