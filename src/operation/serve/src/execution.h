#pragma once
#include <cstddef>
#include <cstdint>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::serve {

// How calls of an endpoint's models of tensors are run: EndpointConfig::execution, docs/serving.md. Models of columns answer in microseconds and wait for nothing.
struct Execution {
  std::size_t queue_calls = 1024;          // that wait; beyond: refused
  std::uint64_t queue_bytes = 256u << 20;  // of their inputs
  std::size_t caller_calls = 0;            // that wait of one caller; 0: no limit of its own
  std::int64_t wait_ms = 10'000;           // a call that would wait longer is refused when it comes
  std::int64_t timeout_ms = 0;             // of a call that names no deadline; 0: none
  std::int64_t batch_rows = 1;             // of calls that run together
  std::int64_t batch_delay_us = 0;         // how long a batch waits for more calls
  std::uint64_t cache_bytes = 0;           // of kept answers; 0: none are kept
  std::int64_t cache_ms = 60'000;          // how long an answer is kept
};

// null is the default of everything. kInvalidArgument names the key.
base::Result<Execution> parse_execution(const base::Json& json);

}  // namespace maru::serve
