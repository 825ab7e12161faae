#include "maru/base/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "maru/base/file.h"

namespace maru::base {
namespace {

void limit(int resource, std::uint64_t bytes) {
  const rlimit both{bytes, bytes};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// Between fork and exec only async-signal-safe calls are allowed.
[[noreturn]] void become(const ProcessOptions& options, int output, char* const* argv,
                         char* const* envp) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  // Connections and files of this process must not live on in the child. dup2 to itself would keep the mark that closes it.
  if (options.channel == kChildChannel)
    ::fcntl(kChildChannel, F_SETFD, 0);
  else if (options.channel >= 0)
    ::dup2(options.channel, kChildChannel);
  ::close_range(static_cast<unsigned>(options.channel >= 0 ? kChildChannel + 1 : kChildChannel),
                ~0U, 0);
  // Handlers of this process must not run in the child's place.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  limit(RLIMIT_CORE, 0);
  if (options.address_limit_bytes > 0) limit(RLIMIT_AS, options.address_limit_bytes);
  if (options.data_limit_bytes > 0) limit(RLIMIT_DATA, options.data_limit_bytes);
  if (::chdir(options.folder.c_str()) == 0) ::execvpe(argv[0], argv, envp);
  ::_exit(127);
}

}  // namespace

Result<Process> Process::start(const ProcessOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(Code::kInternal, std::string("pipe cannot be made: ") + std::strerror(errno));
  const auto argv = pointers(options.command), envp = pointers(options.environment);
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // until the child has let go of its handlers
  const pid_t id = ::fork();
  if (id == 0) become(options, ends[1], argv.data(), envp.data());
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(ends[1]);
  if (id < 0) {
    ::close(ends[0]);
    return fail(Code::kInternal, std::string("process cannot be started: ") + std::strerror(error));
  }
  ::setpgid(id, id);
  return Process(id, ends[0]);
}

Process::Process(Process&& other) noexcept
    : id_(std::exchange(other.id_, -1)),
      output_(std::exchange(other.output_, -1)),
      status_(other.status_) {}

Process::~Process() {
  if (id_ > 0 && !status_) {
    ::kill(-id_, SIGKILL);
    ::kill(id_, SIGKILL);  // before it had its group
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (output_ >= 0) ::close(output_);
}

std::optional<int> Process::ended() {
  if (status_) return status_;
  int status = 0;
  if (::waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  ::kill(-id_, SIGKILL);
  status_ = status;
  return status_;
}

void Process::signal(int number) const {
  if (!status_) ::kill(-id_, number);
}

std::uint64_t Process::resident_bytes() const {
  if (status_) return 0;
  const auto text = read_file("/proc/" + std::to_string(id_) + "/statm", 4096);
  if (!text) return 0;
  const std::size_t space = text->find(' ');
  if (space == std::string::npos) return 0;
  return std::strtoull(text->c_str() + space, nullptr, 10) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string wait_status_text(int status) {
  if (WIFSIGNALED(status)) return std::string("signal ") + ::strsignal(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace maru::base
