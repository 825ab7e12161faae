#pragma once
#include <string>

#include "maru/base/result.h"

namespace maru::tracking {

inline constexpr std::size_t kMaxNameBytes = 250;
inline constexpr std::size_t kMaxPathBytes = 1000;

inline constexpr std::size_t kMaxValueBytes = 64u << 10;  // of a parameter or tag
inline constexpr std::size_t kMaxBatchEntries = 100'000;  // of one log() call

// A metric, parameter or tag key: as a name, but '/' may stand inside ("system/cpu").
base::Status check_key(const char* what, const std::string& key);
base::Status check_name(const char* what, const std::string& name);
// Relative, '/'-separated, no empty, "." or ".." part, no backslash, no control character.
base::Status check_path(const std::string& path);

}  // namespace maru::tracking
