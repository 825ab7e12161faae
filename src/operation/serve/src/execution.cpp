#include "execution.h"

#include <vector>

#include "declared.h"

namespace maru::serve {

base::Result<Execution> parse_execution(const base::Json& json) {
  static const std::vector<std::string> kKnown = {"queue_calls",    "queue_bytes", "caller_calls",
                                                  "wait_ms",        "timeout_ms",  "batch_rows",
                                                  "batch_delay_us", "cache_bytes", "cache_ms"};
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 40, kHourMs = 3'600'000;
  Execution out;
  if (json.is_null()) return out;
  if (!json.is_object())
    return base::fail(base::Code::kInvalidArgument,
                      "execution is not an object: " + json.dump().substr(0, 100));
  TRY(known_keys(json, "execution has no setting:", kKnown));
  const auto read = [&](const char* name, std::int64_t least, std::int64_t most,
                        auto& field) -> base::Status {
    auto value = static_cast<std::int64_t>(field);
    TRY(read_whole(json, "execution", name, least, most, value));
    field = static_cast<std::decay_t<decltype(field)>>(value);
    return {};
  };
  TRY(read("queue_calls", 1, 1'000'000, out.queue_calls));
  TRY(read("queue_bytes", 1, kMostBytes, out.queue_bytes));
  TRY(read("caller_calls", 0, 1'000'000, out.caller_calls));
  TRY(read("wait_ms", 1, kHourMs, out.wait_ms));
  TRY(read("timeout_ms", 0, kHourMs, out.timeout_ms));
  TRY(read("batch_rows", 1, 1'000'000, out.batch_rows));
  TRY(read("batch_delay_us", 0, 1'000'000, out.batch_delay_us));
  TRY(read("cache_bytes", 0, kMostBytes, out.cache_bytes));
  TRY(read("cache_ms", 1, 30 * 24 * kHourMs, out.cache_ms));
  return out;
}

}  // namespace maru::serve
