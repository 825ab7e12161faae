#include <algorithm>
#include <cmath>

#include "fallback.h"
#include "impl.h"
#include "maru/base/check.h"
#include "maru/base/id.h"
#include "maru/base/log.h"
#include "maru/base/text.h"
#include "prediction_id.h"
#include "request.h"

namespace maru::serve {
namespace {

using base::Code;

constexpr std::size_t kScratchRows = 4096;  // a thread gives back larger batches after the call

// What a thread reuses from call to call.
struct Scratch {
  model::InputBatch batch;
  bool busy = false;
};

// The thread's scratch, or a fresh one for a call made from inside another (a sink that predicts).
class ScratchUse {
 public:
  ScratchUse() {
    thread_local Scratch mine;
    scratch_ = &mine;
    if (mine.busy) {
      spare_ = std::make_unique<Scratch>();
      scratch_ = spare_.get();
    }
    scratch_->busy = true;
  }
  ~ScratchUse() {
    if (scratch_->batch.rows > kScratchRows) *scratch_ = Scratch();
    scratch_->busy = false;
  }
  ScratchUse(const ScratchUse&) = delete;
  ScratchUse& operator=(const ScratchUse&) = delete;
  Scratch* operator->() { return scratch_; }

 private:
  Scratch* scratch_ = nullptr;
  std::unique_ptr<Scratch> spare_;
};

std::string_view header_of(const CallOptions& call, const std::string& name) {
  return call.header == nullptr || name.empty() ? std::string_view()
                                                : call.header(call.request, name);
}

struct Choice {
  std::size_t arm = 0, segment = 0;
};

// Which arm of several answers: a rule's, else by the sticky key, else by the id.
Choice choose_arm(const Entry& entry, const CallOptions& call, std::string_view id) {
  Choice out;
  const RouteSpec& route = entry.route;
  if (route.stopped) return out;
  if (!route.segment_values.empty()) {
    const auto at = std::find(route.segment_values.begin(), route.segment_values.end(),
                              header_of(call, route.segment_header));
    if (at != route.segment_values.end())
      out.segment = static_cast<std::size_t>(at - route.segment_values.begin()) + 1;
  }
  for (const HeaderRule& rule : route.rules) {
    if (header_of(call, rule.header) != rule.value) continue;
    out.arm = rule.arm;
    return out;
  }
  const std::string_view key =
      call.sticky_key.empty() ? header_of(call, route.sticky_header) : call.sticky_key;
  out.arm = pick_arm(entry.shares[std::min(out.segment, entry.shares.size() - 1)], entry.identities,
                     key, key.empty() ? chance_of(id) : 0);
  if (entry.guard && out.arm + 1 == entry.arms.size() &&
      entry.guard->off.load(std::memory_order_relaxed))
    out.arm = 0;
  return out;
}

const ArmPtr* arm_with(const Entry& entry, int version) {
  for (const auto* list : {&entry.arms, &entry.extra}) {
    for (const ArmPtr& arm : *list) {
      if (arm->loaded->version == version) return &arm;
    }
  }
  if (entry.shadow && entry.shadow->loaded->version == version) return &entry.shadow;
  return nullptr;
}

bool answers_differ(const model::Signature& a_signature, const model::Predictions& a,
                    const model::Signature& b_signature, const model::Predictions& b) {
  if (a.rows != b.rows || a_signature.task != b_signature.task ||
      a_signature.classes != b_signature.classes)
    return true;
  for (std::size_t row = 0; row < a.rows; ++row) {
    if (a_signature.task != model::Task::kRegression) {
      if (model::predicted_class(a_signature, a, row) !=
          model::predicted_class(b_signature, b, row))
        return true;
    } else if (!same_score(a.score(row), b.score(row))) {
      return true;
    }
  }
  return false;
}

// What the shadow said beside what was answered: the probability of the answered class, or the value.
void note_shadow(const ServedArm& shadow, const model::Signature& from,
                 const model::Predictions& answer, const model::Predictions& told,
                 const std::string& id) {
  const model::Signature& to = shadow.loaded->bundle->signature();
  if (answer.rows != told.rows || answer.width != told.width || from.task != to.task ||
      from.classes != to.classes)
    return;
  std::vector<ShadowRow> rows(std::min(answer.rows, kShadowKept));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const bool classes = from.task != model::Task::kRegression;
    const std::size_t chosen = classes ? model::predicted_class(from, answer, row) : 0;
    const std::size_t k = answer.width > 1 ? chosen : 0;
    rows[row] = {row == 0 ? id : id + "-" + std::to_string(row), answer.score(row, k),
                 told.score(row, k), !classes || chosen == model::predicted_class(to, told, row)};
  }
  std::erase_if(rows,
                [](const ShadowRow& row) { return !std::isfinite(row.shadow - row.answered); });
  shadow.endpoint_stats->shadow_book.add(shadow.loaded->version, std::move(rows));
}

// The same rows for another version: columns go by name, what it needs and the batch lacks is missing.
base::Result<model::InputBatch> rows_for(const model::Signature& to, const model::Signature& from,
                                         const model::InputBatch& batch) {
  model::InputBatch out;
  out.reset(to, batch.rows);
  for (std::size_t i = 0; i < to.inputs.size(); ++i) {
    const int at = from.index_of(to.inputs[i].name);
    if (at < 0) continue;
    if (!model::interchangeable(from.inputs[static_cast<std::size_t>(at)].kind, to.inputs[i].kind))
      return base::fail(Code::kFailedPrecondition,
                        "shadow version wants another type of input: " + to.inputs[i].name);
    out.columns[i] = batch.columns[static_cast<std::size_t>(at)];
  }
  return out;
}

tl::unexpected<base::Error> refuse_rows(const model::Bundle& bundle) {
  model::Predictions none;
  return tl::unexpected<base::Error>(bundle.evaluator().predict({}, none).error());
}

Pace pace_of(const ServedArm& arm) {
  const model::TensorModel* tensors = arm.loaded->bundle->tensors();
  if (tensors == nullptr) return Pace::kAtOnce;
  return tensors->waits() ? Pace::kWaits : Pace::kComputes;
}

}  // namespace

Server::Impl::Impl(Options given)
    : options(std::move(given)), table(std::make_unique<const Table>()) {
  MARU_CHECK(options.source != nullptr && options.clock != nullptr);
  if (options.db == nullptr) return;
  auto opened = RewardBook::open(*options.db);
  if (opened)
    book = std::move(*opened);
  else
    base::log_error("rewards cannot be kept", {{"error", opened.error().text()}});
}

Server::Impl::~Impl() { waiters.wait(); }

void Server::Impl::Waiters::begin() {
  const std::lock_guard lock(mutex);
  ++running;
}
void Server::Impl::Waiters::end() {
  const std::lock_guard lock(mutex);
  if (--running == 0) idle.notify_all();
}
void Server::Impl::Waiters::wait() {
  std::unique_lock lock(mutex);
  idle.wait(lock, [this] { return running == 0; });
}

std::string Server::Impl::next_id(Picked& picked) const {
  return picked.id.empty() ? base::new_id(*options.clock) : std::move(picked.id);
}

base::Result<Picked> Server::Impl::pick(std::string_view name, const CallOptions& call) {
  Picked picked;
  table.read([&](const Table& routes) {
    const auto found = routes.entries.find(name);
    if (found == routes.entries.end()) return;
    const Entry& entry = *found->second;
    if (call.version != 0) {
      if (const ArmPtr* arm = arm_with(entry, call.version)) picked.arm = *arm;
      return;
    }
    Choice choice;
    if (entry.arms.size() > 1) {
      picked.id = base::new_id(*options.clock);
      choice = choose_arm(entry, call, picked.id);
      tag_id(picked.id, entry.arms[choice.arm]->loaded->version, choice.segment);
      if (choice.arm != 0) picked.stable = entry.arms.front();
    }
    picked.arm = entry.arms[choice.arm];
    if (entry.shadow) picked.shadow = entry.shadow;
    if (entry.fallback) picked.fallback = entry.fallback;
  });
  if (picked.arm) return picked;
  return pick_slowly(name, call);
}

// The name is not in the table, or does not have that version: load it, or say why not.
base::Result<Picked> Server::Impl::pick_slowly(std::string_view name, const CallOptions& call) {
  const std::string text(name);
  if (call.version < 0)
    return base::fail(Code::kInvalidArgument,
                      "version is not a number from 1 up: " + std::to_string(call.version));
  {
    const std::lock_guard lock(mutex);
    const auto found = endpoints.find(name);
    if (found != endpoints.end() && call.version == 0 && !found->second->entry) {
      const Endpoint& endpoint = *found->second;
      if (!endpoint.implicit || endpoint.state == "loading") {
        return base::fail(Code::kUnavailable,
                          "endpoint " + text + " is " + endpoint.state +
                              (endpoint.reason.empty() ? "" : ": " + endpoint.reason),
                          endpoint.state == "empty"
                              ? "register a version of " + endpoint.config.model + " first"
                              : "try again in a moment");
      }
    }
    if (unloaded.count(name) != 0)
      return base::fail(Code::kUnavailable, "model was unloaded: " + text,
                        "POST /v2/repository/models/" + text + "/load");
    if (found == endpoints.end()) {
      const auto asked = unknown.find(name);
      if (asked != unknown.end() &&
          options.clock->monotonic_ns() - asked->second < kFailedLoadRestMs * 1'000'000) {
        return base::fail(Code::kNotFound, "no endpoint or model has the name: " + text,
                          base::did_you_mean(text, near_names()));
      }
    }
  }
  TRY(on_loader([this, text, version = call.version] { return load_on_demand(text, version); },
                kOnDemandWaitMs));
  Picked picked;
  table.read([&](const Table& routes) {
    const auto found = routes.entries.find(name);
    if (found == routes.entries.end()) return;
    const ArmPtr* arm =
        call.version != 0 ? arm_with(*found->second, call.version) : &found->second->arms.front();
    if (arm != nullptr) picked.arm = *arm;
  });
  if (!picked.arm)
    return base::fail(Code::kUnavailable, "version was unloaded while it was asked for: " + text,
                      "try again");
  return picked;
}

void Server::Impl::finish(const ServedArm& arm, const Timing& timing, std::size_t shard) {
  arm.endpoint_stats->record(*arm.stats, timing, shard);
  CanaryGuard* guard = arm.guard.get();
  if (guard == nullptr) return;
  const std::uint64_t requests = guard->requests.fetch_add(1, std::memory_order_relaxed) + 1;
  if (timing.outcome != Timing::Outcome::kModelError) return;
  const std::uint64_t errors = guard->errors.fetch_add(1, std::memory_order_relaxed) + 1;
  if (requests >= kCanaryMinRequests &&
      static_cast<double>(errors) > guard->max_error_rate * static_cast<double>(requests))
    guard->off.store(true, std::memory_order_relaxed);
}

// A bounded queue on the loader's threads; what does not fit is counted.
void Server::Impl::queue_shadow(EndpointStats& stats, std::function<void()> job) {
  const std::size_t shard = thread_number() % kShards;
  if (options.loader == nullptr) return stats.shadow_shed.add(shard, 1);
  if (shadows_waiting.fetch_add(1, std::memory_order_relaxed) < kShadowQueueLimit) {
    waiters.begin();
    if (options.loader->submit([this, job = std::move(job)] {
          job();
          shadows_waiting.fetch_sub(1, std::memory_order_relaxed);
          waiters.end();
        }))
      return;
    waiters.end();
  }
  shadows_waiting.fetch_sub(1, std::memory_order_relaxed);
  stats.shadow_shed.add(shard, 1);
}

void Server::Impl::mirror(const Picked& picked, const model::InputBatch& batch,
                          const model::Predictions& answer, const std::string& id,
                          const std::string& principal) {
  queue_shadow(*picked.shadow->endpoint_stats, [this, picked, batch, answer, id, principal] {
    run_shadow(picked, batch, answer, id, principal);
  });
}

void Server::Impl::run_shadow(const Picked& picked, const model::InputBatch& batch,
                              const model::Predictions& answer, const std::string& id,
                              const std::string& principal) {
  const ServedArm& arm = *picked.shadow;
  const model::Bundle& shadow = *arm.loaded->bundle;
  const model::Signature& from = picked.arm->loaded->bundle->signature();
  const std::int64_t start_ns = options.clock->monotonic_ns();
  model::Predictions outputs;
  base::Status ran;
  const auto rows = rows_for(shadow.signature(), from, batch);
  if (rows)
    ran = shadow.evaluator().predict(*rows, outputs);
  else
    ran = tl::unexpected<base::Error>(rows.error());
  Timing timing;
  timing.time_us = options.clock->now_us();
  timing.set(0, 0, options.clock->monotonic_ns() - start_ns);
  note_mirrored(*arm.endpoint_stats, ran.has_value(),
                ran.has_value() && !answers_differ(from, answer, shadow.signature(), outputs));
  if (ran) note_shadow(arm, from, answer, outputs, id);
  if (options.sink == nullptr) return;
  PredictionRecord record;
  record.id = id;
  record.principal = principal;
  record.shadow = true;
  if (ran) {
    record.inputs = &*rows;
    record.outputs = &outputs;
  } else {
    record.error = ran.error().text();
  }
  lend(*options.sink, arm, timing, std::move(record));
}

Server::Server(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;

Pace Server::pace(std::string_view name, int version) const {
  Pace out = Pace::kLoads;
  impl_->table.read([&](const Table& routes) {
    const auto found = routes.entries.find(name);
    if (found == routes.entries.end()) return;
    const Entry& entry = *found->second;
    if (version != 0) {
      if (const ArmPtr* named = arm_with(entry, version)) out = pace_of(**named);
      return;
    }
    out = Pace::kAtOnce;
    for (const ArmPtr& arm : entry.arms) out = std::max(out, pace_of(*arm));
  });
  return out;
}

base::Result<Answer> Server::choose(std::string_view name, const CallOptions& options) const {
  TRY_ASSIGN(Picked picked, impl_->pick(name, options));
  Answer answer;
  answer.version = picked.arm->loaded->version;
  if (answer.version == kFallbackVersion && !options.fallback)
    return base::fail(
        Code::kUnavailable,
        "endpoint has no model that serves; its fallback answers: " + std::string(name));
  const model::Bundle* bundle = picked.arm->loaded->bundle.get();
  answer.bundle = std::shared_ptr<const model::Bundle>(std::move(picked.arm), bundle);
  return answer;
}

base::Result<Answer> Server::Impl::run_rows(Picked& picked, const CallOptions& call,
                                            std::int64_t start_ns, const Fill& fill,
                                            model::Predictions& out) {
  base::Clock& clock = *options.clock;
  const ServedArm& arm = *picked.arm;
  const model::Bundle& bundle = *arm.loaded->bundle;
  const std::size_t shard = thread_number() % kShards;
  const CpuMeter cpu(call);
  ScratchUse scratch;

  if (bundle.tensors() != nullptr) return refuse_rows(bundle);
  const LookupView* const features = arm.features.get();
  base::Status done =
      fill(features == nullptr ? bundle.signature() : features->signature(), scratch->batch);
  const std::int64_t parsed_ns = clock.monotonic_ns();
  std::int64_t filled_ns = parsed_ns;
  Timing timing;
  if (done && features != nullptr) {
    done = features->complete(scratch->batch, clock.now_us(), shard);
    filled_ns = clock.monotonic_ns();
    timing.features_ns = filled_ns - parsed_ns;
    picked.failed = !done && done.error().code == Code::kUnavailable;  // a fallback may answer
  }
  std::int64_t end_ns = filled_ns;
  if (!done) {
    timing.outcome = Timing::Outcome::kInputError;
  } else if (scratch->batch.rows == 0) {
    out = model::Predictions();
    out.task = bundle.signature().task;
    if (out.task == model::Task::kMulticlass) out.width = bundle.signature().classes.size();
  } else {
    timing.rows = scratch->batch.rows;
    done = bundle.evaluator().predict(scratch->batch, out);
    picked.failed = !done;
    if (!done) timing.outcome = Timing::Outcome::kModelError;
    end_ns = clock.monotonic_ns();
  }
  if (call.rows != nullptr) *call.rows = scratch->batch;
  Answer answer;
  answer.id = next_id(picked);
  answer.version = arm.loaded->version;
  answer.model_ns = end_ns - filled_ns;
  std::int64_t post_ns = 0;
  if (done && call.write != nullptr) {
    answer.bundle = std::shared_ptr<const model::Bundle>(picked.arm, &bundle);
    (*call.write)(answer, out);
    post_ns = clock.monotonic_ns() - end_ns;
  }
  timing.time_us = clock.now_us();
  timing.set(call.parse_ns + parsed_ns - start_ns, queued_ns(call, start_ns), answer.model_ns,
             post_ns);
  timing.cpu_ns = cpu.spent_ns();
  tell_times(timing, call.times);
  finish(arm, timing, shard);

  if (done && picked.shadow && picked.shadow != picked.arm && timing.rows > 0)
    mirror(picked, scratch->batch, out, answer.id, call.principal);
  if (options.sink != nullptr && call.log && (timing.rows > 0 || !done) &&
      logged(arm, call, answer.id, timing, shard)) {
    PredictionRecord record = record_of(answer.id, call, done);
    if (done) {
      record.inputs = &scratch->batch;
      record.outputs = &out;
    }
    lend(*options.sink, arm, timing, std::move(record));
  }
  if (!done) return tl::unexpected<base::Error>(std::move(done.error()));
  answer.bundle = std::shared_ptr<const model::Bundle>(std::move(picked.arm), &bundle);
  return answer;
}

base::Result<Answer> Server::Impl::run_picked(Picked& picked, const CallOptions& call,
                                              std::int64_t start_ns, const Fill& fill,
                                              model::Predictions& out) {
  auto answer = run_rows(picked, call, start_ns, fill, out);
  if (answer || !picked.failed) return answer;
  if (picked.stable) {
    Picked stable{picked.stable, nullptr, base::new_id(*options.clock), nullptr, nullptr};
    tag_id(stable.id, stable.arm->loaded->version, 0);
    answer = run_rows(stable, call, start_ns, fill, out);
    if (answer || !stable.failed) return answer;
  }
  if (!picked.fallback) return answer;
  Picked constant{picked.fallback, nullptr, {}, nullptr, nullptr};
  return run_rows(constant, call, start_ns, fill, out);
}

base::Result<Answer> Server::predict(std::string_view name, const CallOptions& options,
                                     const Fill& fill, model::Predictions& out) const {
  const std::int64_t start_ns = impl_->options.clock->monotonic_ns();
  auto picked = impl_->pick(name, options);
  if (!picked) return tl::unexpected<base::Error>(std::move(picked.error()));
  return impl_->run_picked(*picked, options, start_ns, fill, out);
}

}  // namespace maru::serve
