#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace maru::serve {

// Which arm answered is written into the id of a prediction whose route has several: 20 of the 62 random bits of the UUIDv7 hold the version (modulo 16384) and
// the segment. A reward then finds its arm without a look into the log, however late it comes; 42 random bits a millisecond stay.
void tag_id(std::string& id, int version, std::size_t segment);

struct IdTag {
  int version_low = 0;  // the version modulo kTagVersions
  std::size_t segment = 0;
  std::int64_t time_us = 0;  // of the prediction, in whole milliseconds
};
inline constexpr int kTagVersions = 16384;
inline constexpr std::size_t kTagSegments = 64;
std::optional<IdTag> read_tag(std::string_view id);  // none when it is no id

// In [0, 1), from the bits of the id that no tag changes: the choice of a call without a key can be told again from its id.
double chance_of(std::string_view id);

}  // namespace maru::serve
