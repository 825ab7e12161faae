#include "maru/executor/executor.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "maru/base/file.h"

namespace maru::executor {
namespace {

using base::Code;
using base::Json;
using base::Result;

// One attempt with its context, its log lines and its one answer.
struct Trial {
  std::string folder = "/tmp/maru-executor-XXXXXX";
  base::Context context;
  std::shared_ptr<pipeline::Attempt> attempt = std::make_shared<pipeline::Attempt>();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> lines;
  std::optional<Result<Json>> answer;
  int answers = 0;

  explicit Trial(std::string kind, Json params = Json::object()) {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    attempt->task = "t";
    attempt->kind = std::move(kind);
    attempt->params = std::move(params);
    attempt->work_folder = folder + "/work";
    attempt->context = &context;
    attempt->log = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      lines.emplace_back(line);
      changed.notify_all();
    };
  }
  ~Trial() { static_cast<void>(base::remove_tree(folder)); }

  void start(pipeline::Executor& executor) {
    executor.start(attempt, [this](Result<Json> result) {
      const std::lock_guard lock(mutex);
      answer = std::move(result);
      ++answers;
      changed.notify_all();
    });
  }
  Result<Json> wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return answer.has_value(); });
    return *answer;
  }
  Result<Json> run(pipeline::Executor& executor) {
    start(executor);
    return wait();
  }
  void wait_for_line(const std::string& text) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] {
      for (const auto& line : lines) {
        if (line.find(text) != std::string::npos) return true;
      }
      return answer.has_value();
    });
  }
};

Json command(const std::string& text) { return Json::object({{"command", text}}); }

}  // namespace

TEST_CASE("a function runs on the pool; what it throws is an error, not the end") {
  base::Pool pool({"work", 2, 16});
  InProcessExecutor executor(pool);
  executor.add("ok", "3", [](pipeline::Attempt& attempt) -> Result<Json> {
    return Json::object({{"task", attempt.task}});
  });
  executor.add("throws", "1",
               [](pipeline::Attempt&) -> Result<Json> { throw std::runtime_error("boom"); });
  executor.add("odd", "1", [](pipeline::Attempt&) -> Result<Json> { throw 7; });
  executor.add("refused", "1", [](pipeline::Attempt&) -> Result<Json> {
    return base::fail(Code::kRefused, "gate");
  });
  CHECK(executor.knows("ok"));
  CHECK_FALSE(executor.knows("other"));
  CHECK(executor.version_of("ok") == "3");
  CHECK((*Trial("ok").run(executor))["task"].as_string() == "t");
  const auto thrown = Trial("throws").run(executor);
  CHECK(thrown.error().code == Code::kInternal);
  CHECK(thrown.error().message.find("boom") != std::string::npos);
  CHECK(Trial("odd").run(executor).error().code == Code::kInternal);
  CHECK(Trial("refused").run(executor).error().code == Code::kRefused);
}

TEST_CASE("a full pool is an answer too, exactly one") {
  base::Pool pool({"work", 1, 1});
  InProcessExecutor executor(pool);
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false, entered = false;
  executor.add("slow", "1", [&](pipeline::Attempt&) -> Result<Json> {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return release; });
    return Json::object();
  });
  Trial first("slow"), second("slow"), third("slow");
  first.start(executor);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
  }
  second.start(executor);
  CHECK(third.run(executor).error().code == Code::kUnavailable);
  {
    const std::lock_guard lock(mutex);
    release = true;
    changed.notify_all();
  }
  CHECK(first.wait().has_value());
  CHECK(second.wait().has_value());
  pool.drain();
  CHECK(first.answers + second.answers + third.answers == 3);
}

TEST_CASE("a command reads its inputs, writes its outputs, and its lines are kept") {
  base::Pool pool({"work", 2, 16});
  SubprocessExecutor executor(pool);
  Trial trial(
      "command",
      command("echo hello; echo oops >&2; printf end; cp \"$MARU_INPUTS\" \"$MARU_OUTPUTS\""));
  trial.attempt->inputs = Json::object({{"a", Json::object({{"x", 1}})}});
  const auto outputs = trial.run(executor);
  REQUIRE(outputs.has_value());
  CHECK((*outputs)["inputs"]["a"]["x"].as_int() == 1);
  CHECK(trial.lines == std::vector<std::string>{"hello", "oops", "end"});
  Trial words("command", Json::object({{"command", Json::array({"printf", "%s", "a b;$HOME"})}}));
  REQUIRE(words.run(executor).has_value());
  CHECK(words.lines == std::vector<std::string>{"a b;$HOME"});
}

TEST_CASE(
    "an exit code, a signal, a missing program and bad outputs are told apart, with the last "
    "lines") {
  base::Pool pool({"work", 2, 16});
  SubprocessExecutor executor(pool);
  const auto code = Trial("command", command("echo why; exit 7")).run(executor);
  CHECK(code.error().message.find("exit code 7") != std::string::npos);
  CHECK(code.error().message.find("why") != std::string::npos);
  const auto killed = Trial("command", command("kill -SEGV $$")).run(executor);
  CHECK(killed.error().message.find("signal") != std::string::npos);
  const auto missing =
      Trial("command", Json::object({{"command", Json::array({"no-such-program-here"})}}))
          .run(executor);
  CHECK(missing.error().code == Code::kInvalidArgument);
  CHECK_FALSE(Trial("command", command("echo '{' > \"$MARU_OUTPUTS\"")).run(executor).has_value());
  CHECK(Trial("command", Json::object()).run(executor).error().code == Code::kInvalidArgument);
}

TEST_CASE("cancel ends the whole process group, even one that ignores the polite signal") {
  base::Pool pool({"work", 2, 16});
  SubprocessOptions options;
  options.kill_grace_ms = 100;
  SubprocessExecutor executor(pool, options);
  Trial polite("command", command("echo ready; exec sleep 600"));
  polite.start(executor);
  polite.wait_for_line("ready");
  polite.context.cancel.cancel();
  CHECK(polite.wait().error().code == Code::kCancelled);
  Trial deaf(
      "command",
      command("trap '' TERM; sleep 600 & echo child $!; wait; wait; while :; do sleep 1; done"));
  deaf.start(executor);
  deaf.wait_for_line("child ");
  deaf.context.cancel.cancel();
  CHECK(deaf.wait().error().code == Code::kCancelled);
  const pid_t grandchild =
      static_cast<pid_t>(std::strtol(deaf.lines.at(0).c_str() + 6, nullptr, 10));
  REQUIRE(grandchild > 1);
  // Killed with its group; it may still wait to be reaped by init, which shows as state Z.
  const auto state = base::read_file("/proc/" + std::to_string(grandchild) + "/stat");
  if (state) CHECK(state->find(") Z") != std::string::npos);
}

TEST_CASE("a deadline ends a command") {
  base::Pool pool({"work", 1, 16});
  SubprocessExecutor executor(pool);
  Trial trial("command", command("exec sleep 600"));
  trial.context.deadline_ns = trial.context.clock->monotonic_ns() + 50'000'000;
  CHECK(trial.run(executor).error().code == Code::kDeadlineExceeded);
}

TEST_CASE("endless output is cut, a line without end is broken, memory has a limit") {
  base::Pool pool({"work", 1, 16});
  SubprocessOptions options;
  options.max_output_bytes = 1000;
  options.memory_limit_bytes = 256u << 20;
  SubprocessExecutor executor(pool, options);
  Trial chatty("command",
               command("i=0; while [ $i -lt 500 ]; do echo 0123456789; i=$((i+1)); done; head -c "
                       "300000 /dev/zero | tr '\\0' x; echo; echo last; exit 3"));
  const auto ended = chatty.run(executor);
  CHECK(ended.error().message.find("last") != std::string::npos);
  std::size_t kept = 0;
  for (const auto& line : chatty.lines) kept += line.size();
  CHECK(kept <= 1000);
  CHECK(kept > 900);
  Trial hungry("command", command("head -c 1000000000 /dev/zero | tail -c 900000000 > /dev/null"));
  CHECK_FALSE(hungry.run(executor).has_value());
}

TEST_CASE("a set asks each executor in order and refuses what none knows") {
  base::Pool pool({"work", 1, 16});
  InProcessExecutor first(pool), second(pool);
  first.add("a", "1", [](pipeline::Attempt&) -> Result<Json> { return Json("first"); });
  second.add("a", "2", [](pipeline::Attempt&) -> Result<Json> { return Json("second"); });
  second.add("b", "2", [](pipeline::Attempt&) -> Result<Json> { return Json("second"); });
  ExecutorSet set;
  set.add(first);
  set.add(second);
  CHECK(Trial("a").run(set)->as_string() == "first");
  CHECK(Trial("b").run(set)->as_string() == "second");
  CHECK(set.version_of("a") == "1");
  CHECK_FALSE(set.knows("c"));
  CHECK(Trial("c").run(set).error().code == Code::kInvalidArgument);
}

}  // namespace maru::executor
