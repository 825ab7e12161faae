#pragma once
#include <set>
#include <string>
#include <string_view>

namespace maru::stats {

// Words of a column's name in small letters: "pickupCensus_tract2" -> pickup, census, tract. Hangul and the like stand as they are.
std::set<std::string> name_words(std::string_view name);

}  // namespace maru::stats
