#include "meter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "maru/base/text.h"

namespace maru::evaluate {
namespace {

using base::Code;
using base::fail;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

double log_loss_of(double p) { return -std::log(std::clamp(p, kEpsilon, 1 - kEpsilon)); }

double weight_of(const Weights* weights, std::size_t row) {
  return weights == nullptr ? 1.0 : (*weights)[row];
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

bool larger_is_better(std::string_view metric) {
  static const std::vector<std::string> kSmaller = {"log_loss", "brier", "ece",
                                                    "rmse",     "mae",   "mape"};
  return std::find(kSmaller.begin(), kSmaller.end(), metric) == kSmaller.end();
}

std::string default_metric(model::Task task) {
  if (task == model::Task::kBinary) return "roc_auc";
  return task == model::Task::kMulticlass ? "log_loss" : "rmse";
}

std::vector<std::string> metric_names(model::Task task) {
  if (task == model::Task::kBinary)
    return {"roc_auc",           "pr_auc", "log_loss",  "brier", "ece", "accuracy",
            "balanced_accuracy", "f1",     "precision", "recall"};
  if (task == model::Task::kMulticlass)
    return {"log_loss", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "ece"};
  return {"rmse", "mae", "r2", "mape"};
}

base::Status known_metric(std::string_view metric, model::Task task) {
  const std::vector<std::string> names = metric_names(task);
  if (std::find(names.begin(), names.end(), metric) != names.end()) return {};
  std::string hint = base::did_you_mean(metric, names);
  if (hint.empty()) hint = "known: " + base::join(names, ", ");
  return fail(Code::kInvalidArgument,
              "unknown metric for a " + std::string(model::task_name(task)) +
                  " task: " + std::string(metric),
              hint);
}

base::Result<Meter> Meter::make(const std::vector<double>& labels,
                                const model::Predictions& predictions, double threshold,
                                const std::vector<std::uint32_t>* rows, const std::string& only) {
  if (labels.size() != predictions.rows ||
      predictions.scores.size() != predictions.rows * predictions.width)
    return fail(Code::kInvalidArgument,
                "labels and predictions differ in length: " + std::to_string(labels.size()) +
                    " and " + std::to_string(predictions.rows));
  Meter out;
  out.task_ = predictions.task;
  if (only.empty()) {
    out.names_ = metric_names(out.task_);
  } else {
    TRY(known_metric(only, out.task_));
    out.names_ = {only};
  }
  const bool regression = out.task_ == model::Task::kRegression;
  const double most =
      out.task_ == model::Task::kBinary ? 2 : static_cast<double>(predictions.width);
  std::vector<std::uint32_t> kept;
  const std::size_t count = rows != nullptr ? rows->size() : labels.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t row = rows != nullptr ? (*rows)[i] : static_cast<std::uint32_t>(i);
    const double y = labels[row];
    if (!(regression ? std::isfinite(y) : y >= 0 && y < most)) continue;
    kept.push_back(row);
    out.labels_.push_back(y);
  }
  if (out.task_ == model::Task::kBinary) out.prepare_binary(predictions, kept, threshold);
  if (out.task_ == model::Task::kMulticlass) out.prepare_multiclass(predictions, kept);
  if (regression) out.prepare_regression(predictions, kept);
  return out;
}

bool Meter::wants(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

Meter::Order Meter::order_by(const std::vector<double>& scores,
                             const std::vector<std::uint8_t>& positive) {
  Order out;
  const std::size_t n = scores.size();
  std::vector<std::pair<double, std::uint32_t>> keyed(n);
  for (std::size_t i = 0; i < n; ++i) keyed[i] = {scores[i], static_cast<std::uint32_t>(i)};
  std::sort(keyed.begin(), keyed.end());
  out.row.resize(n);
  out.positive.resize(n);
  out.last_of_tie.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    out.row[i] = keyed[i].second;
    out.positive[i] = positive[keyed[i].second];
    out.last_of_tie[i] = i + 1 == n || keyed[i].first != keyed[i + 1].first ? 1 : 0;
  }
  return out;
}

void Meter::prepare_binary(const model::Predictions& predictions,
                           const std::vector<std::uint32_t>& kept, double threshold) {
  classes_ = 2;
  std::vector<std::uint8_t> positive;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const double p = predictions.score(kept[i]);
    const bool yes = labels_[i] > 0;
    scores_.push_back(p);
    positive.push_back(yes ? 1 : 0);
    truth_.push_back(yes ? 1 : 0);
    predicted_.push_back(p >= threshold ? 1 : 0);
    loss_.push_back(yes ? log_loss_of(p) : log_loss_of(1 - p));
    brier_.push_back((p - labels_[i]) * (p - labels_[i]));
    bin_.push_back(
        static_cast<std::uint8_t>(std::clamp(p * kCalibrationBins, 0.0, kCalibrationBins - 1.0)));
  }
  hit_ = positive;
  if (wants("roc_auc") || wants("pr_auc")) orders_.push_back(order_by(scores_, positive));
}

void Meter::prepare_multiclass(const model::Predictions& predictions,
                               const std::vector<std::uint32_t>& kept) {
  classes_ = predictions.width;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const double* row = &predictions.scores[kept[i] * classes_];
    const auto best = static_cast<std::size_t>(std::max_element(row, row + classes_) - row);
    const auto truth = static_cast<std::size_t>(labels_[i]);
    truth_.push_back(static_cast<std::uint32_t>(truth));
    predicted_.push_back(static_cast<std::uint32_t>(best));
    scores_.push_back(row[best]);
    loss_.push_back(log_loss_of(row[truth]));
    bin_.push_back(static_cast<std::uint8_t>(
        std::clamp(row[best] * kCalibrationBins, 0.0, kCalibrationBins - 1.0)));
    hit_.push_back(best == truth ? 1 : 0);
  }
  if (!wants("roc_auc") || classes_ > kMaxAucClasses) return;
  for (std::size_t k = 0; k < classes_; ++k) {
    std::vector<double> scores;
    std::vector<std::uint8_t> positive;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      scores.push_back(predictions.score(kept[i], k));
      positive.push_back(truth_[i] == k ? 1 : 0);
    }
    orders_.push_back(order_by(scores, positive));
  }
}

void Meter::prepare_regression(const model::Predictions& predictions,
                               const std::vector<std::uint32_t>& kept) {
  const double mean = labels_.empty() ? 0
                                      : std::accumulate(labels_.begin(), labels_.end(), 0.0) /
                                            static_cast<double>(labels_.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const double p = predictions.score(kept[i]), error = std::abs(p - labels_[i]);
    scores_.push_back(p);
    loss_.push_back(error * error);
    absolute_.push_back(error);
    relative_.push_back(error / std::max(std::abs(labels_[i]), kEpsilon));
    centred_.push_back(labels_[i] - mean);
  }
}

// Share of (positive, negative) pairs in the right order, ties half (Mann-Whitney).
double Meter::area(const Order& order, const Weights* weights) const {
  double positives = 0, negatives = 0, tied_positives = 0, tied_negatives = 0, pairs = 0;
  for (std::size_t i = 0; i < order.row.size(); ++i) {
    const double w = weight_of(weights, order.row[i]);
    (order.positive[i] != 0 ? tied_positives : tied_negatives) += w;
    if (order.last_of_tie[i] == 0) continue;
    pairs += tied_positives * (negatives + 0.5 * tied_negatives);
    positives += tied_positives;
    negatives += tied_negatives;
    tied_positives = tied_negatives = 0;
  }
  return positives > 0 && negatives > 0 ? pairs / (positives * negatives) : kNan;
}

// sum (R_n - R_{n-1}) P_n over distinct thresholds, highest first: scikit-learn's average_precision_score.
double Meter::average_precision(const Order& order, const Weights* weights) const {
  double hits = 0, seen = 0, tied_hits = 0, sum = 0;
  for (std::size_t i = order.row.size(); i-- > 0;) {
    const double w = weight_of(weights, order.row[i]);
    seen += w;
    if (order.positive[i] != 0) tied_hits += w;
    if (i > 0 && order.last_of_tie[i - 1] == 0) continue;
    hits += tied_hits;
    if (tied_hits > 0) sum += tied_hits * (hits / seen);
    tied_hits = 0;
  }
  return hits > 0 ? sum / hits : kNan;
}

double Meter::mean_of(const std::vector<double>& values, const Weights* weights) const {
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double w = weight_of(weights, i);
    sum += w * values[i];
    total += w;
  }
  return total > 0 ? sum / total : kNan;
}

// sum_b n_b/n |observed_b - predicted_b| over equal-width bins.
double Meter::calibration_error(const Weights* weights) const {
  double gap[kCalibrationBins] = {}, total = 0;
  for (std::size_t i = 0; i < bin_.size(); ++i) {
    const double w = weight_of(weights, i);
    gap[bin_[i]] += w * (hit_[i] - scores_[i]);
    total += w;
  }
  double sum = 0;
  for (double g : gap) sum += std::abs(g);
  return total > 0 ? sum / total : kNan;
}

std::vector<double> Meter::confusion(const Weights* weights) const {
  std::vector<double> out(classes_ * classes_, 0.0);
  for (std::size_t i = 0; i < truth_.size(); ++i)
    out[truth_[i] * classes_ + predicted_[i]] += weight_of(weights, i);
  return out;
}

double Meter::class_metric(const std::string& name, const std::vector<double>& c) const {
  const double total = std::accumulate(c.begin(), c.end(), 0.0);
  if (total == 0) return kNan;
  double right = 0, recall_sum = 0, f1_sum = 0;
  std::size_t present = 0, seen = 0;
  for (std::size_t k = 0; k < classes_; ++k) {
    double truth = 0, predicted = 0;
    for (std::size_t j = 0; j < classes_; ++j) {
      truth += c[k * classes_ + j];
      predicted += c[j * classes_ + k];
    }
    const double hit = c[k * classes_ + k];
    right += hit;
    if (truth > 0) ++present;
    if (truth + predicted > 0) ++seen;
    recall_sum += ratio(hit, truth);
    f1_sum += ratio(2 * hit, truth + predicted);
    if (classes_ != 2 || k != 1) continue;
    if (name == "precision") return ratio(hit, predicted);
    if (name == "recall") return ratio(hit, truth);
    if (name == "f1") return ratio(2 * hit, truth + predicted);
  }
  if (name == "accuracy") return right / total;
  if (name == "balanced_accuracy") return recall_sum / static_cast<double>(present);
  return f1_sum / static_cast<double>(seen);
}

double Meter::regression_metric(const std::string& name, const Weights* weights) const {
  if (name == "rmse") return std::sqrt(mean_of(loss_, weights));
  if (name == "mae") return mean_of(absolute_, weights);
  if (name == "mape") return mean_of(relative_, weights);
  // 1 - SSE / SST around the weighted mean; a constant target gives 1 when met exactly, else 0, as scikit-learn does.
  double total = 0, sum = 0, squares = 0, errors = 0, least = kNan, most = kNan;
  for (std::size_t i = 0; i < centred_.size(); ++i) {
    const double w = weight_of(weights, i);
    if (w == 0) continue;
    total += w;
    sum += w * centred_[i];
    squares += w * centred_[i] * centred_[i];
    errors += w * loss_[i];
    least = std::isnan(least) ? centred_[i] : std::min(least, centred_[i]);
    most = std::isnan(most) ? centred_[i] : std::max(most, centred_[i]);
  }
  if (total < 2) return kNan;
  if (least == most) return errors == 0 ? 1 : 0;
  return 1 - errors / (squares - sum * sum / total);
}

std::vector<double> Meter::measure(const Weights* weights) const {
  std::vector<double> out, table;
  for (const std::string& name : names_) {
    double value = kNan;
    if (task_ == model::Task::kRegression) {
      value = regression_metric(name, weights);
    } else if (name == "roc_auc") {
      // Multiclass: the mean of one-against-rest areas over classes that have both sides.
      double sum = 0, count = 0;
      for (const Order& order : orders_) {
        const double one = area(order, weights);
        if (std::isnan(one)) continue;
        sum += one;
        ++count;
      }
      if (count > 0) value = sum / count;
    } else if (name == "pr_auc") {
      value = average_precision(orders_.front(), weights);
    } else if (name == "log_loss") {
      value = mean_of(loss_, weights);
    } else if (name == "brier") {
      value = mean_of(brier_, weights);
    } else if (name == "ece") {
      value = calibration_error(weights);
    } else {
      if (table.empty()) table = confusion(weights);
      value = class_metric(name, table);
    }
    out.push_back(value);
  }
  return out;
}

base::Result<double> metric_value(std::string_view metric, const std::vector<double>& labels,
                                  const model::Predictions& predictions, double threshold) {
  TRY_ASSIGN(const Meter meter,
             Meter::make(labels, predictions, threshold, nullptr, std::string(metric)));
  return meter.measure(nullptr).front();
}

double roc_auc(const std::vector<double>& labels, const std::vector<double>& scores) {
  model::Predictions predictions;
  predictions.rows = scores.size();
  predictions.scores = scores;
  return metric_value("roc_auc", labels, predictions, 0.5).value_or(kNan);
}

}  // namespace maru::evaluate
