#pragma once
#include <string>
#include <string_view>

#include "maru/http/message.h"

namespace maru::http {

// Splits a request target into path and query and decodes both once. Fills target, path and query of `request`; an absolute form
// ("http://host/path") puts its authority into `authority`. kInvalidArgument for a path that could mean another place than it says:
// "." and ".." segments, backslash, NUL, control characters, bad escapes, invalid UTF-8.
base::Status parse_target(std::string_view target, Request& request, std::string& authority);

}  // namespace maru::http
