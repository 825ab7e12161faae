#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "maru/data/table.h"
#include "maru/monitor/monitor.h"

namespace maru::monitor {

// Realised quality of a window: a metric over rows whose label is known.
struct Realised {
  std::uint64_t labelled = 0;           // usable labels
  double value = 0, low = 0, high = 0;  // NaN when it cannot be said
};
// The metric that can be computed for this configuration: its own, or accuracy for multiclass.
std::string realised_metric(const MonitorConfig& config);
bool larger_is_better(std::string_view metric);

// rows: columns id, score, prediction of the log. A label that names no class, or no number, is not usable.
Realised realised(const MonitorConfig& config, const data::Table& rows,
                  const std::unordered_map<std::string, std::string>& labels);

// Area under the ROC curve by midranks with DeLong's variance (DeLong 1988; Sun & Xu 2014), 95 % normal interval cut to [0, 1]. NaN when one class is absent.
Realised roc_auc(const std::vector<double>& scores, const std::vector<int>& positives);

}  // namespace maru::monitor
