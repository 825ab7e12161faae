#include "layout.h"

#include "calendar.h"

namespace maru::transform {

Layout layout_of(const FeaturePlan& plan) {
  Layout out;
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    switch (plan.columns[i].encoding) {
      case Encoding::kNumber:
        out.numbers.push_back(i);
        break;
      case Encoding::kScaled:
        if (plan.columns[i].missing_indicator) out.indicators.push_back(out.scaled.size());
        out.scaled.push_back(i);
        break;
      case Encoding::kOrdinal:
        out.ordinals.push_back(i);
        break;
      case Encoding::kOneHot:
        out.one_hot.push_back(i);
        break;
      case Encoding::kWords:
        out.words.push_back(i);
        break;
      case Encoding::kCalendar:
        out.calendars.push_back(i);
        break;
      case Encoding::kDropped:
        break;
    }
  }
  return out;
}

CalendarSplit calendar_split(const FeatureColumn& column) {
  CalendarSplit out;
  std::int64_t first = 0, count = 0;
  for (std::size_t i = 0; i < column.parts.size(); ++i)
    (!column.part_scale.empty() && part_range(column.parts[i], first, count) ? out.flags
                                                                             : out.plain)
        .push_back(i);
  return out;
}

std::vector<std::string> names_of(const FeaturePlan& plan) {
  const Layout layout = layout_of(plan);
  std::vector<std::string> out;
  for (const std::size_t i : layout.numbers) out.push_back(plan.columns[i].name);
  for (const std::size_t i : layout.scaled) out.push_back(plan.columns[i].name);
  for (const std::size_t at : layout.indicators)
    out.push_back(plan.columns[layout.scaled[at]].name + " is missing");
  for (const std::size_t i : layout.ordinals) out.push_back(plan.columns[i].name);
  for (const std::size_t i : layout.one_hot) {
    const FeatureColumn& column = plan.columns[i];
    for (const std::string& value : column.vocabulary) out.push_back(column.name + " = " + value);
    out.push_back(column.name + " is other");
    if (column.missing_indicator) out.push_back(column.name + " is missing");
  }
  for (const std::size_t i : layout.words) {
    for (const std::string& word : plan.columns[i].vocabulary)
      out.push_back(plan.columns[i].name + " has " + word);
  }
  for (const std::size_t i : layout.calendars) {
    const FeatureColumn& column = plan.columns[i];
    const CalendarSplit split = calendar_split(column);
    for (const std::size_t part : split.plain)
      out.push_back(column.name + " " + column.parts[part]);
    for (const std::size_t part : split.flags) {
      std::int64_t first = 0, count = 0;
      part_range(column.parts[part], first, count);
      for (std::int64_t v = 0; v < count; ++v)
        out.push_back(column.name + " " + column.parts[part] + " = " + std::to_string(first + v));
    }
    if (!column.part_scale.empty() && column.missing_indicator)
      out.push_back(column.name + " is missing");
  }
  return out;
}

}  // namespace maru::transform
