#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/model/model.h"

namespace maru::evaluate {

struct Interval {
  double value = 0, low = 0, high = 0;  // 95 %, percentile bootstrap
  base::Json to_json() const;
};

// True where a larger value is better. Known: roc_auc pr_auc accuracy f1 precision recall log_loss brier ece balanced_accuracy macro_f1 rmse mae r2 mape.
bool larger_is_better(std::string_view metric);
std::string default_metric(model::Task task);  // roc_auc, log_loss, rmse
std::vector<std::string> metric_names(model::Task task);
base::Result<double> metric_value(std::string_view metric, const std::vector<double>& labels,
                                  const model::Predictions& predictions, double threshold);
double roc_auc(const std::vector<double>& labels,
               const std::vector<double>& scores);  // ties by mid-ranks; NaN with one class

struct SliceResult {
  std::string column, value;
  std::uint64_t rows = 0;
  Interval metric;
  double share = 0;
};

struct EvaluateOptions {
  std::string metric;               // primary; empty: default_metric
  std::vector<std::string> slices;  // columns of `rows`
  int bootstrap = 200;
  std::uint64_t seed = 1;
  double threshold = -1;  // binary; < 0: the one in the signature
};

struct Report {
  model::Task task;
  std::string metric;
  std::uint64_t rows = 0;
  std::map<std::string, Interval> metrics;
  double threshold = 0.5;
  std::vector<std::vector<std::uint64_t>> confusion;  // [true][predicted]
  std::vector<std::string> classes;
  std::vector<SliceResult> slices;
  base::Json
      curves;  // roc, pr (<= 200 points), calibration bins, score histograms; residual quantiles for regression
  base::Json to_json() const;
  static base::Result<Report> from_json(const base::Json& json);
};

base::Result<Report> evaluate(const model::Signature& signature, const std::vector<double>& labels,
                              const model::Predictions& predictions, const data::Table& rows,
                              const EvaluateOptions& options);
// Threshold that maximises F1 on validation rows.
double choose_threshold(const std::vector<double>& labels, const model::Predictions& predictions);

// Paired bootstrap of (candidate - champion) on the same rows.
struct Comparison {
  std::string metric;
  double candidate = 0, champion = 0;
  Interval difference;  // oriented so that positive means the candidate is better
  bool worse = false;   // the whole interval is below zero
};
base::Result<Comparison> compare(std::string_view metric, const std::vector<double>& labels,
                                 const model::Predictions& candidate,
                                 const model::Predictions& champion, double candidate_threshold,
                                 double champion_threshold, std::uint64_t seed);

struct GateResult {
  std::string name;  // "roc_auc.min", "roc_auc.not_worse_than", "latency_p99", "memory", "replay"
  bool ok = false;
  std::string value, bound, reason;
  base::Json to_json() const;
};
// Whether `evaluate.gates` of a project file can be meant for a model of any task: names and shapes. An unknown name comes with the nearest known one.
base::Status check_gate_rules(const base::Json& gates);
// `gates` is the `evaluate.gates` part of the project file. `comparison` may be null (no champion yet: such a gate passes and says so).
base::Result<std::vector<GateResult>> check_gates(const base::Json& gates, const Report& report,
                                                  const Comparison* comparison,
                                                  const model::Bundle& bundle);

struct Latency {
  double p50_us = 0, p99_us = 0;
};
// Single-row predictions over the bundle's sample rows.
base::Result<Latency> measure_latency(const model::Bundle& bundle, int calls = 2000);

}  // namespace maru::evaluate
