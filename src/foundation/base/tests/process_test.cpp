#include "maru/base/process.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

using namespace maru::base;

namespace {

// All that a child printed until it closed its output, and its wait status.
struct Ended {
  std::string output;
  int status = 0;
};

Ended finish(Process& process) {
  Ended out;
  std::array<char, 256> piece;
  for (ssize_t got = 0; (got = ::read(process.output(), piece.data(), piece.size())) > 0;)
    out.output.append(piece.data(), static_cast<std::size_t>(got));
  std::optional<int> status;
  while (!(status = process.ended())) ::poll(nullptr, 0, 1);
  out.status = *status;
  return out;
}

Process shell(const std::string& script, ProcessOptions options = {}) {
  options.command = {"sh", "-c", script};
  if (options.environment.empty()) options.environment = {"PATH=/usr/bin:/bin"};
  if (options.folder.empty()) options.folder = "/";
  auto out = Process::start(options);
  REQUIRE(out.has_value());
  return std::move(*out);
}

}  // namespace

TEST_CASE("a child's output, its end, its folder and its environment are told") {
  ProcessOptions options;
  options.environment = {"PATH=/usr/bin:/bin", "A=1"};
  options.folder = "/tmp";
  Process child =
      shell("pwd; echo $A $HOME; echo bad >&2; read x || echo no input; exit 3", options);
  const Ended ended = finish(child);
  CHECK(ended.output == "/tmp\n1\nbad\nno input\n");
  CHECK(wait_status_text(ended.status) == "exit code 3");
  CHECK(child.ended() == ended.status);
  CHECK(child.resident_bytes() == 0);
}

TEST_CASE("a program that is not there, and a folder that is not there, end with 127") {
  for (const char* folder : {"/", "/nowhere"}) {
    ProcessOptions options;
    options.command = {folder == std::string("/") ? "no-such-program" : "sh"};
    options.folder = folder;
    auto child = Process::start(options);
    REQUIRE(child.has_value());
    CHECK(wait_status_text(finish(*child).status) == "exit code 127");
  }
}

TEST_CASE("a signal reaches the whole group, and what a child leaves behind goes with it") {
  Process child = shell("sleep 1000 & sleep 1000");
  child.signal(SIGTERM);
  CHECK(wait_status_text(finish(child).status) ==
        "signal Terminated");  // the pipe is closed: both are gone
  Process parent = shell("sleep 1000 & echo started; exit 0");
  std::array<char, 8> told;
  REQUIRE(::read(parent.output(), told.data(), told.size()) == 8);
  while (!parent.ended()) ::poll(nullptr, 0, 1);
  CHECK(::read(parent.output(), told.data(), told.size()) == 0);
}

TEST_CASE("it goes with its owner, and finds the channel and no other descriptor") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  ProcessOptions options;
  options.channel = ends[1];
  {
    Process child = shell("echo hello >&3; ls /proc/self/fd | wc -l >&3; sleep 1000", options);
    ::close(ends[1]);
    std::string got;
    std::array<char, 64> piece;
    while (got.size() < 8) {
      const ssize_t more = ::read(ends[0], piece.data(), piece.size());
      REQUIRE(more > 0);
      got.append(piece.data(), static_cast<std::size_t>(more));
    }
    CHECK(got == "hello\n5\n");  // 0, 1, 2, the channel, and the folder that `ls` reads
    CHECK(child.resident_bytes() > 0);
  }
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);
  ::close(ends[0]);
}

TEST_CASE("memory over the limit is refused to the child") {
  ProcessOptions options;
  options.data_limit_bytes = 64u << 20;
  Process child = shell("x=1234567890123456; while :; do x=$x$x; done", options);
  CHECK(finish(child).status != 0);
}
