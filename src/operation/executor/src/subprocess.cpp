#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>

#include "maru/base/file.h"
#include "maru/base/process.h"
#include "maru/base/text.h"
#include "maru/executor/executor.h"

namespace maru::executor {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr int kPollMs = 50;
constexpr std::size_t kLastLines = 5;
constexpr std::size_t kMaxLineBytes = 64u << 10;  // longer ones are broken

// A child's output as lines, until it has ended.
class Child {
 public:
  Child(pipeline::Attempt& attempt, const SubprocessOptions& options, base::Process process)
      : attempt_(attempt), options_(options), process_(std::move(process)) {}

  // Reads lines until the child is gone; ends it when the attempt should stop. The wait status.
  int supervise() {
    bool open = true;
    std::int64_t terminated_ns = 0;
    for (;;) {
      if (open) open = read_some();
      if (const auto status = process_.ended()) {
        while (open && read_some(0)) {
        }
        if (!partial_.empty()) line(partial_);
        partial_.clear();
        return *status;
      }
      if (!open) ::poll(nullptr, 0, kPollMs);
      if (terminated_ns == 0 && !attempt_.context->alive()) {
        terminated_ns = attempt_.context->clock->monotonic_ns();
        process_.signal(SIGTERM);
      } else if (terminated_ns != 0 && attempt_.context->clock->monotonic_ns() - terminated_ns >
                                           options_.kill_grace_ms * 1'000'000) {
        process_.signal(SIGKILL);
      }
    }
  }

  std::string last_lines() const {
    return base::join(std::vector<std::string>(last_.begin(), last_.end()), " | ");
  }

 private:
  bool read_some(int wait_ms = kPollMs) {
    pollfd wanted{process_.output(), POLLIN, 0};
    if (::poll(&wanted, 1, wait_ms) <= 0) return wait_ms != 0;
    char buffer[8192];
    const ssize_t got = ::read(process_.output(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) {
      if (!partial_.empty()) line(partial_);
      partial_.clear();
      return false;
    }
    partial_.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end = partial_.find('\n'); end != std::string::npos;
         end = partial_.find('\n')) {
      line(partial_.substr(0, end));
      partial_.erase(0, end + 1);
    }
    if (partial_.size() > kMaxLineBytes) {
      line(partial_);
      partial_.clear();
    }
    return true;
  }

  void line(const std::string& text) {
    kept_ += text.size();
    if (kept_ <= options_.max_output_bytes && attempt_.log)
      attempt_.log(base::replace_invalid_utf8(text));
    last_.push_back(text.substr(0, 200));
    if (last_.size() > kLastLines) last_.pop_front();
  }

  pipeline::Attempt& attempt_;
  const SubprocessOptions& options_;
  base::Process process_;
  std::string partial_;
  std::size_t kept_ = 0;
  std::deque<std::string> last_;
};

Result<std::vector<std::string>> command_of(const pipeline::Attempt& attempt) {
  const Json& command = attempt.params["command"];
  if (command.is_string()) return std::vector<std::string>{"/bin/sh", "-c", command.as_string()};
  std::vector<std::string> out;
  for (const auto& word : command.items()) out.push_back(word.as_string());
  if (out.empty())
    return base::fail(Code::kInvalidArgument, "task has no `command`: " + attempt.task,
                      R"(give text, or a list such as ["python3", "train.py"])");
  return out;
}

std::vector<std::string> environment_of(const std::string& inputs, const std::string& outputs) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) out.emplace_back(*entry);
  out.push_back("MARU_INPUTS=" + inputs);
  out.push_back("MARU_OUTPUTS=" + outputs);
  return out;
}

Result<Json> run_command(pipeline::Attempt& attempt, const SubprocessOptions& options) {
  TRY_ASSIGN(const auto command, command_of(attempt));
  const std::string inputs = base::join_path(attempt.work_folder, "inputs.json"),
                    outputs = base::join_path(attempt.work_folder, "outputs.json");
  TRY(base::make_folders(attempt.work_folder));
  TRY(base::write_file_atomic(inputs, Json::object({{"inputs", attempt.inputs},
                                                    {"params", attempt.params},
                                                    {"parameters", attempt.run_parameters}})
                                          .dump()));
  TRY_ASSIGN(base::Process process,
             base::Process::start({.command = command,
                                   .environment = environment_of(inputs, outputs),
                                   .folder = attempt.work_folder,
                                   .address_limit_bytes = options.memory_limit_bytes}));
  Child child(attempt, options, std::move(process));
  const int status = child.supervise();
  TRY(attempt.context->alive());
  if (WIFSIGNALED(status))
    return base::fail(Code::kInternal, "command was ended by " + base::wait_status_text(status) +
                                           "; last lines: " + child.last_lines());
  if (WEXITSTATUS(status) == 127)
    return base::fail(Code::kInvalidArgument, "command cannot be run: " + command.front(),
                      "is it installed and on PATH? last lines: " + child.last_lines());
  if (WEXITSTATUS(status) != 0)
    return base::fail(Code::kInternal, "command ended with " + base::wait_status_text(status) +
                                           "; last lines: " + child.last_lines());
  if (!base::path_exists(outputs)) return Json::object();
  TRY_ASSIGN(const std::string text, base::read_file(outputs, 64u << 20));
  auto parsed = base::parse_json(text);
  if (!parsed) return base::wrap(parsed.error(), "outputs of the command are not JSON");
  return parsed;
}

}  // namespace

struct SubprocessExecutor::Impl {
  base::Pool& pool;
  SubprocessOptions options;
};

SubprocessExecutor::SubprocessExecutor(base::Pool& pool, SubprocessOptions options)
    : impl_(std::make_unique<Impl>(Impl{pool, options})) {}
SubprocessExecutor::~SubprocessExecutor() = default;

bool SubprocessExecutor::knows(std::string_view kind) const { return kind == "command"; }
std::string SubprocessExecutor::version_of(std::string_view) const { return "1"; }

void SubprocessExecutor::start(std::shared_ptr<pipeline::Attempt> attempt,
                               std::function<void(base::Result<base::Json>)> done) {
  auto answer = std::make_shared<std::function<void(base::Result<base::Json>)>>(std::move(done));
  const base::Status queued = impl_->pool.submit(
      [options = impl_->options, attempt, answer] { (*answer)(run_command(*attempt, options)); });
  if (queued) return;
  (*answer)(tl::unexpected<base::Error>(queued.error()));
}

}  // namespace maru::executor
