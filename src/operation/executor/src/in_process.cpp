#include <exception>
#include <map>

#include "maru/executor/executor.h"

namespace maru::executor {

struct InProcessExecutor::Impl {
  explicit Impl(base::Pool& threads) : pool(threads) {}
  struct Entry {
    std::string version;
    TaskFunction function;
  };
  base::Pool& pool;
  std::map<std::string, Entry, std::less<>> kinds;
};

InProcessExecutor::InProcessExecutor(base::Pool& pool) : impl_(std::make_unique<Impl>(pool)) {}
InProcessExecutor::~InProcessExecutor() = default;

void InProcessExecutor::add(std::string kind, std::string version, TaskFunction function) {
  impl_->kinds[std::move(kind)] = {std::move(version), std::move(function)};
}

bool InProcessExecutor::knows(std::string_view kind) const {
  return impl_->kinds.find(kind) != impl_->kinds.end();
}

std::string InProcessExecutor::version_of(std::string_view kind) const {
  const auto found = impl_->kinds.find(kind);
  return found == impl_->kinds.end() ? std::string() : found->second.version;
}

namespace {

// Libraries throw; a task that does is a failed task, never a dead server.
base::Result<base::Json> guarded(const TaskFunction& function, pipeline::Attempt& attempt) {
  try {
    return function(attempt);
  } catch (const std::bad_alloc&) {
    return base::fail(base::Code::kResourceExhausted, "task ran out of memory: " + attempt.task);
  } catch (const std::exception& error) {
    return base::fail(base::Code::kInternal,
                      std::string("task failed unexpectedly: ") + error.what());
  } catch (...) {
    return base::fail(base::Code::kInternal, "task failed unexpectedly: " + attempt.task);
  }
}

}  // namespace

void InProcessExecutor::start(std::shared_ptr<pipeline::Attempt> attempt,
                              std::function<void(base::Result<base::Json>)> done) {
  const TaskFunction& function = impl_->kinds.find(attempt->kind)->second.function;
  // Shared, so that a refused submission can still answer.
  auto answer = std::make_shared<std::function<void(base::Result<base::Json>)>>(std::move(done));
  const base::Status queued =
      impl_->pool.submit([&function, attempt, answer] { (*answer)(guarded(function, *attempt)); });
  if (queued) return;
  (*answer)(tl::unexpected<base::Error>(queued.error()));
}

void ExecutorSet::add(pipeline::Executor& executor) { executors_.push_back(&executor); }

bool ExecutorSet::knows(std::string_view kind) const {
  for (const auto* executor : executors_) {
    if (executor->knows(kind)) return true;
  }
  return false;
}

std::string ExecutorSet::version_of(std::string_view kind) const {
  for (const auto* executor : executors_) {
    if (executor->knows(kind)) return executor->version_of(kind);
  }
  return {};
}

void ExecutorSet::start(std::shared_ptr<pipeline::Attempt> attempt,
                        std::function<void(base::Result<base::Json>)> done) {
  for (auto* executor : executors_) {
    if (executor->knows(attempt->kind)) return executor->start(std::move(attempt), std::move(done));
  }
  done(base::fail(base::Code::kInvalidArgument,
                  "no executor knows this kind of task: " + attempt->kind));
}

}  // namespace maru::executor
