#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "maru/base/process.h"
#include "maru/model/python.h"
#include "python/frames.h"

namespace maru::model {

// One child process that holds a model and answers one call at a time, started again whenever it ends. A thread of its own watches it: reads what it prints, and
// ends it when it needs too much memory or took too long. Thread safe.
class Worker {
 public:
  Worker(PythonOptions options, std::string folder);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Waits until it has started for the first time, and gives what it told of the model. One that fails the first time is not tried again.
  base::Result<base::Json> started();
  // kUnavailable while it starts again, with what ended it.
  base::Result<Frame> call(const base::Json& head, const std::vector<std::string_view>& body,
                           std::int64_t deadline_ns);
  std::uint64_t resident_bytes() const;

 private:
  void supervise(const std::stop_token& stop);
  base::Status live(const std::stop_token& stop);  // one life of the child; always ends with why
  base::Result<base::Process> spawn(int& channel) const;
  base::Result<base::Json> first_words(const std::stop_token& stop, base::Process& process,
                                       int channel);
  tl::unexpected<base::Error> did_not_start(base::Process& process, const base::Error& error);
  base::Status watch(const std::stop_token& stop, base::Process& process);
  void read_output(const base::Process& process, int wait_ms);
  base::Error with_output(base::Error error) const;
  std::optional<std::string> overgrown(const base::Process& process);

  const PythonOptions options_;
  const std::string folder_;
  std::string last_output_;  // of the watching thread
  std::int64_t measured_ns_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  int channel_ = -1;    // to a child that is ready; a call takes it and gives it back
  std::string doomed_;  // why the child is to be ended
  std::string down_;    // why there is none
  std::optional<base::Result<base::Json>> first_;
  std::uint64_t resident_bytes_ = 0;
  std::uint64_t life_ = 0;  // a channel of an earlier life is not given back
  std::jthread thread_;
};

}  // namespace maru::model
