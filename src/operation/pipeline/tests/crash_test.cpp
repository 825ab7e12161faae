// kill -9 of a whole process in the middle of a run, at every commit of its database, then resume in another one.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/pipeline/pipeline.h"

namespace maru::pipeline {
namespace {

using base::Json;

// Appends "task epoch" to a file before it answers, so that both processes' work can be counted.
class MarkingExecutor final : public Executor {
 public:
  explicit MarkingExecutor(std::string file) : file_(std::move(file)) {}
  bool knows(std::string_view) const override { return true; }
  std::string version_of(std::string_view) const override { return "1"; }
  void start(std::shared_ptr<Attempt> attempt,
             std::function<void(base::Result<Json>)> done) override {
    const std::string line = attempt->task + " " + std::to_string(attempt->epoch) + "\n";
    const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::write(fd, line.data(), line.size()) < 0) std::abort();
    ::close(fd);
    done(Json::object({{"epoch", static_cast<std::int64_t>(attempt->epoch)}}));
  }

 private:
  std::string file_;
};

PipelineSpec chain() {
  PipelineSpec spec;
  spec.name = "chain";
  for (int i = 0; i < 4; ++i) {
    TaskSpec task;
    task.name = "t" + std::to_string(i);
    task.kind = "mark";
    if (i > 0) task.after = {"t" + std::to_string(i - 1)};
    spec.tasks.push_back(std::move(task));
  }
  return spec;
}

struct Server {
  std::unique_ptr<store::Database> db;
  MarkingExecutor executor;
  std::unique_ptr<Scheduler> scheduler;
  explicit Server(const std::string& folder) : executor(folder + "/marks") {
    store::DatabaseOptions options;
    options.path = folder + "/a.db";
    auto opened = store::Database::open(options);
    if (!opened) return;
    db = std::move(*opened);
    SchedulerOptions scheduling;
    scheduling.work_folder = folder + "/work";
    auto made = Scheduler::open(*db, executor, base::system_clock(), scheduling);
    if (made) scheduler = std::move(*made);
  }
};

}  // namespace

TEST_CASE(
    "kill -9 at every commit of a run: it is resumed, and what had finished is not repeated") {
  int deaths = 0;
  for (int n = 1; n < 60; ++n) {
    CAPTURE(n);
    std::string folder = "/tmp/maru-crash-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      Server server(folder);
      if (!server.scheduler) ::_exit(3);
      base::set_faults((n % 2 == 0 ? "store.commit:" : "store.acknowledge:") +
                       std::to_string((n + 1) / 2) + ":kill");
      const auto id = server.scheduler->submit("p", chain(), Json::object(), "test");
      base::Context context;
      if (!id || !server.scheduler->wait(*id, context)) ::_exit(4);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const bool died = WIFSIGNALED(status);
    if (!died) CHECK(WEXITSTATUS(status) == 0);
    {
      Server server(folder);
      REQUIRE(server.scheduler);
      std::map<std::string, std::int64_t> finished;
      const auto before = server.scheduler->list("p", "", 10, 0);
      REQUIRE(before.has_value());
      for (const auto& run : *before) {
        const auto whole = server.scheduler->get(run.id);
        REQUIRE(whole.has_value());
        for (const auto& task : whole->tasks) {
          if (task.state == State::kSucceeded) finished[task.name] = task.outputs["epoch"].as_int();
        }
      }
      REQUIRE(server.scheduler->resume().has_value());
      for (const auto& run : *before) {
        base::Context context;
        const auto ended = server.scheduler->wait(run.id, context);
        REQUIRE(ended.has_value());
        CHECK(ended->state == State::kSucceeded);
        for (const auto& task : ended->tasks) {
          if (finished.count(task.name) != 0)
            CHECK(task.outputs["epoch"].as_int() == finished[task.name]);
        }
      }
      std::map<std::string, int> marks;
      std::istringstream lines(base::read_file(folder + "/marks").value_or(""));
      for (std::string task, epoch; lines >> task >> epoch;) ++marks[task + " " + epoch];
      for (const auto& [task, epoch] : finished) CHECK(marks.count(task + " 2") == 0);
      for (const auto& [mark, times] : marks) CHECK(times == 1);
    }
    CHECK(base::remove_tree(folder).has_value());
    if (!died) break;
    ++deaths;
  }
  MESSAGE("died ", deaths, " times");
  CHECK(deaths > 10);
}

}  // namespace maru::pipeline
