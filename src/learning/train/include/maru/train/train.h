#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/model/model.h"
#include "maru/transform/features.h"
#include "maru/transform/graph.h"

namespace maru::train {

// The target, ready for learners: binary 0/1, multiclass 0..K-1, regression the value.
struct Labels {
  model::Task task = model::Task::kBinary;
  std::vector<double> values;
  std::vector<std::string> classes;  // binary: {negative, positive}
};
inline constexpr std::size_t kMaxClasses = 1000;
inline constexpr std::size_t kMaxIntegerClasses = 20;
// Infers the task and encodes. Rows with a missing label must have been removed. Errors: constant, all missing, too many classes (> 1000), fewer than 2 rows in a class.
// Binary: two distinct values (text, bool or whole numbers); multiclass: text or <= 20 distinct whole numbers; else regression. Positive class: true, 1, "yes"-like, else the rarer one.
// Classes of a multiclass task are in ascending order (numbers by value, text by bytes).
base::Result<Labels> encode_labels(const data::Column& column, const std::string& task_hint = {});
// Encodes against known classes (test rows); an unknown class is -1.
std::vector<double> encode_with(const data::Column& column, const Labels& known);

struct Matrix {  // features + labels of some rows
  model::FeatureMatrix features;
  std::vector<double> labels;
};

// lightgbm: num_leaves, learning_rate, min_data_in_leaf, feature_fraction, bagging_fraction, lambda_l1, lambda_l2, max_depth, min_gain_to_split, extra_trees, path_smooth, rounds, drop (names of features not to split on).
// linear: c (inverse strength: the penalty is 1/c against the sum of losses), l1_ratio in [0,1]. constant: none. An unknown key is an error with the nearest known one.
struct Config {
  std::string learner;  // "lightgbm" | "linear" | "constant"
  base::Json params = base::Json::object();
  std::string text() const;  // short, for tables
};

struct Trained {
  Config config;
  // Adds the nodes from `features` to `scores` (double [N,K]) to the feature graph.
  std::function<base::Status(transform::Graph&, const std::string& features)> append;
  std::vector<std::pair<std::string, double>>
      importance;                          // feature name -> share of gain or |weight|, descending
  base::Json curve = base::Json::array();  // [{round, train, valid}] of the early-stopping metric
  int rounds = 0;
  std::string
      text_model;  // LightGBM's own text (trees only: the same for any thread count), "" else
  std::string
      metric;  // of `curve` and the scores below, in Maru's words: roc_auc, log_loss, rmse, mae
  double train_score = 0, valid_score = 0;  // at the kept round; NaN where there are no such rows
  bool cut = false;                         // cancel or deadline ended the training
  double scoring_s = 0;  // of the time that the fit took: measuring its own and the held-back rows
  // The learner's own answers, row-major [N,K], as the graph gives them (up to float32 of the raw tree score). Thread safe.
  std::function<base::Result<std::vector<double>>(const model::FeatureMatrix&)> predict;
};

struct LearnOptions {
  std::size_t threads =
      1;  // more pay off only on very large rows: OpenMP's threads wait by spinning, and on a busy machine two are 20 times slower than one
  std::uint64_t seed = 1;
  int max_rounds = 2000;
  int early_stopping_rounds = 50;
  std::string
      metric;  // stops early on it where the learner can (roc_auc, log_loss, rmse, mae), else on log_loss or rmse
  base::Context* context =
      nullptr;  // cancel and deadline stop after the current round and keep the best so far
  base::ProgressSink progress;
};

// Fits `config` on `train`, stops early on `valid`. Same inputs, seed and threads -> same bytes. Library failures become errors; nothing is printed.
base::Result<Trained> fit(const Config& config, const Labels& labels, const Matrix& train,
                          const Matrix& valid, const LearnOptions& options);

// Rows made ready once for many fits of one learner (binned for trees, sparse for linear); does not keep the matrices. Not for concurrent fits.
class Prepared {
 public:
  // `labels` says task and classes; the values come from the matrices. kInvalidArgument when shapes differ or a label is not finite or not a class.
  static base::Result<std::shared_ptr<Prepared>> make(const std::string& learner,
                                                      const Labels& labels, const Matrix& train,
                                                      const Matrix& valid,
                                                      const LearnOptions& options);
  virtual ~Prepared() = default;
  virtual base::Result<Trained> fit(const Config& config, const LearnOptions& options) = 0;
};
// kInvalidArgument, with the nearest known one, for a name that is no learner's.
base::Status check_learner(const std::string& learner);
transform::Target feature_target(const std::string& learner);  // kTrees or kLinear

}  // namespace maru::train
