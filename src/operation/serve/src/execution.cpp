#include "execution.h"

#include "maru/base/text.h"

namespace maru::serve {
namespace {

struct Key {
  const char* name;
  std::int64_t least, most;
};
constexpr Key kKeys[] = {
    {"queue_calls", 1, 1'000'000},      {"queue_bytes", 1, std::int64_t{1} << 40},
    {"caller_calls", 0, 1'000'000},     {"wait_ms", 1, 3'600'000},
    {"timeout_ms", 0, 3'600'000},       {"batch_rows", 1, 1'000'000},
    {"batch_delay_us", 0, 1'000'000},   {"cache_bytes", 0, std::int64_t{1} << 40},
    {"cache_ms", 1, 30ll * 86'400'000},
};

std::vector<std::string> key_names() {
  std::vector<std::string> out;
  for (const Key& key : kKeys) out.emplace_back(key.name);
  return out;
}

base::Status check(const std::string& name, const base::Json& value) {
  for (const Key& key : kKeys) {
    if (name != key.name) continue;
    if (value.is_int() && value.as_int() >= key.least && value.as_int() <= key.most) return {};
    return base::fail(base::Code::kInvalidArgument,
                      "execution." + name + " is not a whole number from " +
                          std::to_string(key.least) + " to " + std::to_string(key.most) + ": " +
                          value.dump().substr(0, 100));
  }
  return base::fail(base::Code::kInvalidArgument, "execution has no setting: " + name,
                    base::did_you_mean(name, key_names()));
}

}  // namespace

base::Result<Execution> parse_execution(const base::Json& json) {
  Execution out;
  if (json.is_null()) return out;
  if (!json.is_object())
    return base::fail(base::Code::kInvalidArgument,
                      "execution is not an object: " + json.dump().substr(0, 100));
  for (const auto& [name, value] : json.members()) TRY(check(name, value));
  const auto number = [&](const char* name, auto& field) {
    if (json.has(name)) field = static_cast<std::decay_t<decltype(field)>>(json[name].as_int());
  };
  number("queue_calls", out.queue_calls);
  number("queue_bytes", out.queue_bytes);
  number("caller_calls", out.caller_calls);
  number("wait_ms", out.wait_ms);
  number("timeout_ms", out.timeout_ms);
  number("batch_rows", out.batch_rows);
  number("batch_delay_us", out.batch_delay_us);
  number("cache_bytes", out.cache_bytes);
  number("cache_ms", out.cache_ms);
  return out;
}

}  // namespace maru::serve
