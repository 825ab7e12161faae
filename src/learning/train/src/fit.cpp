#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "learners.h"
#include "maru/base/text.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;

base::Status check_matrix(const Labels& labels, const Matrix& matrix, const char* which) {
  const model::FeatureMatrix& features = matrix.features;
  if (features.values.size() != features.rows * features.columns ||
      matrix.labels.size() != features.rows)
    return fail(Code::kInvalidArgument, std::string("features and labels do not fit together: ") +
                                            which + " has " + std::to_string(features.rows) +
                                            " rows and " + std::to_string(matrix.labels.size()) +
                                            " labels");
  const auto classes = static_cast<double>(labels.classes.size());
  for (std::size_t r = 0; r < matrix.labels.size(); ++r) {
    const double y = matrix.labels[r];
    const bool good = labels.task == model::Task::kRegression
                          ? std::isfinite(y)
                          : y >= 0 && y < classes && std::floor(y) == y;
    if (!good)
      return fail(Code::kInvalidArgument,
                  std::string("a label cannot be learned: ") + which + " row " + std::to_string(r) +
                      " has " + base::format_double(y),
                  "remove rows with a missing or unknown label");
  }
  return {};
}

// Predicts the class shares, or the mean: the baseline every learner has to beat.
class ConstantLearner final : public Prepared {
 public:
  ConstantLearner(const Labels& labels, const Matrix& train, const Matrix& valid)
      : task_(labels.task),
        width_(score_width(labels)),
        columns_(train.features.columns),
        answer_(width_, 0.0) {
    const auto rows = static_cast<double>(train.labels.size());
    if (task_ == model::Task::kMulticlass)
      for (double y : train.labels) answer_[static_cast<std::size_t>(y)] += 1 / rows;
    else
      answer_[0] = std::accumulate(train.labels.begin(), train.labels.end(), 0.0) / rows;
    train_score_ = score(train);
    valid_score_ = score(valid);
  }

  base::Result<Trained> fit(const Config& config, const LearnOptions&) override {
    Trained out;
    out.config = config;
    out.metric = task_ == model::Task::kRegression ? "rmse" : "log_loss";
    out.train_score = train_score_;
    out.valid_score = valid_score_;
    out.predict =
        [answer = answer_](const model::FeatureMatrix& rows) -> base::Result<std::vector<double>> {
      std::vector<double> scores;
      for (std::size_t r = 0; r < rows.rows; ++r)
        scores.insert(scores.end(), answer.begin(), answer.end());
      return scores;
    };
    out.append = [answer = answer_, columns = columns_](
                     transform::Graph& graph, const std::string& features) -> base::Status {
      const auto width = static_cast<std::int64_t>(answer.size());
      transform::Tensor zeros, base_values, low, high;
      zeros.shape = {static_cast<std::int64_t>(columns), width};
      zeros.reals.assign(columns * answer.size(), 0.0);
      base_values.shape = {width};
      base_values.reals = answer;
      low.reals = {0.0};
      high.reals = {0.0};
      // Clip first: 0 * infinity would not be 0.
      const std::string flat = graph.fresh("nothing"), product = graph.fresh("nothing_projected");
      graph.add("Clip",
                {features, graph.constant("zero_low", low), graph.constant("zero_high", high)},
                {flat});
      graph.add("MatMul", {flat, graph.constant("constant_weights", zeros)}, {product});
      graph.add("Add", {product, graph.constant("constant_answer", base_values)}, {"scores"});
      transform::Port port;
      port.name = "scores";
      port.shape = {-1, width};
      graph.outputs = {port};
      return {};
    };
    return out;
  }

 private:
  double score(const Matrix& rows) const {
    std::vector<double> scores;
    for (std::size_t r = 0; r < rows.labels.size(); ++r)
      scores.insert(scores.end(), answer_.begin(), answer_.end());
    return plain_loss(task_, scores, rows.labels, width_);
  }

  model::Task task_;
  std::size_t width_, columns_;
  std::vector<double> answer_;
  double train_score_ = 0, valid_score_ = 0;
};

}  // namespace

std::size_t score_width(const Labels& labels) {
  return labels.task == model::Task::kMulticlass ? labels.classes.size() : 1;
}

double plain_loss(model::Task task, const std::vector<double>& scores,
                  const std::vector<double>& labels, std::size_t width) {
  if (labels.empty()) return std::numeric_limits<double>::quiet_NaN();
  constexpr double kTiny = std::numeric_limits<double>::epsilon();
  double total = 0;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    if (task == model::Task::kRegression) {
      const double error = scores[r] - labels[r];
      total += error * error;
      continue;
    }
    double p = task == model::Task::kBinary
                   ? scores[r]
                   : scores[r * width + static_cast<std::size_t>(labels[r])];
    p = std::clamp(p, kTiny, 1 - kTiny);
    total -= task == model::Task::kBinary && labels[r] == 0 ? std::log1p(-p) : std::log(p);
  }
  total /= static_cast<double>(labels.size());
  return task == model::Task::kRegression ? std::sqrt(total) : total;
}

std::vector<std::pair<std::string, double>> rank_importance(const std::vector<std::string>& names,
                                                            const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t i : order) {
    const std::string name = i < names.size() ? names[i] : "feature " + std::to_string(i);
    out.emplace_back(name, total > 0 ? weights[i] / total : 0.0);
  }
  return out;
}

void link_scores(model::Task task, std::size_t width, std::vector<double>& scores) {
  if (task == model::Task::kBinary)
    for (double& s : scores) s = 1 / (1 + std::exp(-s));
  if (task != model::Task::kMulticlass) return;
  for (std::size_t at = 0; at + width <= scores.size(); at += width) {
    const auto begin = scores.begin() + static_cast<std::ptrdiff_t>(at),
               end = begin + static_cast<std::ptrdiff_t>(width);
    const double top = *std::max_element(begin, end);
    double sum = 0;
    for (auto s = begin; s != end; ++s) sum += * s = std::exp(*s - top);
    for (auto s = begin; s != end; ++s) *s /= sum;
  }
}

Pace::Pace(const LearnOptions& options, std::string stage)
    : options_(options),
      clock_(options.context != nullptr ? options.context->clock : &base::system_clock()),
      stage_(std::move(stage)) {}

bool Pace::stop() const { return options_.context != nullptr && !options_.context->alive(); }

void Pace::report(double fraction, const std::string& detail) {
  if (!options_.progress) return;
  const std::int64_t now = clock_->monotonic_ns();
  if (last_ns_ != 0 && now - last_ns_ < 200'000'000) return;
  last_ns_ = now;
  options_.progress({stage_, fraction, detail});
}

base::Result<std::shared_ptr<Prepared>> prepare_constant(const Labels& labels, const Matrix& train,
                                                         const Matrix& valid, const LearnOptions&) {
  return std::make_shared<ConstantLearner>(labels, train, valid);
}

base::Status check_learner(const std::string& learner) {
  static const std::vector<std::string> kLearners = {"lightgbm", "linear", "constant"};
  if (std::find(kLearners.begin(), kLearners.end(), learner) != kLearners.end()) return {};
  std::string hint = base::did_you_mean(learner, kLearners);
  if (hint.empty()) hint = "known: " + base::join(kLearners, ", ");
  return fail(Code::kInvalidArgument, "unknown learner: " + learner, hint);
}

base::Result<std::shared_ptr<Prepared>> Prepared::make(const std::string& learner,
                                                       const Labels& labels, const Matrix& train,
                                                       const Matrix& valid,
                                                       const LearnOptions& options) {
  TRY(check_learner(learner));
  if (train.features.rows == 0)
    return fail(Code::kInvalidArgument, "there are no rows to train on");
  TRY(check_matrix(labels, train, "train"));
  TRY(check_matrix(labels, valid, "valid"));
  if (valid.features.rows > 0 && valid.features.columns != train.features.columns)
    return fail(Code::kInvalidArgument, "train and valid have different features: " +
                                            std::to_string(train.features.columns) + " and " +
                                            std::to_string(valid.features.columns));
  if (learner == "lightgbm") return prepare_lightgbm(labels, train, valid, options);
  if (learner == "linear") return prepare_linear(labels, train, valid, options);
  return prepare_constant(labels, train, valid, options);
}

base::Result<Trained> fit(const Config& config, const Labels& labels, const Matrix& train,
                          const Matrix& valid, const LearnOptions& options) {
  TRY_ASSIGN(const std::shared_ptr<Prepared> prepared,
             Prepared::make(config.learner, labels, train, valid, options));
  return prepared->fit(config, options);
}

}  // namespace maru::train
