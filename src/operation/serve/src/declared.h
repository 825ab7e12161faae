#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "maru/base/json.h"
#include "maru/base/result.h"

// What a person declares on an endpoint, as JSON: refused by name.
namespace maru::serve {

// kInvalidArgument "WHAT KEY" for the first key of an object that is not known, with a near one as hint.
base::Status known_keys(const base::Json& json, const std::string& what,
                        std::span<const std::string> known);
// The number of that name, or `out` as it is without one. kInvalidArgument when it is no whole number from `least` to `most`.
base::Status read_whole(const base::Json& json, const std::string& part, const std::string& name,
                        std::int64_t least, std::int64_t most, std::int64_t& out);

}  // namespace maru::serve
