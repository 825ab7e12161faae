#pragma once
#include <string>
#include <vector>

#include "maru/base/rng.h"
#include "maru/model/model.h"
#include "maru/train/train.h"

namespace maru::tune {

// What one learner is tried with: fixed defaults first, then points of a box, at random or near the best so far.
class Space {
 public:
  Space(std::string learner, std::size_t train_rows);

  // The next configuration. Depends only on the seed and the order of calls and scores, never on time.
  train::Config propose(base::Rng& rng);
  // `loss`: smaller is better; NaN for a failed trial.
  void tell(const train::Config& config, double loss);
  bool has_defaults() const { return next_default_ < defaults_.size(); }
  double best_loss() const { return best_loss_; }
  int since_best() const { return since_best_; }

 private:
  using Point = std::vector<double>;  // in the unit box
  train::Config config_at(const Point& point) const;

  std::string learner_;
  std::size_t rows_;
  std::vector<train::Config> defaults_;
  std::size_t next_default_ = 0;
  Point best_, last_;
  bool last_is_point_ = false;
  double best_loss_, step_ = 0.25;
  int since_best_ = 0;
};

std::vector<train::Config> default_configs(const std::string& learner, std::size_t train_rows);

}  // namespace maru::tune
