// Seeded simulation: an executor whose answers are delayed, failed or doubled, and a scheduler that is stopped and opened
// again at random points over the same database. Virtual time; the same seed drives the same decisions.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "maru/base/file.h"
#include "maru/base/rng.h"
#include "maru/pipeline/pipeline.h"

namespace maru::pipeline {
namespace {

using base::Json;

struct Pending {
  std::shared_ptr<Attempt> attempt;
  std::function<void(base::Result<Json>)> done;
};

// Holds every attempt until the test decides what becomes of it.
class HeldExecutor final : public Executor {
 public:
  bool knows(std::string_view) const override { return true; }
  std::string version_of(std::string_view) const override { return "1"; }
  void start(std::shared_ptr<Attempt> attempt,
             std::function<void(base::Result<Json>)> done) override {
    const std::lock_guard lock(mutex_);
    ++starts_[attempt->task];
    last_epoch_[attempt->task] = attempt->epoch;
    pending_.push_back({std::move(attempt), std::move(done)});
    arrived_.notify_all();
  }
  std::vector<Pending> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(pending_, {});
  }
  bool take(base::Rng& rng, Pending& out) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, std::chrono::milliseconds(2),
                           [this] { return !pending_.empty(); }))
      return false;
    const auto at = pending_.begin() + static_cast<std::ptrdiff_t>(rng.below(pending_.size()));
    out = std::move(*at);
    pending_.erase(at);
    return true;
  }
  int starts(const std::string& task) {
    const std::lock_guard lock(mutex_);
    return starts_[task];
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Pending> pending_;
  std::map<std::string, int> starts_;
  std::map<std::string, std::uint64_t> last_epoch_;
};

PipelineSpec random_dag(base::Rng& rng, std::uint64_t seed) {
  PipelineSpec spec;
  spec.name = "sim";
  const std::size_t count = 2 + rng.below(6);
  for (std::size_t i = 0; i < count; ++i) {
    TaskSpec task;
    task.name = "t" + std::to_string(i);
    task.kind = "sim";
    task.params = Json::object(
        {{"seed", static_cast<std::int64_t>(seed)}, {"i", static_cast<std::int64_t>(i)}});
    task.max_attempts = 3;
    for (std::size_t j = 0; j < i; ++j) {
      if (rng.below(3) == 0) task.after.push_back("t" + std::to_string(j));
    }
    spec.tasks.push_back(std::move(task));
  }
  return spec;
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : rng_(seed), spec_(random_dag(rng_, seed)) {
    store::DatabaseOptions options;
    options.path = ":memory:";
    db_ = std::move(*store::Database::open(options));
    folder_ = "/tmp/maru-sim-" + std::to_string(::getpid());
    open();
    run_id_ = *scheduler_->submit("default", spec_, Json::object(), "sim");
  }
  ~Simulation() {
    close();
    CHECK(base::remove_tree(folder_).has_value());
  }

  // Steps until the run is final; the number of steps, or -1 when it hangs.
  int play() {
    for (int step = 0; step < 3000; ++step) {
      check_nothing_repeats();
      const auto run = scheduler_->get(run_id_);
      REQUIRE(run.has_value());
      if (is_final(run->state)) return step;
      act();
    }
    return -1;
  }

  void check_end() {
    base::Context context;
    const auto run = scheduler_->wait(run_id_, context);
    REQUIRE(run.has_value());
    check_nothing_repeats();  // what was committed between the last look and the end
    for (const auto& task : run->tasks) {
      if (task.state != State::kSucceeded) continue;
      CHECK(task.outputs["by"].as_string() == committed_.at(task.name));
      for (const auto& name : task.after)
        CHECK(task.outputs["saw"][name].as_string() == committed_.at(name));
    }
    const bool failed = std::any_of(run->tasks.begin(), run->tasks.end(),
                                    [](const auto& t) { return t.state == State::kFailed; });
    CHECK(run->state == (failed ? State::kFailed : State::kSucceeded));
  }
  int restarts() const { return restarts_; }

 private:
  void open() {
    SchedulerOptions options;
    options.work_folder = folder_ + "/work";
    options.parallel_tasks = 3;
    options.idle_wait_ms = 1;
    scheduler_ = std::move(*Scheduler::open(*db_, executor_, clock_, options));
    if (!run_id_.empty()) REQUIRE(scheduler_->resume().has_value());
  }

  // The scheduler goes while attempts are under way; what they answer afterwards must change nothing.
  void close() {
    std::jthread stopping([this] { scheduler_->stop(); });
    bool stopped = false;
    std::jthread waiting([&] {
      stopping.join();
      std::lock_guard lock(done_mutex_);
      stopped = true;
    });
    for (;;) {
      for (auto& pending : executor_.take_all()) {
        // An attempt that notices its cancel says so; one that does not may still finish, and counts.
        if (pending.attempt->context->cancel.cancelled())
          pending.done(base::fail(base::Code::kCancelled, "stopped"));
        else
          answer(pending, 0);
      }
      const std::lock_guard lock(done_mutex_);
      if (stopped) break;
      std::this_thread::yield();
    }
    waiting.join();
    scheduler_.reset();
  }

  void answer(Pending& pending, std::uint64_t dice) {
    const std::string by = pending.attempt->task + "#" + std::to_string(pending.attempt->epoch) +
                           "." + std::to_string(pending.attempt->number);
    if (dice == 1) return pending.done(base::fail(base::Code::kInternal, "simulated failure"));
    Json saw = Json::object();
    for (const auto& [name, outputs] : pending.attempt->inputs.members())
      saw.set(name, outputs["by"]);
    pending.done(Json::object({{"by", by}, {"saw", saw}}));
    // A second answer of the same attempt must have no effect.
    if (dice == 2) pending.done(Json::object({{"by", "doubled"}, {"saw", Json::object()}}));
  }

  void act() {
    const std::uint64_t dice = rng_.below(20);
    if (dice == 0 && restarts_ < 5) {
      ++restarts_;
      close();
      open();
    } else if (dice < 4) {
      clock_.advance_us(static_cast<std::int64_t>(rng_.below(5'000'000)));
    } else {
      Pending pending;
      if (executor_.take(rng_, pending))
        answer(pending, rng_.below(6));
      else
        clock_.advance_us(500'000);
    }
  }

  // Once a task is seen as succeeded, its outputs stay and it is never started again.
  void check_nothing_repeats() {
    const auto run = scheduler_->get(run_id_);
    REQUIRE(run.has_value());
    for (const auto& task : run->tasks) {
      if (task.state != State::kSucceeded) {
        CHECK(committed_.count(task.name) == 0);
        continue;
      }
      const std::string by = task.outputs["by"].as_string();
      CHECK(by != "doubled");
      if (committed_.emplace(task.name, by).second)
        starts_when_done_[task.name] = executor_.starts(task.name);
      CHECK(committed_.at(task.name) == by);
      CHECK(executor_.starts(task.name) == starts_when_done_.at(task.name));
    }
  }

  base::Rng rng_;
  PipelineSpec spec_;
  base::ManualClock clock_;
  std::string folder_, run_id_;
  std::unique_ptr<store::Database> db_;
  HeldExecutor executor_;
  std::unique_ptr<Scheduler> scheduler_;
  std::mutex done_mutex_;
  std::map<std::string, std::string> committed_;
  std::map<std::string, int> starts_when_done_;
  int restarts_ = 0;
};

}  // namespace

TEST_CASE(
    "whatever fails, restarts or answers twice: each run ends, nothing finished is repeated") {
  const char* wanted = std::getenv("MARU_SIM_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 200 : std::strtoull(wanted, nullptr, 10);
  int restarts = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Simulation simulation(seed);
    const int steps = simulation.play();
    CHECK(steps >= 0);
    if (steps < 0) break;
    simulation.check_end();
    restarts += simulation.restarts();
  }
  CHECK(restarts > static_cast<int>(seeds) / 4);  // the interesting case must happen often
}

}  // namespace maru::pipeline
