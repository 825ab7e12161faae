#include "python/worker.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "maru/base/log.h"
#include "maru/base/text.h"
#include "python/worker_script.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

constexpr int kLookMs = 100;
constexpr std::size_t kKeptOutput = 2000;
constexpr std::int64_t kFirstRestMs = 500, kLongestRestMs = 30'000;
constexpr std::int64_t kHealthyLifeMs = 60'000;  // after such a life the next rest is short again
constexpr std::int64_t kMeasureMs = 500;

// Enough to find an interpreter and its packages; nothing that a model's code should not know.
constexpr std::array kPassedOn = {"PATH",       "HOME",          "USER",
                                  "LANG",       "LC_ALL",        "TZ",
                                  "TMPDIR",     "VIRTUAL_ENV",   "CONDA_PREFIX",
                                  "PYTHONPATH", "PYTHONHOME",    "LD_LIBRARY_PATH",
                                  "PYENV_ROOT", "PYENV_VERSION", "CUDA_VISIBLE_DEVICES"};

std::vector<std::string> environment() {
  std::vector<std::string> out = {"PYTHONUNBUFFERED=1",
                                  "PYTHONDONTWRITEBYTECODE=1",
                                  "PYTHONIOENCODING=utf-8",
                                  "OMP_NUM_THREADS=1",
                                  "OPENBLAS_NUM_THREADS=1",
                                  "MKL_NUM_THREADS=1",
                                  "ORT_DISABLE_TELEMETRY=1",
                                  "DO_NOT_TRACK=1",
                                  "MLFLOW_DISABLE_TELEMETRY=true",
                                  "MLFLOW_TRACKING_URI=",
                                  "GIT_PYTHON_REFRESH=quiet"};
  for (const char* name : kPassedOn) {
    if (const char* value = ::getenv(name)) out.push_back(std::string(name) + "=" + value);
  }
  return out;
}

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Worker::Worker(PythonOptions options, std::string folder)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      thread_([this](const std::stop_token& stop) { supervise(stop); }) {}

Worker::~Worker() {
  thread_.request_stop();
  changed_.notify_all();
}

Result<Json> Worker::started() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return first_.has_value(); });
  return *first_;
}

std::uint64_t Worker::resident_bytes() const {
  const std::lock_guard lock(mutex_);
  return resident_bytes_;
}

Result<Frame> Worker::call(const Json& head, const std::vector<std::string_view>& body,
                           std::int64_t deadline_ns) {
  int channel = -1;
  std::uint64_t life = 0;
  {
    const std::lock_guard lock(mutex_);
    if (channel_ < 0)
      return fail(Code::kUnavailable,
                  "the model's process is started again" + (down_.empty() ? "" : ": " + down_),
                  "try again in a moment");
    channel = std::exchange(channel_, -1);
    life = life_;
  }
  Result<Frame> out = [&]() -> Result<Frame> {
    TRY(send_frame(channel, head, body, *options_.clock, deadline_ns));
    return receive_frame(channel, *options_.clock, deadline_ns);
  }();
  const bool exhausted = out && out->head["kind"].as_string() == "memory";
  const std::lock_guard lock(mutex_);
  if (out && !exhausted && life == life_) {
    channel_ = channel;
    return out;
  }
  ::close(channel);  // no other call goes to a child that is to be ended
  if (life == life_ && doomed_.empty())
    doomed_ = exhausted ? "it ran out of memory" : out.error().message;
  return out;
}

void Worker::supervise(const std::stop_token& stop) {
  std::int64_t rest_ms = kFirstRestMs;
  while (!stop.stop_requested()) {
    const std::int64_t began_ns = options_.clock->monotonic_ns();
    const Status ended = live(stop);
    const std::int64_t lived_ms = (options_.clock->monotonic_ns() - began_ns) / 1'000'000;
    std::unique_lock lock(mutex_);
    if (!first_) {
      first_ = tl::unexpected<base::Error>(with_output(ended.error()));
      changed_.notify_all();
      return;
    }
    if (stop.stop_requested()) return;
    down_ = ended.error().message;
    rest_ms = lived_ms > kHealthyLifeMs ? kFirstRestMs : rest_ms;
    base::log_warn("a model's process ended", {{"folder", folder_},
                                               {"reason", down_},
                                               {"output", base::replace_invalid_utf8(last_output_)},
                                               {"rest_ms", std::to_string(rest_ms)}});
    changed_.wait_for(lock, stop, std::chrono::milliseconds(rest_ms), [] { return false; });
    rest_ms = std::min(2 * rest_ms, kLongestRestMs);
  }
}

Status Worker::live(const std::stop_token& stop) {
  int channel = -1;
  last_output_.clear();
  TRY_ASSIGN(base::Process process, spawn(channel));
  auto told = first_words(stop, process, channel);
  if (!told) {
    ::close(channel);
    return tl::unexpected<base::Error>(std::move(told.error()));
  }
  {
    const std::lock_guard lock(mutex_);
    ++life_;
    channel_ = channel;
    doomed_.clear();
    down_.clear();
    resident_bytes_ = process.resident_bytes();
    if (!first_) first_ = std::move(*told);
    changed_.notify_all();
  }
  Status ended = watch(stop, process);
  const std::lock_guard lock(mutex_);
  ++life_;  // a call under way closes the channel that it has
  if (channel_ >= 0) ::close(std::exchange(channel_, -1));
  resident_bytes_ = 0;
  return ended;
}

Result<base::Process> Worker::spawn(int& channel) const {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(Code::kInternal, std::string("socketpair: ") + std::strerror(errno));
  auto process =
      base::Process::start({.command = {options_.interpreter, "-c", kWorkerScript, folder_},
                            .environment = environment(),
                            .folder = folder_,
                            .data_limit_bytes = options_.memory_limit_bytes,
                            .channel = ends[1]});
  ::close(ends[1]);
  if (!process) {
    ::close(ends[0]);
    return process;
  }
  channel = ends[0];
  return process;
}

// What the child tells of the model once it has loaded it.
Result<Json> Worker::first_words(const std::stop_token& stop, base::Process& process, int channel) {
  base::Clock& clock = *options_.clock;
  const std::int64_t deadline_ns = clock.monotonic_ns() + options_.start_timeout_ms * 1'000'000;
  for (;;) {
    read_output(process, kLookMs);
    if (stop.stop_requested()) return fail(Code::kCancelled, "the model is no longer wanted");
    pollfd words{channel, POLLIN, 0};
    if (::poll(&words, 1, 0) > 0) break;  // also when the child has closed it
    if (clock.monotonic_ns() > deadline_ns)
      return fail(Code::kDeadlineExceeded, "the model did not load in " +
                                               std::to_string(options_.start_timeout_ms / 1000) +
                                               " s (python.start-timeout-ms)");
  }
  auto frame = receive_frame(channel, clock, deadline_ns);
  if (!frame) return did_not_start(process, frame.error());
  if (frame->head.has("error"))
    return fail(Code::kInvalidArgument,
                "Python could not load the model: " + frame->head["error"].as_string(),
                "python.interpreter (" + options_.interpreter +
                    ") needs mlflow and what the model's requirements.txt names");
  return std::move(frame->head);
}

tl::unexpected<base::Error> Worker::did_not_start(base::Process& process,
                                                  const base::Error& error) {
  std::optional<int> status;
  for (int look = 0; look < 10 && !status; ++look) {  // the channel closes a little before the end
    read_output(process, kLookMs);
    status = process.ended();
  }
  if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == 127)
    return fail(Code::kInvalidArgument, "Python is not there: " + options_.interpreter,
                "python.interpreter names the interpreter of an environment with mlflow");
  return fail(Code::kInvalidArgument,
              "Python could not load the model: " +
                  (status ? base::wait_status_text(*status) : error.message),
              "python.interpreter (" + options_.interpreter +
                  ") names the interpreter of an environment with mlflow");
}

Status Worker::watch(const std::stop_token& stop, base::Process& process) {
  for (;;) {
    read_output(process, kLookMs);
    if (stop.stop_requested()) return fail(Code::kCancelled, "the model is no longer wanted");
    if (const auto status = process.ended())
      return fail(Code::kUnavailable, "it ended with " + base::wait_status_text(*status));
    const auto reason = overgrown(process);
    if (!reason) continue;
    process.signal(SIGKILL);
    return fail(Code::kUnavailable, *reason);
  }
}

// Why the child is to be ended, if it is.
std::optional<std::string> Worker::overgrown(const base::Process& process) {
  const std::int64_t now_ns = options_.clock->monotonic_ns();
  const std::lock_guard lock(mutex_);
  if (!doomed_.empty()) return doomed_;
  if (now_ns - measured_ns_ < kMeasureMs * 1'000'000) return std::nullopt;
  measured_ns_ = now_ns;
  resident_bytes_ = process.resident_bytes();
  if (options_.memory_limit_bytes == 0 || resident_bytes_ <= options_.memory_limit_bytes)
    return std::nullopt;
  return "it used " + megabytes(resident_bytes_) + ", more than python.memory allows (" +
         megabytes(options_.memory_limit_bytes) + ")";
}

// Everything that is there after at most `wait_ms`; the last of it is kept.
void Worker::read_output(const base::Process& process, int wait_ms) {
  std::array<char, 8192> piece;
  for (std::size_t pieces = 0; pieces < 64; ++pieces) {  // a flood must not keep it from watching
    pollfd one{process.output(), POLLIN, 0};
    if (::poll(&one, 1, pieces == 0 ? wait_ms : 0) <= 0) return;
    const ssize_t got = ::read(process.output(), piece.data(), piece.size());
    if (got <= 0) {  // closed: the child may live on
      if (pieces == 0) ::poll(nullptr, 0, wait_ms);
      return;
    }
    last_output_.append(piece.data(), static_cast<std::size_t>(got));
    if (last_output_.size() > kKeptOutput) last_output_.erase(0, last_output_.size() - kKeptOutput);
  }
}

base::Error Worker::with_output(base::Error error) const {
  const std::string tail(base::trim(last_output_));
  if (!tail.empty()) error.message += "; its last output: " + base::replace_invalid_utf8(tail);
  return error;
}

}  // namespace maru::model
