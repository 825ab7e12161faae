#include "lane.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "maru/base/log.h"
#include "maru/base/stage_times.h"
#include "tensor_rows.h"

namespace maru::serve {
namespace {

using base::Code;

constexpr double kMeanWeight = 0.1;  // of the newest batch in the mean time of a call
constexpr double kLargestStep =
    8;  // of one batch against that mean: one that hung says little of the next
constexpr std::size_t kLookAhead = 1024;  // calls that are looked at for a batch

std::size_t level_of(int priority) {
  if (priority == 1) return 0;
  return priority <= 2 ? 1 : 2;
}

bool any_rows(const std::vector<model::TensorSpec>& specs) {
  return std::all_of(specs.begin(), specs.end(), [](const model::TensorSpec& spec) {
    return !spec.shape.empty() && spec.shape.front() < 0;
  });
}

LaneCall::Result late(std::int64_t queue_ns) {
  LaneCall::Result out;
  out.queue_ns = queue_ns;
  out.status =
      base::fail(Code::kDeadlineExceeded, "the call's deadline passed before the model answered",
                 "try again in a moment, or allow more time");
  return out;
}

std::string ms_text(double ns) {
  return std::to_string(static_cast<std::int64_t>(ns / 1e6)) + " ms";
}

}  // namespace

Lane::Lane(const model::TensorModel& model, base::Pool* pool, std::size_t cores, base::Clock& clock,
           const Execution& execution, std::shared_ptr<LaneTotals> totals)
    : model_(model),
      pool_(pool),
      clock_(clock),
      at_once_(model.at_once() > 0 ? model.at_once() : std::max<std::size_t>(1, cores)),
      rows_first_(any_rows(model.inputs()) && any_rows(model.outputs())),
      totals_(std::move(totals)) {
  set_execution(execution);
}

void Lane::set_execution(const Execution& execution) {
  const Lock lock(mutex_);
  const bool same_cache = cache_ && execution.cache_bytes == execution_.cache_bytes &&
                          execution.cache_ms == execution_.cache_ms;
  execution_ = execution;
  if (same_cache) return;
  cache_.reset();
  if (execution.cache_bytes > 0)
    cache_ = std::make_unique<ResponseCache>(execution.cache_bytes, execution.cache_ms * 1'000'000);
}

LaneCounts Lane::counts() const {
  const Lock lock(mutex_);
  LaneCounts out;
  out.waiting = waiting_;
  out.waiting_bytes = waiting_bytes_;
  out.running = running_;
  return out;
}

base::Status Lane::push(const LaneCallPtr& call) {
  if (answered_before(call)) return {};
  if (pool_ == nullptr) return push_and_wait(call);
  TRY(enter(call));
  changed_.notify_all();
  return {};
}

base::Status Lane::push_and_wait(const LaneCallPtr& call) {
  if (call->came_ns == 0 && answered_before(call)) return {};
  TRY(enter(call));
  changed_.notify_all();
  Lock lock(mutex_);
  while (!call->finished) {
    if (may_run())
      drive(lock);
    else
      changed_.wait(lock);
  }
  return {};
}

// Notes when the call came and what it holds, and answers it when it was answered before.
bool Lane::answered_before(const LaneCallPtr& call) {
  call->came_ns = clock_.monotonic_ns();
  call->bytes = bytes_of(call->tensors);
  {
    const Lock lock(mutex_);
    if (execution_.batch_rows > 1 && rows_first_ && together_) call->rows = rows_of(call->tensors);
    if (!cache_) return false;
  }
  call->content = content_of(call->tensors, call->wanted, call->params);
  LaneCall::Result result;
  {
    const Lock lock(mutex_);
    const auto* kept = cache_ ? cache_->find(call->content, call->came_ns) : nullptr;
    if (kept == nullptr) {
      ++totals_->cache_misses;
      return false;
    }
    ++totals_->cache_hits;
    result.outputs = *kept;
  }
  call->content.clear();
  result.ran = true;
  finish(call, std::move(result));
  return true;
}

base::Status Lane::enter(const LaneCallPtr& call) {
  const Lock lock(mutex_);
  TRY(admit(*call));
  const std::size_t level = level_of(call->priority);
  levels_[level].push_back(call);
  ++waiting_;
  waiting_bytes_ += call->bytes;
  ++by_principal_[call->principal];
  if (pool_ == nullptr || arrange()) return {};
  remove(level, levels_[level].size() - 1);
  ++totals_->full;
  return base::fail(Code::kUnavailable, "the threads that run models have too much to do",
                    "try again in a moment");
}

base::Status Lane::admit(LaneCall& call) {
  if (execution_.timeout_ms > 0 && call.deadline_ns == 0)
    call.deadline_ns = call.came_ns + execution_.timeout_ms * 1'000'000;
  const bool too_many_bytes = waiting_ > 0 && waiting_bytes_ + call.bytes > execution_.queue_bytes;
  if (waiting_ >= execution_.queue_calls || too_many_bytes) {
    ++totals_->full;
    return base::fail(Code::kUnavailable,
                      "the queue of the model is full: " + std::to_string(waiting_) + " calls of " +
                          std::to_string(waiting_bytes_) + " bytes wait",
                      "try again in a moment");
  }
  if (execution_.caller_calls > 0) {
    const auto mine = by_principal_.find(call.principal);
    if (mine != by_principal_.end() && mine->second >= execution_.caller_calls) {
      ++totals_->quota;
      return base::fail(
          Code::kResourceExhausted,
          "this caller has too many calls waiting already: " + std::to_string(mine->second),
          "wait for an answer before the next call");
    }
  }
  return refuse_late(call, level_of(call.priority));
}

// What cannot be answered in time is refused when it comes: the work would be for nobody.
base::Status Lane::refuse_late(LaneCall& call, std::size_t level) {
  double ahead = static_cast<double>(under_way_.size());
  if (waiting_ == 0 && running_ < at_once_) ahead = 0;
  for (std::size_t i = 0; i <= level; ++i) ahead += static_cast<double>(levels_[i].size());
  const double wait_ns = ahead * call_ns_ / static_cast<double>(at_once_);
  if (wait_ns > static_cast<double>(execution_.wait_ms) * 1e6) {
    ++totals_->full;
    return base::fail(Code::kUnavailable,
                      "the calls that wait already take about " + ms_text(wait_ns),
                      "try again in a moment");
  }
  if (call.deadline_ns == 0) return {};
  if (static_cast<double>(call.came_ns) + wait_ns + call_ns_ <=
      static_cast<double>(call.deadline_ns))
    return {};
  ++totals_->late;
  return base::fail(Code::kDeadlineExceeded,
                    "the call cannot be answered by its deadline: about " +
                        ms_text(wait_ns + call_ns_) + " of work are before it",
                    "try again in a moment, or allow more time");
}

bool Lane::arrange() {
  while (hints_ < waiting_ && hints_ + running_ < at_once_) {
    const base::Status queued = pool_->submit([self = shared_from_this()] {
      Lock lock(self->mutex_);
      --self->hints_;
      if (self->may_run()) self->drive(lock);
    });
    if (!queued) break;
    ++hints_;
  }
  return hints_ > 0 || running_ > 0 || waiting_ == 0;
}

void Lane::drive(Lock& lock) {
  do {
    ++running_;
    Batch gone;
    const Batch batch = take(lock, gone);
    under_way_.insert(under_way_.end(), batch.begin(), batch.end());
    lock.unlock();
    drop(gone);
    if (!batch.empty()) run(batch, clock_.monotonic_ns());
    lock.lock();
    for (const LaneCallPtr& call : batch)
      under_way_.erase(std::find(under_way_.begin(), under_way_.end(), call));
    --running_;
    changed_.notify_all();
  } while (may_run() && (pool_ == nullptr || !arrange()));
}

bool Lane::is_over(const LaneCall& call, std::int64_t now_ns) const {
  return call.cancel.cancelled() || (call.deadline_ns != 0 && now_ns >= call.deadline_ns);
}

LaneCallPtr Lane::remove(std::size_t level, std::size_t at) {
  auto& calls = levels_[level];
  const auto place = calls.begin() + static_cast<std::ptrdiff_t>(at);
  LaneCallPtr out = std::move(*place);
  calls.erase(place);
  --waiting_;
  waiting_bytes_ -= out->bytes;
  const auto mine = by_principal_.find(out->principal);
  if (--mine->second == 0) by_principal_.erase(mine);
  return out;
}

// The most urgent call and those that fit to it. Calls that nobody waits for any more go to `gone`.
Lane::Batch Lane::take(Lock& lock, Batch& gone) {
  Batch out;
  const std::int64_t now_ns = clock_.monotonic_ns();
  std::size_t level = 0;
  while (out.empty() && waiting_ > 0) {
    while (levels_[level].empty()) ++level;
    LaneCallPtr call = remove(level, 0);
    auto& list = is_over(*call, now_ns) ? gone : out;
    list.push_back(std::move(call));
  }
  if (out.empty() || out.front()->rows == 0) return out;
  gather(out, level);
  const std::int64_t until_ns = out.front()->came_ns + execution_.batch_delay_us * 1000;
  std::int64_t rows = 0;
  for (const LaneCallPtr& call : out) rows += call->rows;
  while (rows < execution_.batch_rows && clock_.monotonic_ns() < until_ns) {
    changed_.wait_for(lock, std::chrono::nanoseconds(until_ns - clock_.monotonic_ns()));
    gather(out, 0);
    rows = 0;
    for (const LaneCallPtr& call : out) rows += call->rows;
  }
  return out;
}

void Lane::gather(Batch& batch, std::size_t level) {
  std::int64_t rows = 0;
  for (const LaneCallPtr& call : batch) rows += call->rows;
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (; level < kLevels; ++level) {
    for (std::size_t at = 0; at < std::min(levels_[level].size(), kLookAhead);) {
      const LaneCall& call = *levels_[level][at];
      const bool fits = call.rows > 0 && rows + call.rows <= execution_.batch_rows &&
                        !is_over(call, now_ns) && call.wanted == batch.front()->wanted &&
                        call.params == batch.front()->params &&
                        same_but_rows(call.tensors, batch.front()->tensors);
      if (!fits) {
        ++at;
        continue;
      }
      rows += call.rows;
      batch.push_back(remove(level, at));
    }
  }
}

void Lane::run(const Batch& batch, std::int64_t began_ns) {
  if (batch.size() > 1 && run_together(batch, began_ns)) return;
  for (const LaneCallPtr& call : batch) run_alone(call, began_ns);
}

// One call of the model for all. Not when it fails (the fault may be one row's) or when its outputs are not by row: then each runs alone.
bool Lane::run_together(const Batch& batch, std::int64_t began_ns) {
  std::vector<const std::vector<model::TensorValue>*> parts;
  std::vector<std::int64_t> rows;
  for (const LaneCallPtr& call : batch) {
    parts.push_back(&call->tensors);
    rows.push_back(call->rows);
  }
  std::vector<model::TensorValue> outputs;
  const std::int64_t cpu_start_ns = base::thread_cpu_ns();
  if (!model_.run_with(join_rows(parts), batch.front()->wanted, batch.front()->params, outputs))
    return false;
  const std::int64_t model_ns = clock_.monotonic_ns() - began_ns;
  const std::int64_t cpu_ns =
      (base::thread_cpu_ns() - cpu_start_ns) / static_cast<std::int64_t>(batch.size());
  auto shares = split_rows(outputs, rows);
  if (shares.empty()) {
    base::log_error("calls of a model do not run together any more",
                    {{"reason", "its outputs have not a row for each row of its inputs"}});
    const Lock lock(mutex_);
    together_ = false;
    return false;
  }
  learn(model_ns, batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    LaneCall::Result result;
    result.outputs = std::move(shares[i]);
    result.queue_ns = began_ns - batch[i]->came_ns;
    result.model_ns = model_ns;
    if (!model_.waits()) result.cpu_ns = cpu_ns;
    result.ran = true;
    finish(batch[i], std::move(result));
  }
  return true;
}

void Lane::run_alone(const LaneCallPtr& call, std::int64_t began_ns) {
  LaneCall::Result result;
  const std::int64_t start_ns = clock_.monotonic_ns(), cpu_start_ns = base::thread_cpu_ns();
  result.status = model_.run_with(call->tensors, call->wanted, call->params, result.outputs);
  result.model_ns = clock_.monotonic_ns() - start_ns;
  if (!model_.waits()) result.cpu_ns = base::thread_cpu_ns() - cpu_start_ns;
  result.queue_ns = began_ns - call->came_ns;
  result.ran = true;
  learn(result.model_ns, 1);
  finish(call, std::move(result));
}

void Lane::learn(std::int64_t model_ns, std::size_t calls) {
  const Lock lock(mutex_);
  double each = static_cast<double>(model_ns) / static_cast<double>(calls);
  if (call_ns_ > 0) each = std::min(each, kLargestStep * call_ns_);
  call_ns_ = call_ns_ == 0 ? each : call_ns_ + kMeanWeight * (each - call_ns_);
  ++totals_->batches;
  totals_->calls += calls;
}

void Lane::finish(const LaneCallPtr& call, LaneCall::Result&& result) {
  {
    const Lock lock(mutex_);
    const std::int64_t now_ns = clock_.monotonic_ns();
    if (cache_ && !call->content.empty() && result.ran && result.status)
      cache_->keep(call->content, result.outputs, now_ns);
    if (call->answered) return;
    call->answered = true;
    if (result.ran && call->deadline_ns != 0 && now_ns >= call->deadline_ns) {
      ++totals_->late;
      result = late(result.queue_ns);
    }
  }
  std::exchange(call->done, nullptr)(std::move(result));
  const Lock lock(mutex_);
  call->finished = true;
  changed_.notify_all();
}

void Lane::drop(const Batch& gone) {
  for (const LaneCallPtr& call : gone) {
    const bool left = call->cancel.cancelled();
    {
      const Lock lock(mutex_);
      ++(left ? totals_->cancelled : totals_->late);
    }
    LaneCall::Result result = late(clock_.monotonic_ns() - call->came_ns);
    if (left) result.status = base::fail(Code::kCancelled, "the caller has gone");
    finish(call, std::move(result));
  }
}

void Lane::sweep() {
  Batch gone;
  {
    const Lock lock(mutex_);
    const std::int64_t now_ns = clock_.monotonic_ns();
    for (std::size_t level = 0; level < kLevels; ++level) {
      for (std::size_t at = 0; at < levels_[level].size();) {
        if (is_over(*levels_[level][at], now_ns))
          gone.push_back(remove(level, at));
        else
          ++at;
      }
    }
    for (const LaneCallPtr& call : under_way_) {
      if (!call->answered && is_over(*call, now_ns)) gone.push_back(call);
    }
  }
  drop(gone);
}

}  // namespace maru::serve
