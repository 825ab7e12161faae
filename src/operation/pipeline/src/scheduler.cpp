#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "attempt_log.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/id.h"
#include "maru/base/log.h"
#include "run_store.h"

namespace maru::pipeline {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

constexpr std::int64_t kBackoffUs = 1'000'000;  // doubled by each failure
constexpr std::int64_t kMaxBackoffUs = 60'000'000;
constexpr std::int64_t kWaitMs = 200;  // how late a caller's deadline is noticed
constexpr std::int64_t kProgressEveryUs = 250'000;

// One attempt under way. The executor holds the Attempt; this keeps alive what it points to.
struct Flight {
  std::shared_ptr<Attempt> attempt;
  std::shared_ptr<AttemptLog> log;
  base::Context context;
  std::int64_t deadline_ns = 0;
  bool given_up = false;  // timed out or cancelled: a late answer is ignored
};

struct ActiveRun {
  Run run;
  std::map<std::string, int> failures;
  std::map<std::string, std::int64_t> not_before_us;
  std::int64_t progress_told_us = 0;
};

std::string key_of(const std::string& run_id, const std::string& task, int number) {
  return run_id + "/" + task + "/" + std::to_string(number);
}

// What an executor answered; any thread may bring it, even one that is inside start().
struct Answer {
  std::string run_id, task;
  int number = 0;
  Result<Json> outcome;
};

class StoredScheduler final : public Scheduler {
 public:
  StoredScheduler(store::Database& db, Executor& executor, base::Clock& clock,
                  SchedulerOptions options)
      : store_(db), executor_(executor), clock_(clock), options_(std::move(options)) {}

  ~StoredScheduler() override { stop(); }

  Status start() {
    TRY(store_.migrate());
    TRY_ASSIGN(epoch_, store_.next_epoch());
    thread_ = std::jthread([this] { loop(); });
    return {};
  }

  Result<std::string> submit(const std::string& project, const PipelineSpec& spec,
                             const Json& parameters, const std::string& trigger) override {
    return submit_with(project, spec, parameters, trigger, {});
  }
  Result<std::string> submit_with(const std::string& project, const PipelineSpec& spec,
                                  const Json& parameters, const std::string& trigger,
                                  const store::Database::Write& also) override;
  Status resume() override;
  Result<Run> get(const std::string& run_id) override;
  Result<std::vector<Run>> list(const std::string& project, const std::string& pipeline,
                                std::size_t limit, std::size_t offset) override;
  Result<Run> wait(const std::string& run_id, base::Context& context) override;
  Status cancel(const std::string& run_id) override;
  Status retry(const std::string& run_id) override;
  Result<std::string> logs(const std::string& run_id, const std::string& task,
                           std::uint64_t from_byte) override;
  void stop() override;

 private:
  // All private methods run with mutex_ held unless they say otherwise.
  void loop();
  void advance(ActiveRun& active);
  bool ready(const ActiveRun& active, const TaskRun& task) const;
  void skip_hopeless(ActiveRun& active);
  void begin(ActiveRun& active, TaskRun& task);
  bool reuse(ActiveRun& active, TaskRun& task);
  std::shared_ptr<Flight> make_flight(ActiveRun& active, TaskRun& task);
  void launch(std::shared_ptr<Flight> flight);
  void wake();                // takes wake_mutex_ only
  void answer(Answer given);  // takes wake_mutex_ only
  void take_answers(std::unique_lock<std::mutex>& lock);
  void finished(Answer given);
  void succeed(ActiveRun& active, TaskRun& task, Json outputs);
  void fail_task(ActiveRun& active, TaskRun& task, const base::Error& error);
  void settle(ActiveRun& active);
  void expire_flights();
  void activate(Run run);
  void tell(const ActiveRun& active);
  void progress(const std::string& run_id, const std::string& task,
                const base::Progress& value);  // takes mutex_
  std::string cache_key(const ActiveRun& active, const TaskRun& task) const;
  std::string log_path(const std::string& run_id, const std::string& task) const {
    return base::join_path(base::parent_path(options_.work_folder),
                           "logs/runs/" + run_id + "/" + task + ".log");
  }
  void keep(const Status& saved, const char* what) const;

  RunStore store_;
  Executor& executor_;
  base::Clock& clock_;
  SchedulerOptions options_;
  std::uint64_t epoch_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, ActiveRun> active_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
  std::deque<Run> told_;  // snapshots for on_change, delivered by the loop without the lock
  bool stopping_ = false;
  std::mutex wake_mutex_;  // taken alone or inside mutex_
  std::condition_variable woken_;
  bool awake_ = true;
  std::deque<Answer> answers_;
  std::jthread thread_;
};

TaskRun* find_task(Run& run, const std::string& name) {
  for (auto& task : run.tasks) {
    if (task.name == name) return &task;
  }
  return nullptr;
}

const TaskSpec* find_spec(const Run& run, const std::string& name) {
  for (const auto& task : run.spec.tasks) {
    if (task.name == name) return &task;
  }
  return nullptr;
}

void StoredScheduler::keep(const Status& saved, const char* what) const {
  if (!saved) base::log_error(what, {{"error", saved.error().text()}});
}

void StoredScheduler::tell(const ActiveRun& active) {
  told_.push_back(active.run);
  wake();
}

Result<std::string> StoredScheduler::submit_with(const std::string& project,
                                                 const PipelineSpec& spec, const Json& parameters,
                                                 const std::string& trigger,
                                                 const store::Database::Write& also) {
  TRY(spec.validate());
  for (const auto& task : spec.tasks) {
    if (!executor_.knows(task.kind))
      return base::fail(Code::kInvalidArgument,
                        "no executor knows the kind of task " + task.name + ": " + task.kind);
  }
  Run run;
  run.id = base::new_id(clock_);
  run.project = project;
  run.pipeline = spec.name;
  run.trigger = trigger;
  run.created_us = clock_.now_us();
  run.spec = spec;
  run.parameters = parameters;
  for (const auto& task : spec.tasks) {
    TaskRun fresh;
    fresh.name = task.name;
    fresh.kind = task.kind;
    fresh.params = task.params;
    fresh.after = task.after;
    run.tasks.push_back(std::move(fresh));
  }
  TRY(store_.insert(run, also));
  const std::string id = run.id;
  const std::lock_guard lock(mutex_);
  activate(std::move(run));
  return id;
}

void StoredScheduler::activate(Run run) {
  const std::string id = run.id;
  ActiveRun& active = active_[id];
  active = ActiveRun{};
  active.run = std::move(run);
  tell(active);
}

// What was running when the process died is pending again; what had finished stays.
Status StoredScheduler::resume() {
  TRY_ASSIGN(const auto ids, store_.unfinished());
  for (const auto& id : ids) {
    TRY_ASSIGN(Run run, store_.load(id));
    const std::lock_guard lock(mutex_);
    if (active_.count(id) != 0) continue;
    for (auto& task : run.tasks) {
      if (task.state == State::kRunning || task.state == State::kQueued)
        task.state = State::kPending;
    }
    activate(std::move(run));
  }
  return {};
}

Result<Run> StoredScheduler::get(const std::string& run_id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = active_.find(run_id);
    if (found != active_.end()) return found->second.run;
  }
  return store_.load(run_id);
}

Result<std::vector<Run>> StoredScheduler::list(const std::string& project,
                                               const std::string& pipeline, std::size_t limit,
                                               std::size_t offset) {
  return store_.list(project, pipeline, limit, offset);
}

Result<Run> StoredScheduler::wait(const std::string& run_id, base::Context& context) {
  {
    std::unique_lock lock(mutex_);
    while (active_.count(run_id) != 0 && !stopping_) {
      changed_.wait_for(lock, std::chrono::milliseconds(kWaitMs));
      TRY(context.alive());
    }
  }
  return store_.load(run_id);
}

bool StoredScheduler::ready(const ActiveRun& active, const TaskRun& task) const {
  if (task.state != State::kPending) return false;
  const auto later = active.not_before_us.find(task.name);
  if (later != active.not_before_us.end() && later->second > clock_.now_us()) return false;
  return std::all_of(task.after.begin(), task.after.end(), [&](const std::string& name) {
    return std::any_of(active.run.tasks.begin(), active.run.tasks.end(), [&](const TaskRun& other) {
      return other.name == name && other.state == State::kSucceeded;
    });
  });
}

// A task behind a failed one will never run.
void StoredScheduler::skip_hopeless(ActiveRun& active) {
  for (bool again = true; again;) {
    again = false;
    for (auto& task : active.run.tasks) {
      if (task.state != State::kPending) continue;
      const bool hopeless =
          std::any_of(task.after.begin(), task.after.end(), [&](const std::string& name) {
            const TaskRun* other = find_task(active.run, name);
            return other->state == State::kFailed || other->state == State::kSkipped ||
                   other->state == State::kCancelled;
          });
      if (!hopeless) continue;
      task.state = State::kSkipped;
      keep(store_.save_task(active.run, task, epoch_, false), "task state could not be saved");
      again = true;
    }
  }
}

std::string StoredScheduler::cache_key(const ActiveRun& active, const TaskRun& task) const {
  const TaskSpec* spec = find_spec(active.run, task.name);
  if (!spec->cache) return {};
  std::string text = task.kind + "\n" + executor_.version_of(task.kind) + "\n" +
                     task.params.dump() + "\n" + active.run.parameters.dump();
  for (const auto& name : task.after) {
    for (const auto& other : active.run.tasks) {
      if (other.name == name) text += "\n" + name + " " + other.outputs.dump();
    }
  }
  return base::sha256_hex(text);
}

bool StoredScheduler::reuse(ActiveRun& active, TaskRun& task) {
  if (task.cache_key.empty()) return false;
  auto outputs = store_.cached(task.cache_key);
  if (!outputs) return false;
  task.cached = true;
  task.state = State::kSucceeded;
  task.outputs = std::move(*outputs);
  task.started_us = task.finished_us = clock_.now_us();
  keep(store_.save_task(active.run, task, epoch_, false), "task state could not be saved");
  tell(active);
  return true;
}

std::shared_ptr<Flight> StoredScheduler::make_flight(ActiveRun& active, TaskRun& task) {
  auto flight = std::make_shared<Flight>();
  auto attempt = std::make_shared<Attempt>();
  attempt->run_id = active.run.id;
  attempt->project = active.run.project;
  attempt->task = task.name;
  attempt->kind = task.kind;
  attempt->number = task.attempts;
  attempt->epoch = epoch_;
  attempt->work_folder = base::join_path(
      options_.work_folder, active.run.id + "/" + task.name + "/" + std::to_string(task.attempts));
  attempt->params = task.params;
  attempt->run_parameters = active.run.parameters;
  attempt->inputs = Json::object();
  for (const auto& name : task.after)
    attempt->inputs.set(name, find_task(active.run, name)->outputs);
  flight->log = std::make_shared<AttemptLog>(log_path(active.run.id, task.name), clock_.now_us());
  const TaskSpec* spec = find_spec(active.run, task.name);
  flight->context.project = active.run.project;
  flight->context.clock = &clock_;
  flight->context.principal = {"pipeline", base::Role::kOperator};
  if (spec->timeout_ms > 0)
    flight->deadline_ns = clock_.monotonic_ns() + spec->timeout_ms * 1'000'000;
  flight->context.deadline_ns = flight->deadline_ns;
  attempt->context = &flight->context;
  attempt->log = [log = flight->log, this](std::string_view text) {
    log->line(clock_.now_us(), text);
  };
  attempt->progress = [this, run_id = active.run.id, name = task.name](
                          const base::Progress& value) { progress(run_id, name, value); };
  flight->attempt = std::move(attempt);
  return flight;
}

void StoredScheduler::begin(ActiveRun& active, TaskRun& task) {
  task.cache_key = cache_key(active, task);
  if (reuse(active, task)) return;
  task.state = State::kRunning;
  ++task.attempts;
  task.started_us = clock_.now_us();
  task.error.clear();
  task.hint.clear();
  task.error_code.clear();
  if (active.run.state != State::kRunning) {
    active.run.state = State::kRunning;
    active.run.started_us = active.run.started_us == 0 ? task.started_us : active.run.started_us;
  }
  const Status saved = store_.save_task(active.run, task, epoch_, true);
  if (!saved) {
    // Nothing may run that is not on record: the task waits for the store.
    task.state = State::kPending;
    --task.attempts;
    active.not_before_us[task.name] = clock_.now_us() + kBackoffUs;
    keep(saved, "task could not be started");
    return;
  }
  auto flight = make_flight(active, task);
  flights_[key_of(active.run.id, task.name, task.attempts)] = flight;
  tell(active);
  launch(std::move(flight));
}

void StoredScheduler::launch(std::shared_ptr<Flight> flight) {
  const auto attempt = flight->attempt;
  // The flight stays alive as long as the executor keeps the callback: the attempt points into it.
  const auto done = [this, flight, run_id = attempt->run_id, task = attempt->task,
                     number = attempt->number](Result<Json> outcome) {
    answer({run_id, task, number, std::move(outcome)});
  };
  if (Status made = base::make_folders(attempt->work_folder); !made) {
    done(tl::unexpected<base::Error>(made.error()));
    return;
  }
  executor_.start(attempt, done);
}

// Only queues: the scheduler's thread acts on it, so an executor may answer from anywhere without waiting for a lock that is held long.
void StoredScheduler::answer(Answer given) {
  const std::lock_guard lock(wake_mutex_);
  answers_.push_back(std::move(given));
  awake_ = true;
  woken_.notify_one();
}

void StoredScheduler::wake() {
  const std::lock_guard lock(wake_mutex_);
  awake_ = true;
  woken_.notify_one();
}

void StoredScheduler::take_answers(std::unique_lock<std::mutex>& lock) {
  std::deque<Answer> taken;
  {
    const std::lock_guard wake_lock(wake_mutex_);
    taken.swap(answers_);
  }
  for (auto& given : taken) {
    const auto flight = flights_.find(key_of(given.run_id, given.task, given.number));
    if (flight == flights_.end()) continue;  // answered twice
    const std::string folder = flight->second->attempt->work_folder;
    finished(std::move(given));
    lock.unlock();
    keep(base::remove_tree(folder), "scratch folder could not be removed");
    lock.lock();
  }
}

void StoredScheduler::finished(Answer given) {
  const auto at = flights_.find(key_of(given.run_id, given.task, given.number));
  const auto flight = at->second;
  flights_.erase(at);
  const auto active = active_.find(given.run_id);
  if (flight->given_up || active == active_.end()) return;
  TaskRun* task = find_task(active->second.run, given.task);
  if (task->state != State::kRunning || task->attempts != given.number)
    return;  // fenced: a newer attempt owns the task
  if (given.outcome) {
    succeed(active->second, *task, std::move(*given.outcome));
  } else if (!(stopping_ && given.outcome.error().code == Code::kCancelled)) {
    flight->log->line(clock_.now_us(), "failed: " + given.outcome.error().text());
    fail_task(active->second, *task, given.outcome.error());
  }
}

void StoredScheduler::succeed(ActiveRun& active, TaskRun& task, Json outputs) {
  task.state = State::kSucceeded;
  task.outputs = std::move(outputs);
  task.finished_us = clock_.now_us();
  task.progress = 1;
  const Status committed = store_.commit_success(active.run, task, epoch_, task.finished_us);
  if (!committed) {
    task.outputs = Json::object();
    fail_task(active, task, committed.error());
    return;
  }
  tell(active);
}

void StoredScheduler::fail_task(ActiveRun& active, TaskRun& task, const base::Error& error) {
  const int failures = ++active.failures[task.name];
  const TaskSpec* spec = find_spec(active.run, task.name);
  const bool again = failures < spec->max_attempts && error.code != Code::kRefused &&
                     error.code != Code::kInvalidArgument && error.code != Code::kCancelled;
  task.error = error.message;
  for (auto cause = error.cause; cause; cause = cause->cause) task.error += ": " + cause->message;
  task.hint = error.hint;
  task.error_code = std::string(base::code_name(error.code));
  task.finished_us = clock_.now_us();
  if (again) {
    task.state = State::kPending;
    active.not_before_us[task.name] =
        task.finished_us + std::min(kMaxBackoffUs, kBackoffUs << std::min(failures - 1, 10));
  } else {
    task.state = State::kFailed;
    if (active.run.error.empty()) active.run.error = task.name + ": " + task.error;
  }
  keep(store_.save_task(active.run, task, epoch_, true), "task state could not be saved");
  tell(active);
}

// Ends the run when nothing of it can still happen.
void StoredScheduler::settle(ActiveRun& active) {
  const auto is = [](State state) {
    return [state](const TaskRun& task) { return task.state == state; };
  };
  const auto& tasks = active.run.tasks;
  if (!std::all_of(tasks.begin(), tasks.end(),
                   [](const TaskRun& task) { return is_final(task.state); }))
    return;
  active.run.state =
      std::any_of(tasks.begin(), tasks.end(), is(State::kCancelled)) ? State::kCancelled
      : std::any_of(tasks.begin(), tasks.end(), is(State::kFailed))  ? State::kFailed
                                                                     : State::kSucceeded;
  active.run.finished_us = clock_.now_us();
  if (active.run.started_us == 0) active.run.started_us = active.run.finished_us;
  if (const Status saved = store_.save_run(active.run); !saved) {
    keep(saved, "run state could not be saved");
    active.run.state = State::kRunning;  // tried again at the next turn
    return;
  }
  tell(active);
}

void StoredScheduler::advance(ActiveRun& active) {
  skip_hopeless(active);
  for (bool again = true; again;) {
    again = false;
    for (auto& task : active.run.tasks) {
      if (flights_.size() >= options_.parallel_tasks || !ready(active, task)) continue;
      begin(active, task);
      again = again || task.state == State::kSucceeded;  // cached: its followers may be ready now
    }
  }
  settle(active);
}

void StoredScheduler::expire_flights() {
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (auto& [key, flight] : flights_) {
    if (flight->given_up || flight->deadline_ns == 0 || now_ns < flight->deadline_ns) continue;
    flight->given_up = true;
    flight->context.cancel.cancel();
    const auto active = active_.find(flight->attempt->run_id);
    if (active == active_.end()) continue;
    fail_task(active->second, *find_task(active->second.run, flight->attempt->task),
              {Code::kDeadlineExceeded, "task took longer than its time limit",
               "raise `timeout`, or make the work smaller", nullptr});
  }
}

void StoredScheduler::loop() {
  for (;;) {
    {
      std::unique_lock waiting(wake_mutex_);
      woken_.wait_for(waiting, std::chrono::milliseconds(options_.idle_wait_ms),
                      [this] { return awake_; });
      awake_ = false;
    }
    std::unique_lock lock(mutex_);
    take_answers(lock);
    // Attempts point into this object until they have answered.
    if (stopping_ && flights_.empty()) return;
    if (!stopping_) {
      expire_flights();
      for (auto& [id, active] : active_) advance(active);
      std::erase_if(active_, [](const auto& entry) { return is_final(entry.second.run.state); });
    }
    changed_.notify_all();
    std::deque<Run> told;
    told.swap(told_);
    lock.unlock();
    if (!options_.on_change) continue;
    for (const auto& run : told) options_.on_change(run);
  }
}

Status StoredScheduler::cancel(const std::string& run_id) {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(run_id);
  if (found == active_.end()) {
    TRY(store_.load(run_id));
    return base::fail(Code::kFailedPrecondition, "run has already ended: " + run_id);
  }
  ActiveRun& active = found->second;
  for (auto& task : active.run.tasks) {
    if (is_final(task.state)) continue;
    const auto flight = flights_.find(key_of(run_id, task.name, task.attempts));
    if (flight != flights_.end()) {
      flight->second->given_up = true;
      flight->second->context.cancel.cancel();
    }
    task.state = State::kCancelled;
    task.finished_us = clock_.now_us();
    TRY(store_.save_task(active.run, task, epoch_, false));
  }
  tell(active);
  return {};
}

Status StoredScheduler::retry(const std::string& run_id) {
  const std::lock_guard lock(mutex_);
  if (active_.count(run_id) != 0)
    return base::fail(Code::kFailedPrecondition, "run is still going: " + run_id,
                      "cancel it first");
  TRY_ASSIGN(Run run, store_.load(run_id));
  if (run.state == State::kSucceeded)
    return base::fail(Code::kFailedPrecondition, "every task of this run has succeeded: " + run_id,
                      "start a new run instead");
  run.state = State::kPending;
  run.error.clear();
  run.finished_us = 0;
  for (auto& task : run.tasks) {
    if (task.state == State::kSucceeded) continue;
    task.state = State::kPending;
    task.error.clear();
    task.hint.clear();
    task.error_code.clear();
    TRY(store_.save_task(run, task, epoch_, true));
  }
  activate(std::move(run));
  return {};
}

void StoredScheduler::progress(const std::string& run_id, const std::string& task_name,
                               const base::Progress& value) {
  const std::lock_guard lock(mutex_);
  const auto active = active_.find(run_id);
  if (active == active_.end()) return;
  TaskRun* task = find_task(active->second.run, task_name);
  task->progress = value.fraction;
  task->progress_stage = value.stage;
  task->progress_detail = value.detail;
  const std::int64_t now_us = clock_.now_us();
  if (now_us - active->second.progress_told_us < kProgressEveryUs) return;
  active->second.progress_told_us = now_us;
  tell(active->second);
}

Result<std::string> StoredScheduler::logs(const std::string& run_id, const std::string& task,
                                          std::uint64_t from_byte) {
  TRY_ASSIGN(const Run run, get(run_id));
  if (find_spec(run, task) == nullptr)
    return base::fail(Code::kNotFound, "run has no task of this name: " + task);
  return read_log(log_path(run.id, task), from_byte);
}

void StoredScheduler::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [key, flight] : flights_) flight->context.cancel.cancel();
  }
  wake();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace

base::Result<std::unique_ptr<Scheduler>> Scheduler::open(store::Database& db, Executor& executor,
                                                         base::Clock& clock,
                                                         SchedulerOptions options) {
  auto scheduler = std::make_unique<StoredScheduler>(db, executor, clock, std::move(options));
  TRY(scheduler->start());
  return std::unique_ptr<Scheduler>(std::move(scheduler));
}

}  // namespace maru::pipeline
