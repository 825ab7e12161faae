#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::pipeline {

inline constexpr std::uint64_t kMaxLogBytes =
    8u << 20;  // of one task; what comes later is dropped with a word
inline constexpr std::uint64_t kMaxLogReadBytes = 1u << 20;  // of one answer

// Appends lines to one task's log file. Thread safe. A failure to write never fails the task.
class AttemptLog {
 public:
  AttemptLog(std::string path, std::int64_t time_us);
  ~AttemptLog();
  AttemptLog(const AttemptLog&) = delete;
  AttemptLog& operator=(const AttemptLog&) = delete;
  void line(std::int64_t time_us, std::string_view text);

 private:
  std::mutex mutex_;
  int fd_ = -1;
  std::uint64_t written_ = 0;
};

base::Result<std::string> read_log(const std::string& path, std::uint64_t from_byte);

}  // namespace maru::pipeline
