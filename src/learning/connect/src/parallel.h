#pragma once
#include <cstdint>
#include <functional>

#include "maru/base/context.h"
#include "maru/base/result.h"

namespace maru::connect {

// Runs task(0) ... task(count - 1), `threads` at a time and in order of their numbers. After the first failure no further one begins, and
// `stop` is set for those that run; that failure is returned.
base::Status in_parallel(std::size_t count, std::size_t threads, base::Context& context,
                         const std::function<base::Status(std::size_t, base::Context&)>& task);
// Waits, unless the work should stop before.
base::Status pause(base::Context& context, std::int64_t wait_ms);

}  // namespace maru::connect
