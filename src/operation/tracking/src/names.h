#pragma once
#include <string>

#include "maru/base/result.h"

namespace maru::tracking {

inline constexpr std::size_t kMaxNameBytes = 250;

base::Status check_name(const char* what, const std::string& name);
// Relative, '/'-separated, no empty, "." or ".." part, no backslash, no control character.
base::Status check_path(const std::string& path);

}  // namespace maru::tracking
