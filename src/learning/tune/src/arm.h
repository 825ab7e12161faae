#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/pool.h"
#include "maru/base/result.h"
#include "maru/tune/tune.h"
#include "space.h"

namespace maru::tune {

inline constexpr std::size_t kMaxLinearCells =
    40'000'000;  // dense doubles of the linear learner's training rows: 320 MB
// Up to this many numbers in the training matrix the trees grow on one thread, whatever the search may use. Measured on two cores that others use too,
// 62,349 x 18 numbers: 0.8 s with one thread, 20 s with two (1.0 s with OMP_WAIT_POLICY=passive).
inline constexpr std::size_t kOneThreadCells = 20'000'000;
// A text value needs this share of the rows (at least 5, at most 100 of them) to be told apart by the trees, which rank values by their mean label:
// the means of rare values are learned by heart. On flights, `tailnum` cost 0.012 to 0.037 of AUC on each of four forward-chained windows.
inline constexpr double kTreeValueShare = 0.001;
inline constexpr std::size_t kLinearVocabulary = 60;  // one-hot columns a text column
inline constexpr std::size_t kTrainSample =
    5'000;  // rows on which a trial's training metric is measured when the learner did not

// Rows of one fold, or all of them for the last fit; without `valid` nothing is held back.
struct ArmRows {
  data::Table train, valid;
  std::vector<double> train_labels, valid_labels;
};

// One learner made ready on some rows: fitted features, their graph, the prepared rows.
struct ArmFold {
  transform::FeaturePlan plan;
  transform::Graph graph;  // raw inputs -> features
  model::Signature signature;
  std::shared_ptr<train::Prepared> prepared;
  std::size_t rows = 0;         // that it learns from
  std::size_t given_rows = 0;   // before a sample was taken of them
  std::size_t judged_rows = 0;  // held back
  model::FeatureMatrix valid, train_sample;
  std::vector<double> valid_labels, train_sample_labels;
  double prepare_s = 0;

  // Fits the features on the training rows, runs them over train and valid through the graph, prepares the learner.
  static base::Result<ArmFold> make(const std::string& learner, const SearchSpec& spec,
                                    const ArmRows& rows, const train::LearnOptions& options);
  // What making it from all rows takes, from what this took.
  double prepare_again_s(std::size_t all_rows) const;
};

// On the pool and the calling thread, or one after the other without a pool.
void each(base::Pool* pool, std::size_t count, const std::function<void(std::size_t)>& body);

// One learner with everything that its trials share.
struct Arm {
  std::string learner;
  std::vector<ArmFold> folds;
  std::unique_ptr<Space> space;

  static base::Result<std::unique_ptr<Arm>> make(const std::string& learner, const SearchSpec& spec,
                                                 const std::vector<ArmRows>& folds,
                                                 const train::LearnOptions& options,
                                                 base::Pool* pool);
};

// The spec's folds as tables; one fold, train against valid, when it names none.
std::vector<ArmRows> fold_rows(const SearchSpec& spec);
// Train and valid together (rows whose label cannot be learned left out), nothing held back.
ArmRows all_rows(const SearchSpec& spec);

// A model from raw inputs to "scores", ready to answer.
struct Whole {
  transform::Graph graph;
  model::Signature signature;
  std::unique_ptr<model::Evaluator> evaluator;
  std::uint64_t bytes = 0;
  double latency_us = 0;  // median of single rows
};
// Compiles and measures a graph on the first of `rows`.
base::Result<Whole> make_whole(transform::Graph graph, const model::Signature& signature,
                               const data::Table& rows, base::Clock& clock);
base::Result<transform::Graph> whole_graph(const ArmFold& fold, const train::Trained& trained);

}  // namespace maru::tune
