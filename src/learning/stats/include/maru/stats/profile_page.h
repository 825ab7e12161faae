#pragma once
#include <string>

#include "maru/stats/profile.h"

namespace maru::stats {

// A profile as one HTML file that needs nothing else: no script, no network, readable in light and dark.
std::string profile_page(const Profile& profile, const std::string& title);

}  // namespace maru::stats
