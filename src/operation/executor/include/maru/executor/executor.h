#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "maru/base/pool.h"
#include "maru/pipeline/pipeline.h"

namespace maru::executor {

using TaskFunction = std::function<base::Result<base::Json>(pipeline::Attempt&)>;

// Runs attempts as functions on a pool of this process. add() everything before use; then thread safe.
class InProcessExecutor final : public pipeline::Executor {
 public:
  explicit InProcessExecutor(base::Pool& pool);
  ~InProcessExecutor() override;
  void add(std::string kind, std::string version, TaskFunction function);
  bool knows(std::string_view kind) const override;
  void start(std::shared_ptr<pipeline::Attempt> attempt,
             std::function<void(base::Result<base::Json>)> done) override;
  std::string version_of(std::string_view kind) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SubprocessOptions {
  std::size_t max_output_bytes = 64u << 20;  // log lines kept
  std::uint64_t memory_limit_bytes = 0;      // RLIMIT_AS, 0: none
  std::int64_t kill_grace_ms = 5'000;        // SIGTERM, then SIGKILL of the whole process group
};

// kind "command": params {"command": ["sh","-c","..."] or "text"}; inputs as MARU_INPUTS (a JSON file's path), outputs read from the JSON file MARU_OUTPUTS names.
// A crash, a time-out or a non-zero exit is an error that names signal or code and the last log lines.
class SubprocessExecutor final : public pipeline::Executor {
 public:
  explicit SubprocessExecutor(base::Pool& pool, SubprocessOptions options = {});
  ~SubprocessExecutor() override;
  bool knows(std::string_view kind) const override;
  void start(std::shared_ptr<pipeline::Attempt> attempt,
             std::function<void(base::Result<base::Json>)> done) override;
  std::string version_of(std::string_view kind) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Asks each in order; the first that knows the kind runs it.
class ExecutorSet final : public pipeline::Executor {
 public:
  void add(pipeline::Executor& executor);
  bool knows(std::string_view kind) const override;
  void start(std::shared_ptr<pipeline::Attempt> attempt,
             std::function<void(base::Result<base::Json>)> done) override;
  std::string version_of(std::string_view kind) const override;

 private:
  std::vector<pipeline::Executor*> executors_;
};

}  // namespace maru::executor
