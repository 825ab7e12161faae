#include "space.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace maru::tune {
namespace {

struct Axis {
  const char* name;
  double low, high;
  bool logarithmic, whole;
};

std::vector<Axis> axes_of(const std::string& learner, std::size_t rows) {
  if (learner == "linear") return {{"c", 1e-4, 1e3, true, false}, {"l1_ratio", 0, 1, false, false}};
  const double most_in_leaf = std::clamp(static_cast<double>(rows) / 20, 5.0, 300.0);
  const double most_leaves = std::clamp(static_cast<double>(rows) / 20, 8.0, 255.0);
  return {{"num_leaves", 4, most_leaves, true, true},
          {"learning_rate", 0.015, 0.25, true, false},
          {"min_data_in_leaf", 2, most_in_leaf, true, true},
          {"feature_fraction", 0.3, 1, false, false},
          {"bagging_fraction", 0.5, 1, false, false},
          {"lambda_l2", 1e-3, 50, true, false},
          {"extra_trees", 0, 1, false, true}};
}

double rounded(double value) {
  // Four significant digits read better in tables and change nothing.
  const double scale = std::pow(10, 3 - std::floor(std::log10(std::max(std::abs(value), 1e-12))));
  return std::round(value * scale) / scale;
}

train::Config trees(double leaves, double rate, double min_data, double features, double bagging,
                    bool extra) {
  train::Config out;
  out.learner = "lightgbm";
  out.params.set("num_leaves", static_cast<std::int64_t>(leaves)).set("learning_rate", rate);
  out.params.set("min_data_in_leaf", static_cast<std::int64_t>(min_data));
  if (features < 1) out.params.set("feature_fraction", features);
  if (bagging < 1) out.params.set("bagging_fraction", bagging);
  if (extra) out.params.set("extra_trees", true);
  return out;
}

train::Config linear(double c, double l1_ratio) {
  train::Config out;
  out.learner = "linear";
  out.params.set("c", c);
  if (l1_ratio > 0) out.params.set("l1_ratio", l1_ratio);
  return out;
}

}  // namespace

std::vector<train::Config> default_configs(const std::string& learner, std::size_t train_rows) {
  // The first takes half the steps of c = 1 and is as good on all but tiny data.
  if (learner == "linear") return {linear(0.05, 0), linear(1, 0), linear(0.003, 0)};
  if (learner == "constant") {
    train::Config out;
    out.learner = "constant";
    return {out};
  }
  // The first is quick and good everywhere; the others differ from it and from each other (AutoGluon's mined portfolio).
  if (train_rows < 2000)
    return {trees(15, 0.05, 10, 0.8, 1, false), trees(7, 0.05, 5, 0.6, 0.8, false),
            trees(16, 0.03, 5, 0.6, 1, true), trees(4, 0.1, 10, 0.8, 0.8, false)};
  return {trees(31, 0.1, 20, 1, 1, false),     trees(31, 0.05, 40, 0.7, 0.9, false),
          trees(63, 0.05, 20, 0.8, 0.9, true), trees(127, 0.034, 6, 0.83, 1, true),
          trees(16, 0.06, 48, 0.56, 1, true),  trees(89, 0.047, 56, 0.62, 1, false),
          trees(53, 0.0121, 14, 0.7, 1, false)};
}

Space::Space(std::string learner, std::size_t train_rows)
    : learner_(std::move(learner)),
      rows_(train_rows),
      defaults_(default_configs(learner_, train_rows)),
      best_loss_(std::numeric_limits<double>::quiet_NaN()) {}

train::Config Space::config_at(const Point& point) const {
  train::Config out;
  out.learner = learner_;
  const std::vector<Axis> axes = axes_of(learner_, rows_);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    double value = axis.logarithmic ? axis.low * std::pow(axis.high / axis.low, point[i])
                                    : axis.low + (axis.high - axis.low) * point[i];
    if (axis.whole) {
      out.params.set(axis.name, static_cast<std::int64_t>(std::llround(value)));
      continue;
    }
    value = std::clamp(rounded(value), axis.low, axis.high);
    if (std::string_view(axis.name) == "l1_ratio" && value < 0.1) value = 0;
    out.params.set(axis.name, value);
  }
  return out;
}

train::Config Space::propose(base::Rng& rng) {
  last_is_point_ = false;
  if (has_defaults()) return defaults_[next_default_++];
  const std::vector<Axis> axes = axes_of(learner_, rows_);
  last_.assign(axes.size(), 0.5);
  const bool local = !best_.empty() && rng.uniform() < 0.7;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double noise = rng.normal(), fresh = rng.uniform();
    last_[i] = local ? std::clamp(best_[i] + step_ * noise, 0.0, 1.0) : fresh;
    // A switch flips now and then instead of drifting.
    if (local && std::string_view(axes[i].name) == "extra_trees")
      last_[i] = fresh < 0.2 ? 1 - best_[i] : best_[i];
  }
  last_is_point_ = true;
  return config_at(last_);
}

void Space::tell(const train::Config& config, double loss) {
  ++since_best_;
  if (std::isnan(loss) || (!std::isnan(best_loss_) && loss >= best_loss_)) {
    if (since_best_ % 8 == 0) step_ = std::max(0.05, step_ * 0.7);
    return;
  }
  best_loss_ = loss;
  since_best_ = 0;
  if (last_is_point_) {
    best_ = last_;
    return;
  }
  // A default is the best: refine around it.
  const std::vector<Axis> axes = axes_of(learner_, rows_);
  best_.assign(axes.size(), 0.0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const base::Json* given = config.params.find(axes[i].name);
    const std::string_view name = axes[i].name;
    double value = name == "feature_fraction" || name == "bagging_fraction" ? 1.0 : 0.0;
    if (given != nullptr)
      value = given->is_bool() ? (given->as_bool() ? 1.0 : 0.0) : given->as_double();
    value = std::clamp(value, axes[i].low, axes[i].high);
    best_[i] = axes[i].logarithmic
                   ? std::log(value / axes[i].low) / std::log(axes[i].high / axes[i].low)
                   : (value - axes[i].low) / (axes[i].high - axes[i].low);
  }
}

}  // namespace maru::tune
