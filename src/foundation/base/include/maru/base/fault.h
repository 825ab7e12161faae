#pragma once
#include <string_view>

namespace maru::base {

// Named points before every durable step, for tests of failure. Environment MARU_FAULT = "name:n:action[,...]": on the n-th pass (1-based) of
// `name` ("*" is any point) the action is `eio`, `enospc` (the call fails with that errno) or `kill` (SIGKILL of the process).
// Returns 0, or the errno that the caller must act on. Without MARU_FAULT it costs one relaxed load.
int fault_point(std::string_view name);
// For tests within one process; "" clears. Resets the counters.
void set_faults(std::string_view spec);

}  // namespace maru::base
