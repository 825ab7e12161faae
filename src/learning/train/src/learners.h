#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/result.h"
#include "maru/train/train.h"

namespace maru::train {

// One a learner; Prepared::make picks by name after the shapes and labels are checked.
base::Result<std::shared_ptr<Prepared>> prepare_lightgbm(const Labels& labels, const Matrix& train,
                                                         const Matrix& valid,
                                                         const LearnOptions& options);
base::Result<std::shared_ptr<Prepared>> prepare_linear(const Labels& labels, const Matrix& train,
                                                       const Matrix& valid,
                                                       const LearnOptions& options);
base::Result<std::shared_ptr<Prepared>> prepare_constant(const Labels& labels, const Matrix& train,
                                                         const Matrix& valid,
                                                         const LearnOptions& options);

std::size_t score_width(const Labels& labels);  // K of [N,K]
// Log loss (probabilities clipped to [2^-52, 1 - 2^-52]) or RMSE of row-major scores; NaN without rows.
double plain_loss(model::Task task, const std::vector<double>& scores,
                  const std::vector<double>& labels, std::size_t width);
// Shares of the total, descending; ties by column. Zero shares are kept.
std::vector<std::pair<std::string, double>> rank_importance(const std::vector<std::string>& names,
                                                            const std::vector<double>& weights);
// Raw scores -> answers, in place: sigmoid, softmax or nothing.
void link_scores(model::Task task, std::size_t width, std::vector<double>& scores);

// Tells whether to stop, and reports progress at most five times a second.
class Pace {
 public:
  Pace(const LearnOptions& options, std::string stage);
  bool stop() const;
  std::int64_t now_ns() const { return clock_->monotonic_ns(); }
  void report(double fraction, const std::string& detail);

 private:
  const LearnOptions& options_;
  base::Clock* clock_;
  std::string stage_;
  std::int64_t last_ns_ = 0;
};

}  // namespace maru::train
