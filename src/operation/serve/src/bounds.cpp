#include "bounds.h"

#include <algorithm>

#include "impl.h"
#include "maru/base/text.h"

namespace maru::serve {
namespace {

using base::Code;

base::Result<std::int64_t> bound_of(const base::Json& json, const std::string& name) {
  if (!json.has(name)) return 0;
  if (json[name].is_int() && json[name].as_int() > 0) return json[name].as_int();
  return base::fail(
      Code::kInvalidArgument,
      "bounds." + name + " is not a whole number from 1 up: " + json[name].dump().substr(0, 100));
}

tl::unexpected<base::Error> not_safe(const LoadedVersion& version, const std::string& measured) {
  return base::fail(Code::kRefused,
                    "version " + std::to_string(version.version) + " of " + version.model +
                        " is not safe to serve: " + measured,
                    "the version before stays; change the endpoint's bounds, or the model");
}

}  // namespace

base::Result<Bounds> Bounds::parse(const base::Json& json) {
  Bounds out;
  if (json.is_null()) return out;
  if (!json.is_object())
    return base::fail(Code::kInvalidArgument,
                      "bounds is not an object: " + json.dump().substr(0, 100));
  static const std::vector<std::string> kNames{"memory_bytes", "p99_us"};
  for (const auto& [name, value] : json.members()) {
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
      return base::fail(Code::kInvalidArgument, "bounds has no setting: " + name,
                        base::did_you_mean(name, kNames));
  }
  TRY_ASSIGN(const std::int64_t bytes, bound_of(json, "memory_bytes"));
  TRY_ASSIGN(out.p99_us, bound_of(json, "p99_us"));
  out.memory_bytes = static_cast<std::uint64_t>(bytes);
  return out;
}

base::Status Bounds::check(const LoadedVersion& version) const {
  const std::uint64_t bytes = version.bundle->memory_bytes();
  if (memory_bytes > 0 && bytes > memory_bytes)
    return not_safe(version, "it holds " + std::to_string(bytes) +
                                 " bytes of memory, above the declared " +
                                 std::to_string(memory_bytes));
  if (p99_us > 0 && version.p99_ns > p99_us * 1000)
    return not_safe(version, "its p99 is " + std::to_string(version.p99_ns / 1000) +
                                 " us a row, above the declared " + std::to_string(p99_us));
  return {};
}

}  // namespace maru::serve
