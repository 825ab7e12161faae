#include <algorithm>
#include <cmath>
#include <numeric>

#include "learners.h"
#include "owlqn.h"
#include "params.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;

// Only what is not zero: one-hot columns are nearly empty.
struct SparseRows {
  std::size_t rows = 0, columns = 0;
  std::vector<std::size_t> start;
  std::vector<std::uint32_t> column;
  std::vector<double> value;
  std::vector<double> labels;
};

base::Result<SparseRows> sparse(const Matrix& matrix) {
  SparseRows out;
  out.rows = matrix.features.rows;
  out.columns = matrix.features.columns;
  out.labels = matrix.labels;
  out.start.reserve(out.rows + 1);
  out.start.push_back(0);
  const double* at = matrix.features.values.data();
  for (std::size_t r = 0; r < out.rows; ++r) {
    for (std::size_t c = 0; c < out.columns; ++c, ++at) {
      if (*at == 0) continue;
      if (!std::isfinite(*at))
        return fail(
            Code::kInvalidArgument,
            "a feature of the linear learner is not finite: row " + std::to_string(r) + ", " +
                (c < matrix.features.names.size() ? matrix.features.names[c] : std::to_string(c)),
            "clip or exclude the column");
      out.column.push_back(static_cast<std::uint32_t>(c));
      out.value.push_back(*at);
    }
    out.start.push_back(out.column.size());
  }
  return out;
}

// weights: F*K row-major by feature, then K intercepts.
struct LinearModel {
  model::Task task = model::Task::kBinary;
  std::size_t columns = 0, width = 1;
  std::vector<double> weights;
};

void add_row(const SparseRows& x, std::size_t row, std::size_t width,
             const std::vector<double>& weights, double* scores) {
  const std::size_t bias = x.columns * width;
  for (std::size_t k = 0; k < width; ++k) scores[k] = weights[bias + k];
  for (std::size_t at = x.start[row]; at < x.start[row + 1]; ++at) {
    const double* w = &weights[x.column[at] * width];
    for (std::size_t k = 0; k < width; ++k) scores[k] += x.value[at] * w[k];
  }
}

// Loss of one row from its raw scores; turns the scores into their gradient.
double row_loss(model::Task task, std::size_t width, double label, double* scores) {
  if (task == model::Task::kRegression) {
    const double error = scores[0] - label;
    scores[0] = error;
    return 0.5 * error * error;
  }
  if (task == model::Task::kBinary) {
    const double z = label > 0 ? scores[0] : -scores[0];
    const double loss = z > 0 ? std::log1p(std::exp(-z)) : -z + std::log1p(std::exp(z));
    scores[0] = 1 / (1 + std::exp(-scores[0])) - label;
    return loss;
  }
  const auto truth = static_cast<std::size_t>(label);
  const double top = *std::max_element(scores, scores + width);
  double sum = 0;
  for (std::size_t k = 0; k < width; ++k) sum += std::exp(scores[k] - top);
  const double loss = top + std::log(sum) - scores[truth];
  for (std::size_t k = 0; k < width; ++k) scores[k] = std::exp(scores[k] - top) / sum;
  scores[truth] -= 1;
  return loss;
}

double smooth_loss(const SparseRows& x, model::Task task, std::size_t width, double l2,
                   const std::vector<double>& weights, std::vector<double>& gradient) {
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::vector<double> scores(width);
  double total = 0;
  const std::size_t bias = x.columns * width;
  for (std::size_t r = 0; r < x.rows; ++r) {
    add_row(x, r, width, weights, scores.data());
    total += row_loss(task, width, x.labels[r], scores.data());
    for (std::size_t k = 0; k < width; ++k) gradient[bias + k] += scores[k];
    for (std::size_t at = x.start[r]; at < x.start[r + 1]; ++at) {
      double* g = &gradient[x.column[at] * width];
      for (std::size_t k = 0; k < width; ++k) g[k] += x.value[at] * scores[k];
    }
  }
  const double share = 1 / static_cast<double>(x.rows);
  for (double& g : gradient) g *= share;
  total *= share;
  for (std::size_t i = 0; i < bias; ++i) {
    total += 0.5 * l2 * weights[i] * weights[i];
    gradient[i] += l2 * weights[i];
  }
  return total;
}

double score_of(const SparseRows& x, const LinearModel& fitted, std::size_t limit) {
  const std::size_t rows = std::min(x.rows, limit);
  std::vector<double> scores(rows * fitted.width);
  for (std::size_t r = 0; r < rows; ++r)
    add_row(x, r, fitted.width, fitted.weights, &scores[r * fitted.width]);
  link_scores(fitted.task, fitted.width, scores);
  const std::vector<double> labels(x.labels.begin(),
                                   x.labels.begin() + static_cast<std::ptrdiff_t>(rows));
  return plain_loss(fitted.task, scores, labels, fitted.width);
}

base::Status append_linear(const LinearModel& fitted, transform::Graph& graph,
                           const std::string& features) {
  transform::Tensor weights, bias;
  const std::size_t count = fitted.columns * fitted.width;
  const auto width = static_cast<std::int64_t>(fitted.width);
  weights.shape = {static_cast<std::int64_t>(fitted.columns), width};
  weights.reals.assign(fitted.weights.begin(),
                       fitted.weights.begin() + static_cast<std::ptrdiff_t>(count));
  bias.shape = {width};
  bias.reals.assign(fitted.weights.begin() + static_cast<std::ptrdiff_t>(count),
                    fitted.weights.end());
  const std::string product = graph.fresh("linear_product");
  const bool plain = fitted.task == model::Task::kRegression;
  const std::string raw = plain ? "scores" : graph.fresh("linear_raw");
  graph.add("MatMul", {features, graph.constant("linear_weights", weights)}, {product});
  graph.add("Add", {product, graph.constant("linear_intercepts", bias)}, {raw});
  if (fitted.task == model::Task::kBinary) graph.add("Sigmoid", {raw}, {"scores"});
  if (fitted.task == model::Task::kMulticlass)
    graph.add("Softmax", {raw}, {"scores"}).attributes["axis"] = std::int64_t{-1};
  transform::Port port;
  port.name = "scores";
  port.shape = {-1, width};
  graph.outputs = {port};
  return {};
}

base::Result<std::vector<double>> predict_linear(const LinearModel& fitted,
                                                 const model::FeatureMatrix& rows) {
  if (rows.columns != fitted.columns)
    return fail(Code::kInvalidArgument,
                "the features do not fit the model: " + std::to_string(rows.columns) + " columns");
  std::vector<double> out(rows.rows * fitted.width);
  for (std::size_t r = 0; r < rows.rows; ++r)
    for (std::size_t k = 0; k < fitted.width; ++k) {
      double sum = fitted.weights[fitted.columns * fitted.width + k];
      for (std::size_t c = 0; c < rows.columns; ++c)
        sum += rows.values[r * rows.columns + c] * fitted.weights[c * fitted.width + k];
      out[r * fitted.width + k] = sum;
    }
  link_scores(fitted.task, fitted.width, out);
  return out;
}

class LinearLearner final : public Prepared {
 public:
  LinearLearner(const Labels& labels, std::vector<std::string> names, SparseRows train,
                SparseRows valid)
      : task_(labels.task),
        width_(score_width(labels)),
        names_(std::move(names)),
        train_(std::move(train)),
        valid_(std::move(valid)) {
    if (task_ == model::Task::kRegression) standardise();
    measure_columns();
  }

  base::Result<Trained> fit(const Config& config, const LearnOptions& options) override {
    TRY_ASSIGN(const Params params, Params::read(config, linear_params()));
    const double strength = 1 / (params["c"] * static_cast<double>(train_.rows));
    const double l2 = strength * (1 - params["l1_ratio"]);
    MinimizeOptions how;
    Pace pace(options, "train linear");
    int iteration = 0;
    how.stop = [&] {
      pace.report(-1, "iteration " + std::to_string(++iteration));
      return pace.stop();
    };
    const std::size_t count = train_.columns * width_;
    if (params["l1_ratio"] > 0) {
      how.l1.assign(count + width_, strength * params["l1_ratio"]);
      std::fill(how.l1.begin() + static_cast<std::ptrdiff_t>(count), how.l1.end(), 0.0);
    }
    const Minimum found = minimize(
        std::vector<double>(count + width_, 0.0),
        [&](const std::vector<double>& w, std::vector<double>& g) {
          return smooth_loss(train_, task_, width_, l2, w, g);
        },
        how);

    LinearModel fitted{task_, train_.columns, width_, found.x};
    for (double w : fitted.weights)
      if (!std::isfinite(w))
        return fail(Code::kInternal, "the linear learner did not converge", "use a smaller c");
    Trained out;
    out.config = config;
    out.metric = task_ == model::Task::kRegression ? "rmse" : "log_loss";
    out.rounds = found.iterations;
    out.cut = found.cut;
    out.train_score = score_of(train_, fitted, 100'000) * label_scale_;
    out.valid_score = score_of(valid_, fitted, valid_.rows) * label_scale_;
    base::Json point = base::Json::object();
    point.set("round", found.iterations)
        .set("train", out.train_score)
        .set("valid", out.valid_score);
    out.curve.push(std::move(point));
    out.importance = rank_importance(names_, weigh(fitted));
    for (double& w : fitted.weights) w *= label_scale_;
    fitted.weights.back() +=
        label_mean_;  // label_mean_ is 0 but for a regression, which has one intercept
    auto shared = std::make_shared<const LinearModel>(std::move(fitted));
    out.append = [shared](transform::Graph& graph, const std::string& features) {
      return append_linear(*shared, graph, features);
    };
    out.predict = [shared](const model::FeatureMatrix& rows) {
      return predict_linear(*shared, rows);
    };
    return out;
  }

 private:
  // The target to mean 0 and deviation 1, so that `c` means the same for any unit.
  void standardise() {
    const auto rows = static_cast<double>(train_.rows);
    label_mean_ = std::accumulate(train_.labels.begin(), train_.labels.end(), 0.0) / rows;
    double squares = 0;
    for (double y : train_.labels) squares += (y - label_mean_) * (y - label_mean_);
    label_scale_ = squares > 0 ? std::sqrt(squares / rows) : 1;
    for (SparseRows* part : {&train_, &valid_})
      for (double& y : part->labels) y = (y - label_mean_) / label_scale_;
  }

  void measure_columns() {
    std::vector<double> sum(train_.columns), squares(train_.columns);
    for (std::size_t at = 0; at < train_.column.size(); ++at) {
      sum[train_.column[at]] += train_.value[at];
      squares[train_.column[at]] += train_.value[at] * train_.value[at];
    }
    const auto rows = static_cast<double>(train_.rows);
    deviation_.resize(train_.columns);
    for (std::size_t c = 0; c < deviation_.size(); ++c)
      deviation_[c] = std::sqrt(std::max(0.0, squares[c] / rows - sum[c] / rows * (sum[c] / rows)));
  }

  // |weight| times the column's deviation: comparable between 0/1 and measured columns.
  std::vector<double> weigh(const LinearModel& fitted) const {
    std::vector<double> out(fitted.columns, 0.0);
    for (std::size_t c = 0; c < fitted.columns; ++c)
      for (std::size_t k = 0; k < width_; ++k)
        out[c] += std::abs(fitted.weights[c * width_ + k]) * deviation_[c];
    return out;
  }

  model::Task task_;
  std::size_t width_;
  std::vector<std::string> names_;
  SparseRows train_, valid_;
  std::vector<double> deviation_;
  double label_mean_ = 0, label_scale_ = 1;
};

}  // namespace

base::Result<std::shared_ptr<Prepared>> prepare_linear(const Labels& labels, const Matrix& train,
                                                       const Matrix& valid, const LearnOptions&) {
  TRY_ASSIGN(SparseRows train_rows, sparse(train));
  TRY_ASSIGN(SparseRows valid_rows, sparse(valid));
  return std::make_shared<LinearLearner>(labels, train.features.names, std::move(train_rows),
                                         std::move(valid_rows));
}

}  // namespace maru::train
