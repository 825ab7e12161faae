#include <algorithm>
#include <cmath>
#include <future>

#include "impl.h"
#include "maru/base/id.h"
#include "prediction_id.h"
#include "request.h"

namespace maru::serve {
namespace {

using base::Code;
using model::TensorValue;

bool same_numbers(const TensorValue& a, const TensorValue& b) {
  if (a.bytes == b.bytes) return true;
  const std::size_t count = a.elements();
  for (std::size_t i = 0; i < count; ++i) {
    const double x = model::element_as_double(a, i), y = model::element_as_double(b, i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x != y && !same_score(x, y)) return false;
  }
  return true;
}

bool same_outputs(const std::vector<TensorValue>& a, const std::vector<TensorValue>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const TensorValue& x, const TensorValue& y) {
        if (x.name != y.name || x.shape != y.shape || x.texts != y.texts) return false;
        const bool texts = x.type == model::Datatype::kBytes || y.type == model::Datatype::kBytes;
        return texts ? x.type == y.type : same_numbers(x, y);
      });
}

}  // namespace

// A call of a model of tensors from its arrival to its answer.
struct Server::Impl::TensorRequest {
  Picked picked;
  CallOptions options;
  std::int64_t start_ns = 0;
  std::int64_t waited_ns = 0;  // before the arm that answers, when another failed first
  LaneCallPtr call = std::make_shared<LaneCall>();
  InferDone done;
};

std::shared_ptr<Lane> Server::Impl::lane_of(Endpoint& endpoint, const LoadedVersion& version,
                                            std::shared_ptr<LaneTotals> totals) const {
  const model::TensorModel* tensors = version.bundle->tensors();
  if (tensors == nullptr) return nullptr;
  std::erase_if(endpoint.lanes, [](const auto& lane) { return lane.second.expired(); });
  auto& slot = endpoint.lanes[&version];
  if (auto lane = slot.lock()) {
    lane->set_execution(endpoint.execution);
    return lane;
  }
  base::Pool* pool = tensors->waits() ? options.waiting : options.compute;
  auto lane = std::make_shared<Lane>(*tensors, pool, options.cores, *options.clock,
                                     endpoint.execution, std::move(totals));
  slot = lane;
  return lane;
}

void Server::Impl::sweep_lanes() {
  std::vector<std::shared_ptr<Lane>> lanes;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [name, endpoint] : endpoints) {
      if (!endpoint->entry) continue;
      for (const auto* arms : {&endpoint->entry->arms, &endpoint->entry->extra})
        for (const ArmPtr& arm : *arms)
          if (arm->lane) lanes.push_back(arm->lane);
    }
  }
  for (const auto& lane : lanes) lane->sweep();
}

void Server::Impl::enqueue(const TensorRequestPtr& request, bool wait) {
  LaneCall& call = *request->call;
  call.keep = request->picked.arm;
  call.done = [this, request](LaneCall::Result&& result) {
    answered(request, std::move(result));
    waiters.end();
  };
  waiters.begin();
  const std::shared_ptr<Lane> lane = request->picked.arm->lane;
  const base::Status taken = wait ? lane->push_and_wait(request->call) : lane->push(request->call);
  if (taken) return;
  call.done = nullptr;
  waiters.end();
  request->done(tl::unexpected<base::Error>(taken.error()), {});
}

void Server::Impl::answered(const TensorRequestPtr& request, LaneCall::Result&& result) {
  Picked& picked = request->picked;
  const CallOptions& options_of = request->options;
  const ServedArm& arm = *picked.arm;
  if (!result.ran) return request->done(tl::unexpected<base::Error>(result.status.error()), {});
  const std::size_t shard = thread_number() % kShards;
  Timing timing;
  timing.time_us = options.clock->now_us();
  timing.rows = 1;
  timing.set(options_of.parse_ns,
             queued_ns(options_of, request->start_ns) + request->waited_ns + result.queue_ns,
             result.model_ns);
  timing.cpu_ns = result.cpu_ns;
  if (!result.status)
    timing.outcome = result.status.error().code == Code::kInvalidArgument
                         ? Timing::Outcome::kInputError
                         : Timing::Outcome::kModelError;
  tell_times(timing, options_of.times);
  finish(arm, timing, shard);
  if (timing.outcome == Timing::Outcome::kModelError && picked.stable && picked.stable->lane)
    return ask_stable(*request, request->waited_ns + result.queue_ns + result.model_ns);
  if (!result.status) return request->done(tl::unexpected<base::Error>(result.status.error()), {});
  Answer answer;
  answer.id = next_id(picked);
  answer.version = arm.loaded->version;
  answer.model_ns = timing.model_ns;
  if (picked.shadow && picked.shadow != picked.arm)
    mirror_tensors(*request, result.outputs, answer.id);
  if (options.sink != nullptr && options_of.log &&
      logged(arm, options_of, answer.id, timing, shard)) {
    PredictionRecord record = record_of(answer.id, options_of, {});
    record.tensors = &request->call->tensors;
    record.answer = &result.outputs;
    lend(*options.sink, arm, timing, std::move(record));
  }
  answer.bundle = std::shared_ptr<const model::Bundle>(picked.arm, arm.loaded->bundle.get());
  request->done(std::move(answer), std::move(result.outputs));
}

// The same call, answered by the arm that the failed one stands beside.
void Server::Impl::ask_stable(TensorRequest& failed, std::int64_t waited_ns) {
  Picked stable{failed.picked.stable, nullptr, base::new_id(*options.clock), nullptr, nullptr};
  tag_id(stable.id, stable.arm->loaded->version, 0);
  const auto again =
      tensor_request(std::move(stable), failed.options, failed.start_ns,
                     std::move(failed.call->tensors), std::move(failed.call->wanted));
  again->call->deadline_ns = failed.call->deadline_ns;
  again->waited_ns = waited_ns;
  again->done = std::move(failed.done);
  enqueue(again, true);  // helps: no thread of a pool waits for another
}

// The shadow's model sees the same tensors, later and for nobody.
void Server::Impl::mirror_tensors(const TensorRequest& request,
                                  const std::vector<TensorValue>& outputs, const std::string& id) {
  const ArmPtr shadow = request.picked.shadow;
  if (!shadow->lane) return;
  queue_shadow(*shadow->endpoint_stats, [this, shadow, outputs, id, call = request.call,
                                         principal = request.options.principal] {
    std::vector<TensorValue> answer;
    const std::int64_t start_ns = options.clock->monotonic_ns();
    const base::Status ran = shadow->loaded->bundle->tensors()->run_with(
        call->tensors, call->wanted, call->params, answer);
    Timing timing;
    timing.time_us = options.clock->now_us();
    timing.set(0, 0, options.clock->monotonic_ns() - start_ns);
    note_mirrored(*shadow->endpoint_stats, ran.has_value(),
                  ran.has_value() && same_outputs(outputs, answer));
    if (options.sink == nullptr) return;
    PredictionRecord record;
    record.id = id;
    record.principal = principal;
    record.shadow = true;
    record.tensors = &call->tensors;
    record.answer = &answer;
    if (!ran) record.error = ran.error().text();
    lend(*options.sink, *shadow, timing, std::move(record));
  });
}

// Of an arm that has no lane: now, on this thread.
base::Result<Answer> Server::Impl::infer_columns(Picked& picked, const CallOptions& call,
                                                 std::int64_t start_ns,
                                                 const std::vector<TensorValue>& tensors,
                                                 const std::vector<std::string>& wanted,
                                                 std::vector<TensorValue>& out) {
  thread_local model::Predictions predictions;
  const auto fill = [&](const model::Signature& signature, model::InputBatch& batch) {
    return model::fill_from_tensors(signature, tensors, batch);
  };
  base::Status selected;
  const WriteAnswer write = [&](const Answer& given, const model::Predictions& numbers) {
    out = model::answer_tensors(given.bundle->signature(), numbers);
    selected = model::select_outputs(wanted, out);
  };
  CallOptions with = call;
  with.write = &write;
  TRY_ASSIGN(Answer answer, run_picked(picked, with, start_ns, fill, predictions));
  TRY(selected);
  return answer;
}

void Server::infer_later(std::string_view name, const CallOptions& options,
                         std::vector<TensorValue> tensors, std::vector<std::string> wanted,
                         InferDone done) const {
  const std::int64_t start_ns = impl_->options.clock->monotonic_ns();
  auto found = impl_->pick(name, options);
  if (!found) return done(tl::unexpected<base::Error>(std::move(found.error())), {});
  if (!found->arm->lane) {
    std::vector<TensorValue> out;
    auto answer = impl_->infer_columns(*found, options, start_ns, tensors, wanted, out);
    return done(std::move(answer), std::move(out));
  }
  const auto request = impl_->tensor_request(std::move(*found), options, start_ns,
                                             std::move(tensors), std::move(wanted));
  request->done = std::move(done);
  impl_->enqueue(request, false);
}

Server::Impl::TensorRequestPtr Server::Impl::tensor_request(Picked&& picked,
                                                            const CallOptions& call,
                                                            std::int64_t start_ns,
                                                            std::vector<TensorValue>&& tensors,
                                                            std::vector<std::string>&& wanted) {
  auto out = std::make_shared<TensorRequest>();
  out->picked = std::move(picked);
  out->options = call;
  out->start_ns = start_ns;
  LaneCall& lane_call = *out->call;
  lane_call.tensors = std::move(tensors);
  lane_call.wanted = std::move(wanted);
  if (call.params != nullptr) lane_call.params = *call.params;
  lane_call.priority = call.priority;
  lane_call.deadline_ns = call.deadline_ns;
  if (call.cancel != nullptr) lane_call.cancel = *call.cancel;
  lane_call.principal = call.principal;
  return out;
}

base::Result<Answer> Server::infer(std::string_view name, const CallOptions& options,
                                   std::vector<TensorValue> tensors,
                                   std::vector<std::string> wanted,
                                   std::vector<TensorValue>& out) const {
  const std::int64_t start_ns = impl_->options.clock->monotonic_ns();
  auto found = impl_->pick(name, options);
  if (!found) return tl::unexpected<base::Error>(std::move(found.error()));
  if (!found->arm->lane)
    return impl_->infer_columns(*found, options, start_ns, tensors, wanted, out);
  const auto request = impl_->tensor_request(std::move(*found), options, start_ns,
                                             std::move(tensors), std::move(wanted));
  std::promise<base::Result<Answer>> given;
  auto answer = given.get_future();
  request->done = [&](base::Result<Answer> told, std::vector<TensorValue>&& outputs) {
    out = std::move(outputs);
    given.set_value(std::move(told));
  };
  impl_->enqueue(request, true);
  return answer.get();
}

}  // namespace maru::serve
