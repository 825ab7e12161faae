#pragma once
#include <cstddef>
#include <cstdint>

namespace maru::base {

// What this process and those that it started use: models in Python, commands of pipelines.
struct ProcessUsage {
  double cpu_seconds = 0;            // of this process
  std::uint64_t resident_bytes = 0;  // of it now
  double children_cpu_seconds = 0;   // of those that run and of those that ended
  std::uint64_t children_resident_bytes = 0;
  std::size_t children = 0;  // that run
};

// From /proc; what cannot be read counts nothing. Thread safe.
ProcessUsage process_usage();

}  // namespace maru::base
