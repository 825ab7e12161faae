#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/model/model.h"

namespace maru::model {

// On what scale contributions add up: the answer's own, log-odds (binary: of classes[1]; multiclass: of each class before they are made to sum to 1),
// the logarithm of the answer, or probabilities.
enum class Scale : std::uint8_t { kValue, kLogOdds, kLog, kProbability };
std::string_view scale_name(Scale scale);  // "value", "log_odds", "log", "probability"

// Contributions of the input columns to what a model says, before post-processing: base[k] + the sum of a row's contributions to k = its raw(k).
// Trees: Shapley values, path-dependent TreeSHAP (Lundberg and others, 2020; see forest.h). Linear models: weight * (feature - its mean over the bundle's sample
// rows), which are Shapley values for independent features (Lundberg and Lee, 2017, corollary 1). What a column became (0/1 columns, words, parts of a
// time) is summed. A mix of models on one scale: the weighted sum. A mix of probabilities: each half's contributions are brought through its link along the
// straight line from its base to its raw score (Aumann and Shapley 1974; for one output that is proportional), and then mixed.
struct Explanation {
  std::size_t rows = 0, width = 1, columns = 0;  // width: 1, or the classes of a multiclass task
  Scale scale = Scale::kValue;
  std::vector<double> base;           // by output
  std::vector<double> contributions;  // [row][output][input of the signature]
  double of(std::size_t row, std::size_t k, std::size_t column) const {
    return contributions[(row * width + k) * columns + column];
  }
  double raw(std::size_t row, std::size_t k) const;
};

// {"scale", "base", "raw_score", "contributions": {column: number}}; of several classes {"scale", "classes": {class: {"base", ...}}}.
base::Json explanation_json(const Signature& signature, const Explanation& explanation,
                            std::size_t row);

}  // namespace maru::model
