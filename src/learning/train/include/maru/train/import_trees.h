#pragma once
#include <string>
#include <string_view>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/model/model.h"
#include "maru/transform/graph.h"

namespace maru::train {

// A model of boosted trees from elsewhere, as what a bundle is made of (model::Bundle::create).
struct ImportedTrees {
  transform::Graph graph;  // one double column a feature -> "scores"
  model::Signature
      signature;  // the features by their names, all numbers that may be missing; classes "0", "1", ...
  base::Json metadata;  // {"learner", "format", "objective", "trees", "features"}
  data::Table
      rows;  // made from the thresholds of the trees, with missing values: they reach most leaves
  model::Predictions expected;  // of those rows, walked through the trees as they were read
};

// Whether the first bytes of a file are those of a format that import_trees() reads.
bool looks_like_trees(std::string_view head);

// LightGBM's text format, XGBoost's JSON and UBJSON formats (1.0 and later): regression, binary and multiclass objectives, poisson, gamma and tweedie with their
// exponential, random forests of XGBoost. XGBoost's splits compare in float32, as it does. Errors: kInvalidArgument for what is no such file or is damaged,
// kUnimplemented for categorical splits, linear trees, DART, ranking over several targets, LightGBM's averaged forests.
base::Result<ImportedTrees> import_trees(std::string_view bytes);

}  // namespace maru::train
