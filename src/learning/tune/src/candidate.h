#pragma once
#include <memory>
#include <string>
#include <vector>

#include "arm.h"
#include "maru/base/result.h"

namespace maru::tune {

// One trial with its models, one a fold, and what they answered for the rows that their fold held back.
struct Candidate {
  Trial trial;
  Arm* arm = nullptr;
  std::vector<train::Trained> trained;
  std::vector<model::Predictions> answers;
  double fit_s = 0;  // of the first fold

  std::vector<std::vector<double>> labels() const;  // by fold
  int rounds() const;                               // the mean of the kept ones
};

// The candidate's configuration, fitted again on all rows for as many rounds as its folds kept on average.
struct Refit {
  ArmFold fold;
  train::Trained trained;
  transform::Graph graph;
};
base::Result<Refit> refit_all(const Candidate& candidate, const SearchSpec& spec,
                              const ArmRows& all, const train::LearnOptions& options);
// What that will take, from what the first fold took.
double refit_seconds(const Candidate& candidate, std::size_t all_rows, int patience);

// Trees and line as one trial: names, importances and curve, with `share` of the trees'.
train::Trained blend_trained(const Candidate& trees, const Candidate& line, double share);

}  // namespace maru::tune
