#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "maru/base/file.h"
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

// One child in a process group of its own, its output as lines.
class Child {
 public:
  Child(pipeline::Attempt& attempt, const SubprocessOptions& options)
      : attempt_(attempt), options_(options) {}
  ~Child() {
    if (out_ >= 0) ::close(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  base::Status start(const std::vector<std::string>& command,
                     const std::vector<std::string>& environment) {
    std::array<int, 2> pipe_fds{};
    if (::pipe2(pipe_fds.data(), O_CLOEXEC) != 0)
      return base::fail(Code::kInternal, "pipe cannot be made");
    std::vector<char*> argv, envp;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    for (const auto& word : environment) envp.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) run_child(pipe_fds[1], argv, envp);
    ::close(pipe_fds[1]);
    if (pid_ < 0) {
      ::close(pipe_fds[0]);
      return base::fail(Code::kInternal,
                        std::string("process cannot be started: ") + std::strerror(errno));
    }
    ::setpgid(pid_, pid_);
    out_ = pipe_fds[0];
    return {};
  }

  // Reads lines until the child is gone; ends it when the attempt should stop. The wait status.
  int supervise() {
    bool open = true;
    int status = 0;
    std::int64_t terminated_ns = 0;
    for (;;) {
      if (open) open = read_some();
      const pid_t gone = ::waitpid(pid_, &status, WNOHANG);
      if (gone == pid_) {
        while (open && read_some(0)) {
        }
        if (!partial_.empty()) line(partial_);
        partial_.clear();
        ::kill(-pid_, SIGKILL);  // what it left running in its group
        return status;
      }
      if (!open) ::poll(nullptr, 0, kPollMs);
      if (terminated_ns == 0 && !attempt_.context->alive()) {
        terminated_ns = attempt_.context->clock->monotonic_ns();
        ::kill(-pid_, SIGTERM);
      } else if (terminated_ns != 0 && attempt_.context->clock->monotonic_ns() - terminated_ns >
                                           options_.kill_grace_ms * 1'000'000) {
        ::kill(-pid_, SIGKILL);
      }
    }
  }

  std::string last_lines() const {
    return base::join(std::vector<std::string>(last_.begin(), last_.end()), " | ");
  }

 private:
  // Between fork and exec only async-signal-safe calls are allowed.
  [[noreturn]] void run_child(int output, const std::vector<char*>& argv,
                              const std::vector<char*>& envp) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG,
            SIGKILL);  // the run is resumed by a new attempt: an orphan would work beside it
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (options_.memory_limit_bytes > 0) {
      const rlimit limit{options_.memory_limit_bytes, options_.memory_limit_bytes};
      ::setrlimit(RLIMIT_AS, &limit);
    }
    if (::chdir(attempt_.work_folder.c_str()) == 0) ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }

  bool read_some(int wait_ms = kPollMs) {
    pollfd wanted{out_, POLLIN, 0};
    if (::poll(&wanted, 1, wait_ms) <= 0) return wait_ms != 0;
    char buffer[8192];
    const ssize_t got = ::read(out_, buffer, sizeof buffer);
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
  pid_t pid_ = -1;
  int out_ = -1;
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
  Child child(attempt, options);
  TRY(child.start(command, environment_of(inputs, outputs)));
  const int status = child.supervise();
  TRY(attempt.context->alive());
  if (WIFSIGNALED(status))
    return base::fail(Code::kInternal, std::string("command was ended by signal ") +
                                           strsignal(WTERMSIG(status)) +
                                           "; last lines: " + child.last_lines());
  if (WEXITSTATUS(status) == 127)
    return base::fail(Code::kInvalidArgument, "command cannot be run: " + command.front(),
                      "is it installed and on PATH? last lines: " + child.last_lines());
  if (WEXITSTATUS(status) != 0)
    return base::fail(Code::kInternal, "command ended with exit code " +
                                           std::to_string(WEXITSTATUS(status)) +
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
