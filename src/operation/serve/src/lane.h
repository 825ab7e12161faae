#pragma once
#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "execution.h"
#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/pool.h"
#include "maru/model/tensor.h"
#include "response_cache.h"
#include "telemetry.h"

namespace maru::serve {

// A call of a model of tensors, from its arrival in the lane to its answer.
struct LaneCall {
  std::vector<model::TensorValue> tensors;
  std::vector<std::string> wanted;  // outputs; all when empty
  base::Json params;                // of the model's own; null: none
  int priority = 0;                 // 1 before 2 before 3; 0 is 2
  std::int64_t deadline_ns = 0;     // on the lane's clock; 0: the execution's timeout, or none
  base::CancelToken cancel;
  std::string principal;
  std::shared_ptr<const void> keep;  // what must live until the call is done: the version

  struct Result {
    base::Status status;
    std::vector<model::TensorValue> outputs;
    std::int64_t queue_ns = 0, model_ns = 0;
    std::int64_t cpu_ns =
        -1;  // of the thread, a call's share of its batch; -1: another process did the work
    bool ran = false;  // the model was asked: a failure is its own, or the input's
  };
  std::function<void(Result&&)> done;  // called once, without a lock held

  // Of the lane.
  std::uint64_t bytes = 0;
  std::int64_t rows = 0;  // 0: cannot run together with others
  std::int64_t came_ns = 0;
  std::string content;  // of the response cache; "": not looked up
  bool answered = false,
       finished = false;  // guarded by the lane: nobody else answers it; done() has returned
};
using LaneCallPtr = std::shared_ptr<LaneCall>;

struct LaneCounts {
  std::uint64_t waiting = 0, running = 0, waiting_bytes = 0;  // now; `running`: batches
};

// The calls of one version of one endpoint that wait for their turn: bounded by count, by bytes, by the time they would wait, and by their own deadlines; the
// most urgent first; calls that fit together run as one batch where the execution says so. Runs on `pool`: at most `at_once` batches at a time, so that a slow
// model holds up no other, and those who wait help. Thread safe. Lives as long as a call is in it.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  // `model` must outlive every call (LaneCall::keep). As many batches at a time as the model says, else as there are cores. pool null: push() runs the call
  // on its own thread.
  Lane(const model::TensorModel& model, base::Pool* pool, std::size_t cores, base::Clock& clock,
       const Execution& execution, std::shared_ptr<LaneTotals> totals);

  // Takes the call; `done` is called later, or at once for what the cache answers. kUnavailable for a full lane, kResourceExhausted for a caller with too many
  // calls in it, kDeadlineExceeded when what waits already takes too long: then `done` is not called.
  base::Status push(const LaneCallPtr& call);
  // push(), and returns once the call is done; this thread runs calls meanwhile, its own among them.
  base::Status push_and_wait(const LaneCallPtr& call);
  // Answers the calls whose deadline has passed or whose caller has gone. To be called every second or so.
  void sweep();
  void set_execution(const Execution& execution);
  LaneCounts counts() const;
  const LaneTotals& totals() const { return *totals_; }

 private:
  static constexpr std::size_t kLevels = 3;
  using Lock = std::unique_lock<std::mutex>;
  using Batch = std::vector<LaneCallPtr>;

  base::Status enter(const LaneCallPtr& call);
  base::Status admit(LaneCall& call);  // with mutex_ held, as all that take a Lock
  base::Status refuse_late(LaneCall& call, std::size_t level);
  bool answered_before(const LaneCallPtr& call);
  bool may_run() const { return waiting_ > 0 && running_ < at_once_; }
  bool arrange();          // whether a thread is coming for what waits
  void drive(Lock& lock);  // runs a batch, and more when no other thread is coming
  Batch take(Lock& lock, Batch& gone);
  void gather(Batch& batch, std::size_t level);
  LaneCallPtr remove(std::size_t level, std::size_t at);
  void run(const Batch& batch, std::int64_t began_ns);
  bool run_together(const Batch& batch, std::int64_t began_ns);
  void run_alone(const LaneCallPtr& call, std::int64_t began_ns);
  void learn(std::int64_t model_ns, std::size_t calls);
  void finish(const LaneCallPtr& call, LaneCall::Result&& result);
  void drop(const Batch& gone);
  bool is_over(const LaneCall& call, std::int64_t now_ns) const;

  const model::TensorModel& model_;
  base::Pool* const pool_;
  base::Clock& clock_;
  const std::size_t at_once_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a call came, or one was answered
  Execution execution_;
  std::array<std::deque<LaneCallPtr>, kLevels> levels_;
  std::vector<LaneCallPtr> under_way_;
  std::map<std::string, std::size_t, std::less<>> by_principal_;
  std::size_t waiting_ = 0;  // calls
  std::size_t running_ = 0;  // batches
  std::size_t hints_ = 0;    // threads of the pool that are to come
  std::uint64_t waiting_bytes_ = 0;
  double call_ns_ = 0;     // a call's share of its batch: a moving mean
  const bool rows_first_;  // every input and output of the model has any number of rows
  bool together_ = true;   // until outputs of a batch had other rows than its inputs
  std::unique_ptr<ResponseCache> cache_;
  const std::shared_ptr<LaneTotals> totals_;
};

}  // namespace maru::serve
