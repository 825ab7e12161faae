#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/base/rng.h"
#include "maru/evaluate/evaluate.h"
#include "maru/model/model.h"

namespace maru::evaluate {

using Weights = std::vector<std::uint16_t>;

inline constexpr std::size_t kCalibrationBins = 15;
inline constexpr std::size_t kMaxAucClasses = 20;  // one-against-rest areas need one sort a class

// Metrics of fixed rows under changing integer row weights: everything that does not depend on the weights is computed once, so that a bootstrap
// resample is one pass. Immutable after make().
class Meter {
 public:
  // Rows whose label is negative (unknown class) or NaN are left out. `rows`: row numbers to use, null for all. `only`: one metric, empty for all.
  static base::Result<Meter> make(const std::vector<double>& labels,
                                  const model::Predictions& predictions, double threshold,
                                  const std::vector<std::uint32_t>* rows = nullptr,
                                  const std::string& only = {});

  std::size_t rows() const { return labels_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  // One value a name; NaN where it is not defined. Null weights: each row once.
  std::vector<double> measure(const Weights* weights) const;
  // [true][predicted], row-major K*K; binary K = 2.
  std::vector<double> confusion(const Weights* weights) const;
  std::size_t classes() const { return classes_; }

  // The parts that curves are drawn from.
  const std::vector<double>& labels() const { return labels_; }
  const std::vector<double>& scores() const {
    return scores_;
  }  // binary: of the positive class; multiclass: of the predicted one; regression: the value
  const std::vector<std::uint32_t>& predicted() const { return predicted_; }

 private:
  struct Order {  // rows by ascending score
    std::vector<std::uint32_t> row;
    std::vector<std::uint8_t> positive, last_of_tie;
  };
  static Order order_by(const std::vector<double>& scores,
                        const std::vector<std::uint8_t>& positive);
  void prepare_binary(const model::Predictions& predictions, const std::vector<std::uint32_t>& kept,
                      double threshold);
  void prepare_multiclass(const model::Predictions& predictions,
                          const std::vector<std::uint32_t>& kept);
  void prepare_regression(const model::Predictions& predictions,
                          const std::vector<std::uint32_t>& kept);
  bool wants(std::string_view name) const;
  double area(const Order& order, const Weights* weights) const;
  double average_precision(const Order& order, const Weights* weights) const;
  double mean_of(const std::vector<double>& values, const Weights* weights) const;
  double calibration_error(const Weights* weights) const;
  double class_metric(const std::string& name, const std::vector<double>& confusion) const;
  double regression_metric(const std::string& name, const Weights* weights) const;

  model::Task task_ = model::Task::kBinary;
  std::size_t classes_ = 0;
  std::vector<std::string> names_;
  std::vector<double> labels_, scores_, loss_, brier_, absolute_, relative_, centred_;
  std::vector<std::uint32_t> truth_, predicted_;
  std::vector<std::uint8_t> bin_, hit_;
  std::vector<Order> orders_;
};

// Resamples rows with replacement: weights[i] is how often row i was drawn.
void draw_weights(base::Rng& rng, Weights& weights);
// 95 % percentile interval (quantiles of type 7) of `draws`, NaN ignored.
Interval interval_of(double value, std::vector<double> draws);
// As many resamples as asked for, fewer on very many rows: rows * resamples stays within 4e9.
int affordable_resamples(int wanted, std::size_t rows);

base::Status known_metric(std::string_view metric, model::Task task);
base::Json curves_of(const Meter& meter, model::Task task);

}  // namespace maru::evaluate
