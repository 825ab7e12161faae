#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/result.h"

namespace maru::base {

struct ProcessOptions {
  std::vector<std::string> command;       // the program is looked up on PATH
  std::vector<std::string> environment;   // "NAME=value": all of it
  std::string folder;                     // where it works
  std::uint64_t address_limit_bytes = 0;  // of everything it maps (RLIMIT_AS); 0: none
  std::uint64_t data_limit_bytes = 0;     // of memory that is its own (RLIMIT_DATA); 0: none
  int channel = -1;  // a descriptor of the caller that the child finds as kChildChannel; -1: none
};
inline constexpr int kChildChannel = 3;

// A child process in a process group of its own, with /dev/null as input, its output and errors in one pipe, no other descriptor of this process, and no core file.
// It is killed when the thread that started it ends, so that no orphan works on. Not thread safe. The destructor kills it and what it left in its group.
class Process {
 public:
  // kInternal when the system refuses. A program that is not there ends with code 127.
  static Result<Process> start(const ProcessOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  int output() const { return output_; }  // to read from, and to poll
  // The wait status once it has ended; what it left running in its group is killed then.
  std::optional<int> ended();
  void signal(int number) const;         // to its whole group; nothing once it has ended
  std::uint64_t resident_bytes() const;  // of the process itself; 0 once it has ended

 private:
  Process(int id, int output) : id_(id), output_(output) {}
  int id_ = -1, output_ = -1;
  std::optional<int> status_;
};

// "signal Killed", "exit code 3"
std::string wait_status_text(int status);

}  // namespace maru::base
