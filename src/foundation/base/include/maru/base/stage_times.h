#pragma once
#include <cstdint>

namespace maru::base {

// Where the time of a prediction went, in nanoseconds; -1: there was no such stage, or it was not measured.
struct StageTimes {
  std::int64_t parse_ns = -1;     // reading rows into columns
  std::int64_t queue_ns = -1;     // waiting for a thread, from the arrival of the head
  std::int64_t features_ns = -1;  // looking up features by key
  std::int64_t model_ns = -1;
  std::int64_t post_ns = -1;  // from the model's numbers to the answer's text or tensors
  std::int64_t cpu_ns = -1;   // CPU time of the thread, parse to post
};

// CPU time of the calling thread so far. A system call: 0.2 to 0.6 us.
std::int64_t thread_cpu_ns();

}  // namespace maru::base
