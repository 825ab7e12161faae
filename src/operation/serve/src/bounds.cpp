#include "bounds.h"

#include "declared.h"
#include "impl.h"

namespace maru::serve {
namespace {

using base::Code;

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
  static const std::vector<std::string> kKnown = {"memory_bytes", "p99_us"};
  TRY(known_keys(json, "bounds has no setting:", kKnown));
  std::int64_t bytes = 0;
  TRY(read_whole(json, "bounds", "memory_bytes", 1, INT64_MAX, bytes));
  TRY(read_whole(json, "bounds", "p99_us", 1, INT64_MAX / 1000, out.p99_us));
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
                                 " us a call, above the declared " + std::to_string(p99_us));
  return {};
}

}  // namespace maru::serve
