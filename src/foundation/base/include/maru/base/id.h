#pragma once
#include <string>
#include <string_view>

#include "maru/base/clock.h"

namespace maru::base {

// A UUIDv7 (RFC 9562) as 32 lower-case hex digits: time-ordered by millisecond, 74 random bits, monotonic within a process. Thread safe.
std::string new_id(const Clock& clock);
bool is_id(std::string_view text);  // 32 lower-case hex digits

}  // namespace maru::base
