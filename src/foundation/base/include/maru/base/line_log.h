#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::base {

struct LineCounts {
  std::uint64_t written = 0, dropped = 0;
};

// Lines for a file of their own that is rotated (FILE, FILE.1, ...). write() takes a copy and never waits for the disk: a thread writes about five times a second,
// or when half of `queue_bytes` waits; what does not fit is dropped, counted, and told in the file as {"dropped": N}. Thread safe.
class LineLog {
 public:
  struct Options {
    std::string file;
    std::size_t rotate_bytes = 64u << 20;
    int rotate_files = 5;  // older ones that are kept
    std::size_t queue_bytes = 4u << 20;
  };
  static Result<std::unique_ptr<LineLog>> open(const Options& options);
  virtual ~LineLog() = default;  // writes what waits
  virtual void write(std::string_view line) = 0;
  virtual void flush() = 0;  // returns when what was taken is in the file
  virtual LineCounts counts() const = 0;
};

}  // namespace maru::base
