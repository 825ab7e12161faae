// Rewards, canaries and bandits: what changes shares while a route stays as it was written.
#include <algorithm>
#include <cmath>

#include "impl.h"
#include "maru/base/log.h"
#include "prediction_id.h"

namespace maru::serve {
namespace {

using base::Code;

// The version that an id's tag stands for, out of those that the endpoint serves or served lately.
int version_of_tag(const Entry& entry, const IdTag& tag) {
  for (const auto* arms : {&entry.arms, &entry.extra}) {
    for (const ArmPtr& arm : *arms)
      if (arm->loaded->version % kTagVersions == tag.version_low) return arm->loaded->version;
  }
  return 0;
}

base::Result<RewardRow> reward_row(const Entry& entry, const RewardItem& item) {
  const auto tag = read_tag(item.id);
  const int version = tag ? version_of_tag(entry, *tag) : 0;
  if (version == 0 || tag->segment > entry.route.segment_values.size())
    return base::fail(Code::kNotFound,
                      "no prediction of this route has the id: " + item.id.substr(0, 100),
                      "send the `id` that the answer had, while its version is an arm");
  const bool binary = entry.route.reward == RewardKind::kBinary;
  if (!std::isfinite(item.value) || (binary && item.value != 0 && item.value != 1))
    return base::fail(Code::kInvalidArgument, std::string("reward of ") + item.id + " is not " +
                                                  (binary ? "0 or 1: " : "a number: ") +
                                                  base::format_double(item.value));
  return RewardRow{item.id, version, tag->segment, item.value, tag->time_us};
}

}  // namespace

// Puts the shares that the experiment asks for in force for every later request.
base::Status Server::Impl::share_again(const std::string& name,
                                       const std::shared_ptr<Experiment>& experiment) {
  EntryPtr published;
  {
    const std::lock_guard lock(mutex);
    const auto found = endpoints.find(name);
    if (found == endpoints.end() || !found->second->entry ||
        found->second->entry->experiment != experiment)
      return {};
    auto entry = std::make_shared<Entry>(*found->second->entry);
    entry->shares = experiment->shares();
    if (entry->shares == found->second->entry->shares) return {};
    published = found->second->entry = std::move(entry);
    publish();
  }
  return note_shares(*published);
}

base::Status Server::Impl::step(const std::string& name, const EntryPtr& entry) {
  TRY_ASSIGN(const Experiment::Move moved, entry->experiment->move());
  if (entry->route.kind == RouteSpec::Kind::kBandit || moved.changed)
    TRY(share_again(name, entry->experiment));
  if (!moved.changed) return {};
  RouteDecision decision;
  decision.config = entry->config;
  decision.version = entry->arms.back()->loaded->version;
  decision.share = moved.share;
  decision.reason = moved.state.reason;
  if (moved.state.phase == CanaryPhase::kDone) decision.kind = RouteDecision::Kind::kPromote;
  if (moved.state.phase == CanaryPhase::kRolledBack) decision.kind = RouteDecision::Kind::kRollBack;
  decision.move_alias =
      decision.kind == RouteDecision::Kind::kPromote && entry->route.canary.promote;
  base::log_info("canary moved", {{"endpoint", name},
                                  {"version", std::to_string(decision.version)},
                                  {"share", base::format_double(decision.share)},
                                  {"reason", decision.reason}});
  if (options.on_decision) options.on_decision(decision);
  return {};
}

void Server::tick() {
  impl_->sweep_lanes();
  impl_->check_lookups();
  std::vector<std::pair<std::string, EntryPtr>> learning;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, endpoint] : impl_->endpoints)
      if (endpoint->entry && endpoint->entry->experiment)
        learning.emplace_back(name, endpoint->entry);
  }
  for (const auto& [name, entry] : learning) {
    if (auto stepped = impl_->step(name, entry); !stepped)
      base::log_error("route could not move on",
                      {{"endpoint", name}, {"error", stepped.error().text()}});
  }
}

base::Result<std::uint64_t> Server::reward(const std::string& name,
                                           const std::vector<RewardItem>& items) {
  TRY(status(name));
  EntryPtr entry;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->endpoints.find(name);
    if (found != impl_->endpoints.end()) entry = found->second->entry;
  }
  if (!entry || !entry->experiment || entry->route.reward == RewardKind::kNone)
    return base::fail(Code::kFailedPrecondition, "endpoint takes no rewards: " + name,
                      R"(give its route several arms and "reward": "binary" or "continuous")");
  std::vector<RewardRow> rows;
  for (const RewardItem& item : items) {
    TRY_ASSIGN(RewardRow row, reward_row(*entry, item));
    rows.push_back(std::move(row));
  }
  std::uint64_t fresh = 0;
  TRY_ASSIGN(const bool look, entry->experiment->reward(rows, fresh));
  if (look) TRY(impl_->share_again(name, entry->experiment));
  return fresh;
}

base::Status Server::forget_experiment(const std::string& name) {
  if (impl_->book) TRY(impl_->book->forget(name));
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->endpoints.find(name);
  if (found == impl_->endpoints.end() || !found->second->entry) return {};
  // Not published: what is in force stays until the next put.
  auto entry = std::make_shared<Entry>(*found->second->entry);
  entry->experiment.reset();
  found->second->entry = std::move(entry);
  return {};
}

base::Result<Assignment> Server::assignment(const std::string& name, const std::string& id) const {
  TRY(status(name));
  const auto tag = read_tag(id);
  if (!tag)
    return base::fail(Code::kInvalidArgument, "not the id of a prediction: " + id.substr(0, 100));
  if (!impl_->book)
    return base::fail(Code::kFailedPrecondition, "this server keeps no history of its routes");
  Assignment out;
  out.time_us = tag->time_us;
  TRY_ASSIGN(out.shares, impl_->book->shares_at(name, tag->time_us + 999));
  std::vector<int> versions;
  for (const base::Json& version : out.shares["versions"].items()) {
    versions.push_back(static_cast<int>(version.as_int()));
    if (versions.back() % kTagVersions == tag->version_low) out.version = versions.back();
  }
  if (out.version == 0 || tag->segment >= out.shares["segments"].size())
    return base::fail(Code::kNotFound, "no prediction of this route has the id: " + id);
  out.segment = out.shares["segments"].at(tag->segment).as_string();
  const base::Json& table = out.shares["shares"];
  std::vector<double> weights;
  for (const base::Json& share : table.at(std::min(tag->segment, table.size() - 1)).items())
    weights.push_back(share.as_double());
  const std::vector<std::uint64_t> identities(weights.size(), 0);  // only keyed calls use them
  out.version_without_key = versions[pick_arm(weights, identities, "", chance_of(id))];
  return out;
}

}  // namespace maru::serve
