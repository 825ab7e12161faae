#pragma once
#include <string>
#include <vector>

#include "maru/transform/features.h"

namespace maru::transform {

// Columns of one group, by position in the plan. The output matrix is: plain numbers, scaled numbers, their missing indicators, ordinals, one-hot, words, calendars.
struct Layout {
  std::vector<std::size_t> numbers, scaled, indicators, ordinals, one_hot, words, calendars;
};
Layout layout_of(const FeaturePlan& plan);

// The names of the output matrix's columns, in its order.
std::vector<std::string> names_of(const FeaturePlan& plan);

// The parts of a calendar column that stay one number, and those that become 0/1 columns (linear learners: weekday, hour, month).
struct CalendarSplit {
  std::vector<std::size_t> plain, flags;  // positions in FeatureColumn::parts
};
CalendarSplit calendar_split(const FeatureColumn& column);

}  // namespace maru::transform
