#pragma once
#include <string>

#include "maru/base/result.h"

namespace maru::tracking {

inline constexpr std::size_t kMaxNameBytes = 250;
inline constexpr std::size_t kMaxAliasBytes = 4 * 255;  // 255 characters of any script
inline constexpr std::size_t kMaxPathBytes = 1000;
inline constexpr std::size_t kMaxLabelBytes = 1000;
inline constexpr std::size_t kMaxExperimentNameCharacters = 500;
inline constexpr std::size_t kMaxKeyCharacters = 250;

inline constexpr std::size_t kMaxValueBytes = 64u << 10;  // of a parameter or tag
inline constexpr std::size_t kMaxBatchEntries = 100'000;  // of one log() call

// A metric, parameter or tag key: 1..250 characters, '/' may stand inside ("system/cpu") but not lead out ("/a", "a/../b").
base::Status check_key(const char* what, const std::string& key);
base::Status check_name(const char* what, const std::string& name,
                        std::size_t most_bytes = kMaxNameBytes);
// 1..500 characters; '/' makes a hierarchy ("vision/detector").
base::Status check_experiment_name(const std::string& name);
// What people write as the name of a run: any text of 1..1000 bytes without control characters.
base::Status check_label(const char* what, const std::string& text);
// Relative, '/'-separated, no empty, "." or ".." part, no backslash, no control character.
base::Status check_path(const std::string& path);

// A folder below the path of a URI; a query of the URI stays behind it.
std::string below_uri(const std::string& uri, const std::string& path);

}  // namespace maru::tracking
