#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/evaluate/evaluate.h"
#include "maru/model/model.h"
#include "maru/train/train.h"

namespace maru::tune {

struct Trial {
  int number = 0;
  train::Config config;
  std::string state;            // "done", "stopped" (budget), "failed"
  double valid = 0, train = 0;  // primary metric
  double seconds = 0;
  std::uint64_t bytes = 0;  // of the model's graph
  double latency_us = 0;
  std::string error;
  base::Json curve;
  base::Json to_json() const;  // {learner, config, valid, train, seconds, bytes, latency_us, state}
};

// Row numbers of one way to hold rows back. In a SearchSpec they count `train` followed by `valid`.
struct Fold {
  std::vector<std::uint32_t> train, valid;
};

struct SearchSpec {
  data::Table train,
      valid;  // raw rows, without missing labels; forward-chained when a time column exists
  std::vector<std::string> features;  // raw columns the model may use
  train::Labels labels;               // of train + classes
  std::vector<double> valid_labels;
  std::string label_text;
  std::string metric;                 // empty: default
  std::vector<std::string> learners;  // empty: lightgbm and linear
  // What every trial learns from and is judged on; the score is the mean, weighted by rows. Empty: one fold, `train` against `valid`.
  std::vector<Fold> folds;
  bool refit = false;  // at the end, the winner learns again from train and valid together
  bool blend = true;   // at the end, try the best trees and the best line together: learner "blend"
  double budget_seconds = 60;  // wall time for the whole search, +-2 %
  int max_trials = 1000;
  std::uint64_t seed = 1;
  std::size_t threads = 2;
  std::function<void(const Trial&)> on_trial;  // after each
};

struct SearchResult {
  std::vector<Trial> trials;  // leaderboard, best first
  train::Trained
      best;  // of a blend: names, importances and curve only; its `append` and `predict` refuse
  transform::FeaturePlan plan;
  transform::Graph graph;      // raw inputs -> "scores"
  model::Signature signature;  // threshold chosen on rows that the judged models had not seen
  model::Predictions
      valid_predictions;  // of `graph`, which has learned from these rows when `refitted`
  bool refitted = false;
  // The best plain linear model, made from the same rows as the winner, to compare with; absent when none was tried, when it won, or when time was short.
  struct Baseline {
    train::Config config;
    transform::Graph graph;
    model::Signature signature;
  };
  std::shared_ptr<const Baseline> baseline;
  // Trials that deserve a closer look: the best three and the best of each learner, best first, with what each answered for the first
  // fold's held-back rows.
  struct Finalist {
    int trial = 0;  // its number
    std::vector<double> labels;
    model::Predictions answers;
  };
  std::vector<Finalist> finalists;
  double seconds = 0;
  std::string stopped;  // "budget", "max_trials", "converged", "cancelled"
};

// Searches learners and configurations inside the time budget: defaults of each learner first, then random + local refinement, early-stopped.
// Deterministic in what it proposes for a seed; the number of trials depends on time unless max_trials binds. At least one trial always completes
// (a constant model in the worst case is not accepted: that is an error that says why).
base::Result<SearchResult> search(const SearchSpec& spec, base::Context& context,
                                  const base::ProgressSink& progress);

// Rows for train / valid / test. By time when `time_column` names one (oldest first, whole timestamps kept together), else shuffled by seed (stratified for classes).
struct SplitSpec {
  std::string time_column;
  double test_share = 0.2, valid_share = 0.2;  // valid: of what is left
  std::uint64_t seed = 1;
};
struct Split {
  std::vector<std::uint32_t> train, valid, test;
};
base::Result<Split> split_rows(const data::Table& table, const std::vector<double>& labels,
                               bool classes, const SplitSpec& spec);
// Ways to hold back rows of train + valid of a split, the split's own first; never its test rows. By time: windows as long as valid, one before the other, each
// judged after learning from all that is older. At random: disjoint parts, only where rows are so few that one part says little.
std::vector<Fold> make_folds(const data::Table& table, const std::vector<double>& labels,
                             bool classes, const SplitSpec& spec, const Split& split);

}  // namespace maru::tune
