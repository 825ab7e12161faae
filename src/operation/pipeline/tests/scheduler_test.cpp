#include <doctest/doctest.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "maru/base/file.h"
#include "maru/pipeline/pipeline.h"

namespace maru::pipeline {
namespace {

using base::Json;

// Runs each attempt on a thread of its own; counts what ran and fails what it is told to.
class CountingExecutor final : public Executor {
 public:
  ~CountingExecutor() override { join(); }
  bool knows(std::string_view kind) const override { return kind == "test"; }
  std::string version_of(std::string_view) const override { return "1"; }
  void start(std::shared_ptr<Attempt> attempt,
             std::function<void(base::Result<Json>)> done) override {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, attempt, done = std::move(done)] { done(run(*attempt)); });
  }
  void fail_times(const std::string& task, int times, base::Code code = base::Code::kInternal) {
    failures_[task] = {times, code};
  }
  void block(const std::string& task) {
    const std::lock_guard lock(mutex_);
    blocked_ = task;
  }
  bool blocked(const std::string& task) {
    const std::lock_guard lock(mutex_);
    return task == blocked_;
  }
  int runs(const std::string& task) {
    const std::lock_guard lock(mutex_);
    return runs_[task];
  }
  void join() {
    std::vector<std::jthread> threads;
    {
      const std::lock_guard lock(mutex_);
      threads.swap(threads_);
    }
  }

 private:
  base::Result<Json> run(Attempt& attempt) {
    {
      const std::lock_guard lock(mutex_);
      ++runs_[attempt.task];
      auto& failure = failures_[attempt.task];
      if (failure.first-- > 0) return base::fail(failure.second, "told to fail");
    }
    while (blocked(attempt.task)) {
      TRY(attempt.context->alive());
      std::this_thread::yield();
    }
    Json seen = Json::array();
    for (const auto& [name, outputs] : attempt.inputs.members())
      seen.push(name + "=" + outputs["value"].as_string());
    return Json::object({{"value", attempt.task + seen.dump()}});
  }

  std::mutex mutex_;
  std::map<std::string, int> runs_;
  std::map<std::string, std::pair<int, base::Code>> failures_;
  std::string blocked_;
  std::vector<std::jthread> threads_;
};

TaskSpec task(const std::string& name, std::vector<std::string> after, int attempts = 1) {
  TaskSpec out;
  out.name = name;
  out.kind = "test";
  out.params = Json::object({{"name", name}});
  out.after = std::move(after);
  out.max_attempts = attempts;
  return out;
}

PipelineSpec diamond() {
  PipelineSpec out;
  out.name = "diamond";
  out.tasks = {task("a", {}), task("b", {"a"}), task("c", {"a"}), task("d", {"b", "c"})};
  return out;
}

struct House {
  std::string folder =
      "/tmp/maru-pipeline-" + std::to_string(::getpid()) + "-" + std::to_string(counter()++);
  base::Clock& clock = base::system_clock();
  std::unique_ptr<store::Database> db;
  CountingExecutor executor;
  std::unique_ptr<Scheduler> scheduler;
  static int& counter() {
    static int value = 0;
    return value;
  }
  House() {
    REQUIRE(base::make_folders(folder).has_value());
    store::DatabaseOptions options;
    options.path = folder + "/test.db";
    db = std::move(*store::Database::open(options));
    open();
  }
  ~House() {
    scheduler.reset();
    executor.join();
    db.reset();
    CHECK(base::remove_tree(folder).has_value());
  }
  void open() {
    SchedulerOptions options;
    options.work_folder = folder + "/work";
    scheduler = std::move(*Scheduler::open(*db, executor, clock, options));
  }
  Run finish(const std::string& id) {
    base::Context context;
    auto run = scheduler->wait(id, context);
    REQUIRE(run.has_value());
    return *run;
  }
};

}  // namespace

TEST_CASE("a diamond runs each task once, in order, with the outputs of what it waits for") {
  House house;
  const auto id = house.scheduler->submit("default", diamond(), Json::object(), "test");
  REQUIRE(id.has_value());
  const Run run = house.finish(*id);
  CHECK(run.state == State::kSucceeded);
  for (const char* name : {"a", "b", "c", "d"}) CHECK(house.executor.runs(name) == 1);
  CHECK(run.tasks[3].outputs["value"].as_string().find("b=") != std::string::npos);
}

TEST_CASE("the same work again comes from the cache, other parameters do not") {
  House house;
  house.finish(*house.scheduler->submit("default", diamond(), Json::object(), "test"));
  const Run again =
      house.finish(*house.scheduler->submit("default", diamond(), Json::object(), "test"));
  CHECK(again.state == State::kSucceeded);
  CHECK(again.tasks[0].cached);
  CHECK(house.executor.runs("a") == 1);
  house.finish(*house.scheduler->submit("default", diamond(), Json::object({{"day", 2}}), "test"));
  CHECK(house.executor.runs("a") == 2);
}

TEST_CASE(
    "a failure keeps its code, skips what waits for it, and retry repeats only what is left") {
  House house;
  house.executor.fail_times("b", 1, base::Code::kRefused);
  const auto id = house.scheduler->submit("default", diamond(), Json::object(), "test");
  const Run failed = house.finish(*id);
  CHECK(failed.state == State::kFailed);
  CHECK(failed.tasks[1].error_code == base::code_name(base::Code::kRefused));
  CHECK(failed.tasks[3].state == State::kSkipped);
  REQUIRE(house.scheduler->retry(*id).has_value());
  const Run mended = house.finish(*id);
  CHECK(mended.state == State::kSucceeded);
  CHECK(house.executor.runs("a") == 1);
  CHECK(house.executor.runs("b") == 2);
}

TEST_CASE("a task with attempts left is tried again") {
  House house;
  PipelineSpec spec;
  spec.name = "flaky";
  spec.tasks = {task("a", {}, 2)};
  house.executor.fail_times("a", 1);
  const Run run = house.finish(*house.scheduler->submit("default", spec, Json::object(), "test"));
  CHECK(run.state == State::kSucceeded);
  CHECK(run.tasks[0].attempts == 2);
}

TEST_CASE(
    "what was running when the scheduler went away is resumed, what had finished is not repeated") {
  House house;
  house.executor.block("d");
  const auto id = house.scheduler->submit("default", diamond(), Json::object(), "test");
  while (house.executor.runs("d") == 0) std::this_thread::yield();
  house.scheduler.reset();  // as a crash: the attempt is cut off and stays `running` on disk
  house.executor.block("");
  house.open();
  REQUIRE(house.scheduler->resume().has_value());
  const Run run = house.finish(*id);
  CHECK(run.state == State::kSucceeded);
  CHECK(house.executor.runs("a") == 1);
  CHECK(house.executor.runs("d") == 2);
}

TEST_CASE("a scheduler that was replaced can commit nothing any more") {
  House house;
  house.executor.block("a");
  const auto id = house.scheduler->submit("default", diamond(), Json::object(), "test");
  while (house.executor.runs("a") == 0) std::this_thread::yield();
  CountingExecutor other;
  SchedulerOptions options;
  options.work_folder = house.folder + "/other";
  auto newer = std::move(*Scheduler::open(*house.db, other, house.clock, options));
  REQUIRE(newer->resume().has_value());
  base::Context context;
  const auto finished = newer->wait(*id, context);
  REQUIRE(finished.has_value());
  CHECK(finished->state == State::kSucceeded);
  CHECK(house.scheduler->submit("default", diamond(), Json::object(), "test").error().code ==
        base::Code::kAborted);
  house.executor.block("");  // the old attempt answers, too late
  house.executor.join();
  house.scheduler.reset();
  const auto after = newer->get(*id);
  CHECK(after->state == State::kSucceeded);
  for (const auto& task : after->tasks) CHECK(task.state == State::kSucceeded);
  CHECK(after->tasks[0].attempts == 2);
  newer.reset();
  other.join();
}

TEST_CASE("a cancelled run ends as cancelled and its attempt is told to stop") {
  House house;
  house.executor.block("a");
  const auto id = house.scheduler->submit("default", diamond(), Json::object(), "test");
  while (house.executor.runs("a") == 0) std::this_thread::yield();
  REQUIRE(house.scheduler->cancel(*id).has_value());
  CHECK(house.finish(*id).state == State::kCancelled);
  CHECK_FALSE(house.scheduler->cancel(*id).has_value());
}

TEST_CASE("a circle and an unknown dependency are named") {
  PipelineSpec spec = diamond();
  spec.tasks[0].after = {"d"};
  const auto circle = spec.validate();
  REQUIRE_FALSE(circle.has_value());
  CHECK(circle.error().message.find("→") != std::string::npos);
  spec.tasks[0].after = {"bb"};
  const auto unknown = spec.validate();
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().hint.find("`b`") != std::string::npos);
}

TEST_CASE("cron finds the next minute, across months, with names and both day fields") {
  const auto next = [](const char* text, const char* from) {
    return base::format_time_us(Cron::parse(text)->next_after_us(*base::parse_time_us(from)));
  };
  CHECK(next("0 3 * * *", "2026-11-21T03:00:00Z") == "2026-11-22T03:00:00Z");
  CHECK(next("*/15 * * * *", "2026-11-21T03:14:59Z") == "2026-11-21T03:15:00Z");
  CHECK(next("0 0 29 feb *", "2026-11-21T00:00:00Z") == "2028-02-29T00:00:00Z");
  CHECK(next("0 9 1 * mon", "2026-11-21T00:00:00Z") == "2026-11-23T09:00:00Z");
  CHECK(next("@monthly", "2026-12-31T23:59:00Z") == "2027-01-01T00:00:00Z");
  CHECK_FALSE(Cron::parse("61 * * * *").has_value());
  CHECK_FALSE(Cron::parse("* * *").has_value());
}

TEST_CASE("a schedule fires once for a due tick, once after a long absence, and never twice") {
  House house;
  base::ManualClock clock(*base::parse_time_us("2026-11-21T00:00:30Z"));
  auto scheduling = std::move(*Scheduling::open(*house.db, *house.scheduler, clock));
  Schedule schedule;
  schedule.project = "default";
  schedule.name = "nightly";
  schedule.cron = "0 * * * *";
  schedule.spec = diamond();
  REQUIRE(scheduling->put(schedule).has_value());
  CHECK(*scheduling->tick() == 0);
  clock.advance_us(3'600'000'000);
  CHECK(*scheduling->tick() == 1);
  CHECK(*scheduling->tick() == 0);
  clock.advance_us(10ll * 86'400'000'000);
  CHECK(*scheduling->tick() == 1);
  CHECK(*scheduling->tick() == 0);
}

}  // namespace maru::pipeline
