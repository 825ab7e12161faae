#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "maru/base/clock.h"
#include "maru/base/stage_times.h"

namespace maru::http {

class Headers;

// W3C Trace Context (https://www.w3.org/TR/trace-context/): the caller's trace, and this server's part in it.
struct TraceContext {
  std::string trace_id;   // 32 hex digits, the caller's
  std::string parent_id;  // 16 hex digits: the caller's span
  std::string span_id;    // 16 hex digits: this call's
  std::uint8_t flags = 0;
  std::string header() const;  // "00-<trace id>-<this call's span>-<flags>"
};

// What `traceparent` says; null when there is none, more than one, or one that the specification says to ignore.
std::shared_ptr<const TraceContext> read_trace(const Headers& headers, const base::Clock& clock);

// `Server-Timing` (W3C Server Timing, milliseconds) for a caller that asked with `X-Maru-Timing: 1`.
std::string server_timing(const base::StageTimes& times, std::int64_t total_ns);

}  // namespace maru::http
