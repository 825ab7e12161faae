#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/pool.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/store/database.h"

namespace maru::pipeline {

inline constexpr std::size_t kMaxTasks = 10'000;

// One node of a DAG template. `inputs` of a task are the outputs of its dependencies plus `params`.
struct TaskSpec {
  std::string name;  // unique in the pipeline, [a-z0-9_-]+
  std::string kind;  // which executor function runs it, e.g. "maru/train"
  base::Json params = base::Json::object();
  std::vector<std::string> after;  // names of tasks whose outputs it reads
  int max_attempts = 1;
  std::int64_t timeout_ms = 0;  // 0: none
  bool cache = true;            // reuse the outputs of a succeeded task with the same key
};

struct PipelineSpec {
  std::string name;
  std::vector<TaskSpec> tasks;
  base::Json to_json() const;
  static base::Result<PipelineSpec> from_json(const base::Json& json);
  base::Status validate()
      const;  // unknown dependency, cycle (names it), duplicate or bad names, too many tasks
};

enum class State : std::uint8_t {
  kPending,
  kQueued,
  kRunning,
  kSucceeded,
  kFailed,
  kSkipped,
  kCancelled
};
std::string_view state_name(State state);  // "pending", "running", ...
bool is_final(State state);

struct TaskRun {
  std::string name, kind;
  State state = State::kPending;
  int attempts = 0;
  bool cached = false;
  std::string cache_key;
  std::int64_t queued_us = 0, started_us = 0, finished_us = 0;
  base::Json params = base::Json::object(), outputs = base::Json::object();
  std::vector<std::string> after;
  std::string error, hint;
  std::string error_code;  // base::code_name
  std::string progress_stage, progress_detail;
  double progress = -1;
};

struct Run {
  std::string id, project, pipeline,
      trigger;  // trigger: "cli", "api", "schedule", "monitor:<endpoint>:<why>", "demo"
  State state = State::kPending;
  std::int64_t created_us = 0, started_us = 0, finished_us = 0;
  PipelineSpec spec;
  base::Json parameters = base::Json::object();
  std::vector<TaskRun> tasks;  // in the order of the spec
  std::string error;           // of the first failed task
};

// What a running attempt may use. Valid during the call.
struct Attempt {
  std::string run_id, project, task, kind;
  int number = 1;
  std::uint64_t epoch = 0;  // fencing token: an older epoch cannot commit
  std::string work_folder;  // private scratch, removed afterwards
  base::Json params;        // the task's
  base::Json run_parameters;
  base::Json inputs;                          // {dependency: outputs}
  base::ProgressSink progress;                // shown on the page and kept with the task
  std::function<void(std::string_view)> log;  // one line into the attempt's log
  base::Context* context = nullptr;           // deadline and cancel
};

// Runs attempts. Implementations live in `executor`. start() must not block; `done` is called exactly once, from any thread, even inside start().
class Executor {
 public:
  virtual ~Executor() = default;
  virtual bool knows(std::string_view kind) const = 0;
  virtual void start(std::shared_ptr<Attempt> attempt,
                     std::function<void(base::Result<base::Json>)> done) = 0;
  // Text that changes when the code behind `kind` changes; part of the cache key.
  virtual std::string version_of(std::string_view kind) const = 0;
};

struct SchedulerOptions {
  std::string work_folder;  // attempts get <work_folder>/<run>/<task>/<n>
  std::size_t parallel_tasks = 2;
  std::int64_t idle_wait_ms = 200;  // how late a time-out or a retry may be noticed
  // Called after every durable state change, from the scheduler's threads; must not block.
  std::function<void(const Run&)> on_change;
};

// Persists runs and walks their DAGs. Execution is at least once, commit exactly once: outputs become visible in the transaction that marks the
// task succeeded, guarded by (attempt, epoch). After a crash resume() re-queues what was running; finished tasks are not repeated. A task's cache key
// is the hash of kind, version, params and the cache keys/outputs of its dependencies. Thread safe.
class Scheduler {
 public:
  static base::Result<std::unique_ptr<Scheduler>> open(store::Database& db, Executor& executor,
                                                       base::Clock& clock,
                                                       SchedulerOptions options);
  virtual ~Scheduler() =
      default;  // stops cleanly: running attempts are cancelled and stay resumable

  virtual base::Result<std::string> submit(const std::string& project, const PipelineSpec& spec,
                                           const base::Json& parameters,
                                           const std::string& trigger) = 0;
  // The same, with `also` in the transaction that makes the run: either both happen or neither.
  virtual base::Result<std::string> submit_with(const std::string& project,
                                                const PipelineSpec& spec,
                                                const base::Json& parameters,
                                                const std::string& trigger,
                                                const store::Database::Write& also) = 0;
  virtual base::Status resume() = 0;  // once after open
  virtual base::Result<Run> get(const std::string& run_id) = 0;
  virtual base::Result<std::vector<Run>> list(
      const std::string& project, const std::string& pipeline, std::size_t limit,
      std::size_t offset) = 0;  // newest first; tasks without params
  virtual base::Result<Run> wait(const std::string& run_id,
                                 base::Context& context) = 0;  // returns when final
  virtual base::Status cancel(const std::string& run_id) = 0;
  virtual base::Status retry(
      const std::string&
          run_id) = 0;  // failed tasks and what depends on them; finished ones are kept
  virtual base::Result<std::string> logs(const std::string& run_id, const std::string& task,
                                         std::uint64_t from_byte) = 0;
  virtual void stop() = 0;
};

// Five-field cron (minute hour day-of-month month day-of-week, lists, ranges, steps, names, @daily...), UTC unless a zone is given.
class Cron {
 public:
  static base::Result<Cron> parse(std::string_view text);
  std::int64_t next_after_us(
      std::int64_t time_us) const;  // strictly later; -1 when none within 8 years

 private:
  std::uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
  bool day_star_ = true, weekday_star_ = true;
};

struct Schedule {
  std::string project, name, cron;
  PipelineSpec spec;
  base::Json parameters = base::Json::object();
  bool enabled = true;
  std::int64_t last_tick_us = 0, next_tick_us = 0;
};
// Fires schedules: no tick is missed (one catch-up run after downtime) and none doubled (the tick is recorded in the transaction that submits the run).
class Scheduling {
 public:
  static base::Result<std::unique_ptr<Scheduling>> open(store::Database& db, Scheduler& scheduler,
                                                        base::Clock& clock);
  virtual ~Scheduling() = default;
  virtual base::Status put(const Schedule& schedule) = 0;
  virtual base::Status remove(const std::string& project, const std::string& name) = 0;
  virtual base::Result<std::vector<Schedule>> list(const std::string& project) = 0;
  virtual base::Result<int>
  tick() = 0;  // fires what is due now; returns how many. The app calls it once a second.
};

}  // namespace maru::pipeline
