#pragma once
#include <string>

#include "maru/stats/measures.h"

namespace maru::stats {

// A simple law that turns the old numbers into the new ones, as far as chance lets one tell.
struct NumberChange {
  std::string kind;  // scale, shift, mirrored, stretched, rounded; empty: none fits
  double factor = 1, shift = 0;
  double explained = 0;  // share of Wasserstein's distance that is gone once it is undone
  std::string meaning;   // "km to miles", "1 hour"; may be empty
};
NumberChange find_change(const Sample& before, const Sample& after, bool time);

}  // namespace maru::stats
