#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/tune/tune.h"
#include "space.h"

namespace maru::tune {

inline constexpr std::size_t kMaxLinearCells = 40'000'000;  // dense doubles of the linear learner's training rows: 320 MB
inline constexpr std::size_t kLinearVocabulary = 60;        // one-hot columns a text column
inline constexpr std::size_t kTrainSample = 20'000;         // rows on which a trial's training metric is measured when the learner did not

// One learner with everything that its trials share: the fitted features, their graph, the prepared rows.
struct Arm {
  std::string learner;
  transform::FeaturePlan plan;
  transform::Graph graph;           // raw inputs -> features
  model::Signature signature;
  std::shared_ptr<train::Prepared> prepared;
  model::FeatureMatrix valid, train_sample;
  std::vector<double> valid_labels, train_sample_labels;
  std::unique_ptr<Space> space;

  // Fits the features on the training rows, runs them over train and valid through the graph, prepares the learner.
  static base::Result<std::unique_ptr<Arm>> make(const std::string& learner, const SearchSpec& spec, const train::LearnOptions& options);
};

// A trained configuration as a whole model: raw inputs -> "scores".
struct Whole {
  transform::Graph graph;
  std::unique_ptr<model::Evaluator> evaluator;
  std::uint64_t bytes = 0;
  double latency_us = 0;            // median of single rows
};
base::Result<Whole> assemble(const Arm& arm, const train::Trained& trained, const data::Table& rows, base::Clock& clock);

}  // namespace maru::tune
