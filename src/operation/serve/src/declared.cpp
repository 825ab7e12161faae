#include "declared.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::serve {

using base::Code;

base::Status known_keys(const base::Json& json, const std::string& what,
                        std::span<const std::string> known) {
  for (const auto& [key, value] : json.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return base::fail(Code::kInvalidArgument, what + " " + key.substr(0, 100),
                        base::did_you_mean(key, known));
  }
  return {};
}

base::Status read_whole(const base::Json& json, const std::string& part, const std::string& name,
                        std::int64_t least, std::int64_t most, std::int64_t& out) {
  if (!json.has(name)) return {};
  const base::Json& value = json[name];
  if (!value.is_int() || value.as_int() < least || value.as_int() > most)
    return base::fail(Code::kInvalidArgument,
                      part + "." + name + " is not a whole number from " + std::to_string(least) +
                          " to " + std::to_string(most) + ": " + value.dump().substr(0, 100));
  out = value.as_int();
  return {};
}

}  // namespace maru::serve
