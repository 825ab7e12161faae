#pragma once
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/tune/tune.h"

namespace maru::tune {

// A blend has to be this much better than its better half to be worth two models: of an area, or relative of an error.
inline constexpr double kBlendGain = 0.0005;

bool needs_threshold(const std::string& metric);  // accuracy, f1, ...: of decisions, not of scores

struct BlendWeight {
  double first = 0.5;  // share of the first model's answer; the second has the rest
  double value = 0;    // of the metric
};
// The mean of a metric over folds, weighted by their rows; folds without a value do not count. Metrics of decisions use the threshold that suits each fold.
base::Result<double> mean_metric(const std::string& metric,
                                 const std::vector<std::vector<double>>& labels,
                                 const std::vector<model::Predictions>& answers);

// The best of nine shares by `metric`, over one fold or several.
base::Result<BlendWeight> choose_blend(const std::string& metric,
                                       const std::vector<std::vector<double>>& labels,
                                       const std::vector<model::Predictions>& first,
                                       const std::vector<model::Predictions>& second);
base::Result<BlendWeight> choose_blend(const std::string& metric, const std::vector<double>& labels,
                                       const model::Predictions& first,
                                       const model::Predictions& second);
model::Predictions mix_of(const model::Predictions& first, const model::Predictions& second,
                          double share);

// One graph that answers first * share + second * (1 - share). Both end in "scores" [N,K] double; inputs of the same name are shared.
base::Result<transform::Graph> blend_graphs(const transform::Graph& first,
                                            const transform::Graph& second, double share);
model::Signature blend_signatures(const model::Signature& first, const model::Signature& second);

}  // namespace maru::tune
